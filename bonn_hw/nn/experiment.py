# SPDX-License-Identifier: BSD-3-Clause
"""An experiment as a value: which network, on which data, trained how; read from a TOML file."""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from bonn_hw.errors import UserError
from bonn_hw.nn import data

OPTIMISERS = ("adam", "sgd")
SCHEDULES = ("constant", "cosine", "linear")
AUGMENTS = ("none", "shift", "flip", "shift-flip")


def _one_of(*choices: str) -> tuple[Callable[[Any], bool], str]:
    return (lambda v: v in choices), f"one of {', '.join(choices)}"


def _whole(v: object) -> bool:
    return isinstance(v, int) and not isinstance(v, bool)


def _number(v: object) -> bool:
    return isinstance(v, int | float) and not isinstance(v, bool)


_TEXT = (lambda v: isinstance(v, str) and v != ""), "a non-empty text"
_POSITIVE = (lambda v: _whole(v) and v > 0), "a positive integer"

# TOML table and key -> field of Experiment, rule, the rule in words. [network] also takes options.
_KEYS: dict[tuple[str, str], tuple[str, Callable[[Any], bool], str]] = {
    ("network", "name"): ("network", *_TEXT),
    ("data", "name"): ("dataset", *_one_of(*data.READERS)),
    ("data", "transform"): ("transform", *_one_of(*data.TRANSFORMS)),
    ("data", "root"): ("root", *_TEXT),
    ("training", "epochs"): ("epochs", *_POSITIVE),
    ("training", "batch"): ("batch", lambda v: _whole(v) and v > 1, "an integer above 1"),
    ("training", "lr"): ("lr", lambda v: _number(v) and 0 < v < float("inf"), "a positive number"),
    ("training", "optimiser"): ("optimiser", *_one_of(*OPTIMISERS)),
    ("training", "schedule"): ("schedule", *_one_of(*SCHEDULES)),
    ("training", "seed"): ("seed", lambda v: _whole(v) and v >= 0, "a non-negative integer"),
    ("training", "augment"): ("augment", *_one_of(*AUGMENTS)),
}


@dataclass(frozen=True)
class Experiment:
    """Everything that decides the result of a training.

    Attributes
    ----------
    network, options
        Name and options of `networks.build`.
    dataset, transform, root
        Arguments of `data.load` and `Dataset.transformed`.
    epochs, batch, lr, optimiser, schedule, seed, augment
        The training: `schedule` lets `lr` fall to zero over all steps (cosine, linear), or not.
    """

    network: str
    dataset: str
    epochs: int
    options: Mapping[str, Any] = field(default_factory=dict)
    transform: str = "none"
    root: str | None = None
    batch: int = 100
    lr: float = 0.002
    optimiser: str = "adam"
    schedule: str = "cosine"
    seed: int = 0
    augment: str = "none"

    @classmethod
    def read(cls, path: str | Path) -> "Experiment":
        """Read a TOML file.

        Raises
        ------
        UserError
            If it cannot be read or holds an unknown key or a wrong value.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise UserError(
                f"{path}: cannot be read ({reason}); name an experiment file such as "
                "flows/digits.toml"
            ) from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, source: str) -> "Experiment":
        """Read TOML `text`; `source` names it in messages."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{source}: not valid TOML ({error}); mend that place") from error
        values: dict[str, Any] = {}
        for table, content in tables.items():
            known = [key for section, key in _KEYS if section == table]
            if not known or not isinstance(content, dict):
                raise UserError(
                    f"{source}: {table!r} is not known here; the tables are [network], [data] and "
                    "[training]"
                )
            for key, value in content.items():
                if table == "network" and key != "name":
                    values.setdefault("options", {})[key] = value
                    continue
                if key not in known:
                    raise UserError(
                        f"{source}: key {key!r} of [{table}] is not known; choose from "
                        f"{', '.join(known)}"
                    )
                name, holds, rule = _KEYS[table, key]
                if not holds(value):
                    raise UserError(f"{source}: [{table}] {key} must be {rule}, not {value!r}")
                values[name] = value
        for (table, key), (name, _, rule) in _KEYS.items():
            if name in _REQUIRED and name not in values:
                raise UserError(f"{source}: [{table}] {key} is missing; give {rule}")
        return cls(**values)

    def data(self, split: str, limit: int | None = None) -> data.Dataset:
        """Return one split as the network is fed, or its first `limit` images."""
        return data.load(self.dataset, split, self.root).first(limit).transformed(self.transform)

    def toml(self) -> str:
        """Return the experiment as TOML, every value spelled out; `parse` reads it back."""
        lines = []
        for table in ("network", "data", "training"):
            lines.append(f"[{table}]")
            rows = {k: getattr(self, f) for (t, k), (f, *_) in _KEYS.items() if t == table}
            rows |= self.options if table == "network" else {}
            # JSON's texts, numbers and lists of them are TOML's.
            lines += [
                f"{k} = {json.dumps(_plain(v), ensure_ascii=False)}"
                for k, v in rows.items()
                if v is not None
            ]
            lines.append("")
        return "\n".join(lines)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


_REQUIRED = {
    f.name for f in fields(Experiment) if f.default is MISSING and f.default_factory is MISSING
}
