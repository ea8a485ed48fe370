# SPDX-License-Identifier: BSD-3-Clause
"""An experiment as a value: network, data and training settings; read from a TOML file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonn_hw.errors import UserError, near
from bonn_hw.files import shipped
from bonn_hw.nn.data import datasets, transforms
from bonn_hw.nn.data.labelled_images import Dataset

if TYPE_CHECKING:
    from bonn_hw.nn.data.image_folder import ImageFolder

OPTIMISERS = ("adam", "sgd")
SCHEDULES = ("constant", "cosine", "linear", "steps")
AUGMENTS = ("none", "shift", "flip", "shift-flip", "crop", "crop-flip")
PRECISIONS = ("auto", "32", "16-mixed", "bf16-mixed")
GRADIENTS = ("paper", "exact")
RANGES = ("held", "positive", "free")


def _one_of(*choices: str) -> tuple[Callable[[Any], bool], str]:
    return (lambda v: v in choices), f"one of {', '.join(choices)}"


def _whole(v: object) -> bool:
    return isinstance(v, int) and not isinstance(v, bool)


def _number(v: Any) -> bool:
    return isinstance(v, int | float) and not isinstance(v, bool)


def _positive_number(v: Any) -> bool:
    return _number(v) and 0 < v < float("inf")


def _weight(v: Any) -> bool:
    return _number(v) and 0 <= v < float("inf")


_TEXT = (lambda v: isinstance(v, str) and v != ""), "a non-empty text"
_POSITIVE = (lambda v: _whole(v) and v > 0), "a positive integer"
_COUNT = (lambda v: _whole(v) and v >= 0), "a non-negative integer"
_RATE = _positive_number, "a positive number"
_WEIGHT = _weight, "0 or a positive number"
_SHARE = (lambda v: _number(v) and 0 <= v < 1), "a number from 0 to below 1"

TABLES = ("network", "data", "training", "bayesian")
# TOML table and key -> field of Experiment, rule, the rule in words. [network] also has options.
_KEYS: dict[tuple[str, str], tuple[str, Callable[[Any], bool], str]] = {
    ("network", "name"): ("network", *_TEXT),
    ("data", "name"): ("dataset", *_one_of(*datasets.SOURCES)),
    ("data", "transform"): ("transform", *_one_of(*transforms.TRANSFORMS)),
    ("data", "root"): ("root", *_TEXT),
    ("data", "held_out"): ("held_out", *_COUNT),
    ("training", "epochs"): ("epochs", *_POSITIVE),
    ("training", "batch"): ("batch", lambda v: _whole(v) and v > 1, "an integer above 1"),
    ("training", "lr"): ("lr", *_RATE),
    ("training", "optimiser"): ("optimiser", *_one_of(*OPTIMISERS)),
    ("training", "momentum"): ("momentum", *_SHARE),
    ("training", "nesterov"): ("nesterov", lambda v: isinstance(v, bool), "true or false"),
    ("training", "weight_decay"): ("weight_decay", *_WEIGHT),
    ("training", "schedule"): ("schedule", *_one_of(*SCHEDULES)),
    ("training", "milestones"): (
        "milestones",
        lambda v: isinstance(v, list | tuple) and all(_whole(e) and e > 0 for e in v),
        "a list of epochs",
    ),
    ("training", "decay"): ("decay", *_SHARE),
    ("training", "fine_tune_epochs"): ("fine_tune_epochs", *_COUNT),
    ("training", "fine_tune_lr"): ("fine_tune_lr", *_RATE),
    ("training", "test_every"): ("test_every", *_POSITIVE),
    ("training", "precision"): ("precision", *_one_of(*PRECISIONS)),
    ("training", "seed"): ("seed", *_COUNT),
    ("training", "augment"): ("augment", *_one_of(*AUGMENTS)),
    ("bayesian", "lambda"): ("lam", *_WEIGHT),
    ("bayesian", "theta"): ("theta", *_WEIGHT),
    ("bayesian", "nu"): ("nu", *_RATE),
    ("bayesian", "start"): ("start", *_RATE),
    ("bayesian", "modulation"): ("modulation", *_one_of(*RANGES)),
    ("bayesian", "modulation_lr"): ("modulation_lr", *_RATE),
    ("bayesian", "prior_lr"): ("prior_lr", *_RATE),
    ("bayesian", "modulation_gradient"): ("modulation_gradient", *_one_of(*GRADIENTS)),
}


@dataclass(frozen=True)
class Experiment:
    """Everything that decides the result of a training.

    Attributes
    ----------
    network, options
        Name and options of `networks.build`.
    dataset, transform, root
        Arguments of `datasets.read` and `Dataset.transformed`.
    held_out
        Number of training images that are set apart and tested instead of the test images, for
        choosing settings.
    epochs, batch, lr, optimiser, momentum, nesterov, weight_decay, precision, seed, augment
        Settings of the training; precision ``auto`` is 16-mixed on a GPU and 32 elsewhere.
    schedule, milestones, decay
        ``lr`` falls to zero over all steps (cosine, linear), by the factor `decay` after each of
        the epochs in `milestones` (steps), or not (constant).
    fine_tune_epochs, fine_tune_lr
        Epochs after the main schedule, with the feature loss. They start at `fine_tune_lr` (by
        default a tenth of `lr`) and follow the same schedule; the schedule steps is constant here.
    test_every
        Epochs from one test to the next; each phase ends with one.
    lam, theta, nu
        Weight of the kernel loss, weight of the feature loss, variance of the quantisation error.
    start
        Standard deviation that the latent kernels are rescaled to; None: PyTorch's own.
    modulation
        Where w may go, one of `modulation.RANGES`; None: held in chains, positive elsewhere.
    modulation_lr, prior_lr
        Learning rates of w, and of mu, sigma and the features' deviations; by default a tenth and
        3e-4 of `lr`.
    modulation_gradient
        Gradient of w: ``paper`` (equation 15), or ``exact``, the derivative of the forward pass.
    """

    network: str
    dataset: str
    epochs: int
    options: Mapping[str, Any] = field(default_factory=dict)
    transform: str = "none"
    root: str | None = None
    held_out: int = 0
    batch: int = 100
    lr: float = 0.002
    optimiser: str = "adam"
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    schedule: str = "cosine"
    milestones: tuple[int, ...] = ()
    decay: float = 0.1
    fine_tune_epochs: int = 0
    fine_tune_lr: float | None = None
    test_every: int = 1
    precision: str = "auto"
    seed: int = 0
    augment: str = "none"
    lam: float = 0.0
    theta: float = 0.0
    nu: float = 1e-4
    start: float | None = None
    modulation: str | None = None
    modulation_lr: float | None = None
    prior_lr: float | None = None
    modulation_gradient: str = "paper"

    @property
    def all_epochs(self) -> int:
        """Number of epochs, fine-tuning included."""
        return self.epochs + self.fine_tune_epochs

    @classmethod
    def read(cls, path: str | Path) -> Experiment:
        """Read a TOML file.

        Raises
        ------
        UserError
            If it cannot be read or holds an unknown key or a wrong value.
        """
        path = Path(path)
        try:
            text = _own_or_shipped(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise UserError(
                f"{path}: cannot be read ({reason}); name an experiment file such as "
                "flows/experiments/digits.toml"
            ) from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, source: str) -> Experiment:
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
                    f"{source}: {table!r} is not known here{near(table, TABLES)}; the tables are "
                    "[network], [data], [training] and [bayesian]"
                )
            for key, value in content.items():
                if table == "network" and key != "name":
                    values.setdefault("options", {})[key] = value
                    continue
                if key not in known:
                    raise UserError(
                        f"{source}: key {key!r} of [{table}] is not known{near(key, known)}; "
                        f"choose from {', '.join(known)}"
                    )
                name, holds, rule = _KEYS[table, key]
                if not holds(value):
                    raise UserError(f"{source}: [{table}] {key} must be {rule}, not {value!r}")
                values[name] = tuple(value) if isinstance(value, list) else value
        for (table, key), (name, _, rule) in _KEYS.items():
            if name in _REQUIRED and name not in values:
                raise UserError(f"{source}: [{table}] {key} is missing; give {rule}")
        return cls(**values)

    @property
    def tested(self) -> str:
        """The split whose accuracy is reported: test, or held-out if images are set apart."""
        return "held-out" if self.held_out else "test"

    def data(self, split: str, limit: int | None = None) -> Dataset | ImageFolder:
        """The train, held-out or test split as inputs of the network, or its first images.

        Raises
        ------
        UserError
            If the data is missing or damaged.
        """
        source = "test" if split == "test" else "train"
        chosen = datasets.read(self.dataset, source, self.root)
        if self.held_out and split != "test":
            rest, held_out = chosen.held_out(self.held_out)
            chosen = held_out if split == "held-out" else rest
        return chosen.first(limit).transformed(self.transform)

    def toml(self) -> str:
        """The experiment as TOML, defaults included; `parse` reads it back."""
        lines = []
        for table in TABLES:
            lines.append(f"[{table}]")
            rows = {k: getattr(self, f) for (t, k), (f, *_) in _KEYS.items() if t == table}
            rows |= self.options if table == "network" else {}
            # Strings, numbers and lists are written in the same way in JSON and in TOML.
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


def _own_or_shipped(path: Path) -> Path:
    """The file itself or, if it does not exist, the experiment file that comes with the package."""
    folder = Path("flows", "experiments")
    if path.is_relative_to(folder) and not path.exists():
        return shipped(*folder.parts) / path.relative_to(folder)
    return path
