# SPDX-License-Identifier: BSD-3-Clause
"""An experiment as a value: network, data and training settings; read from a TOML file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonn_hw.errors import UserError, near
from bonn_hw.files import shipped
from bonn_hw.nn.data import datasets
from bonn_hw.nn.data.labelled_images import Dataset
from bonn_hw.nn.own import data as own_data
from bonn_hw.nn.own.source import OwnName, own_names
from bonn_hw.nn.training.experiment_keys import KEYS, TABLES

if TYPE_CHECKING:
    from bonn_hw.nn.data.image_folder import ImageFolder


@dataclass(frozen=True)
class Experiment:
    """Everything that decides the result of a training.

    Attributes
    ----------
    network, options
        Name and options of `networks.build`; or the name of the user's own network,
        ``FILE.py:FUNCTION``, and its choices.
    dataset, transform, root
        Arguments of `datasets.read` and `Dataset.transformed`; or the name of the user's own data.
    held_out
        Number of training images that are set apart and tested instead of the test images, for
        choosing settings.
    epochs, batch, lr, optimiser, momentum, nesterov, weight_decay, seed, augment
        Settings of the training.
    schedule, milestones, decay
        ``lr`` falls to zero over all steps (cosine, linear), by the factor `decay` after each of
        the epochs in `milestones` (steps), or not (constant).
    warm_up
        Epochs at the start in which the learning rates rise from 0 to their schedule.
    fine_tune_epochs, fine_tune_lr
        Epochs after the main schedule, with the feature loss. They start at `fine_tune_lr` (by
        default a tenth of `lr`) and follow the same schedule; the schedule steps is constant here.
    test_every
        Epochs from one test to the next; each phase ends with one.
    precision, memory_format
        Of the training; every test is in float32. For ``auto`` see `speed`.
    erase, mixup, cutmix
        Of `mixing.MixedBatches`, in the main schedule only.
    label_smoothing
        Share of the label that is spread over all classes.
    average
        Decay of the moving average of the weights, which is tested and saved; 0: none.
    norm_epochs
        Passes over the training images, after the last epoch, in which the statistics of the
        batch norms are measured again.
    init
        Run folder whose weights the training starts from, see `warm_start`.
    teacher, teacher_weight, temperature
        Run folder of the teacher; weight of its answers, while the labels have the rest; of
        `teacher.Teacher`.
    kurtosis
        Weight of `objective.kurtosis_loss`.
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
    folder
        Where the files of the user's own network and data are; not part of the experiment.
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
    warm_up: int = 0
    fine_tune_epochs: int = 0
    fine_tune_lr: float | None = None
    test_every: int = 1
    precision: str = "auto"
    memory_format: str = "auto"
    seed: int = 0
    augment: str = "none"
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    label_smoothing: float = 0.0
    average: float = 0.0
    norm_epochs: int = 0
    init: str | None = None
    teacher: str | None = None
    teacher_weight: float = 0.5
    temperature: float = 4.0
    kurtosis: float = 0.0
    lam: float = 0.0
    theta: float = 0.0
    nu: float = 1e-4
    start: float | None = None
    modulation: str | None = None
    modulation_lr: float | None = None
    prior_lr: float | None = None
    modulation_gradient: str = "paper"

    folder: str = field(default="", compare=False)

    @property
    def own_files(self) -> list[OwnName]:
        """The names of the user's own network and data."""
        return own_names(self.network, self.dataset)

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
            text = own_or_shipped(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise UserError(
                f"{path}: cannot be read ({reason}); name an experiment file such as "
                "flows/experiments/digits.toml"
            ) from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, source: str) -> Experiment:
        """Read TOML `text`; `source` names it in messages, and own files are beside it."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{source}: not valid TOML ({error}); mend that place") from error
        values: dict[str, Any] = {}
        for table, content in tables.items():
            known = [key for section, key in KEYS if section == table]
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
                name, rule = KEYS[table, key]
                if not rule.holds(value):
                    raise UserError(
                        f"{source}: [{table}] {key} must be {rule.words}, not {value!r}"
                    )
                values[name] = tuple(value) if isinstance(value, list) else value
        for (table, key), (name, rule) in KEYS.items():
            if name in _REQUIRED and name not in values:
                raise UserError(f"{source}: [{table}] {key} is missing; give {rule.words}")
        return cls(**values, folder=str(Path(source).parent))

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
        own = OwnName.parse(self.dataset)
        chosen = (
            datasets.read(self.dataset, source, self.root)
            if own is None
            else own_data.read(own, self.folder, source)
        )
        if self.held_out and split != "test":
            rest, held_out = chosen.held_out(self.held_out)
            chosen = held_out if split == "held-out" else rest
        return chosen.first(limit).transformed(self.transform)

    def toml(self) -> str:
        """The experiment as TOML, defaults included; `parse` reads it back."""
        lines = []
        for table in TABLES:
            lines.append(f"[{table}]")
            rows = {k: getattr(self, f) for (t, k), (f, _) in KEYS.items() if t == table}
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


def own_or_shipped(path: Path) -> Path:
    """The file itself or, if it does not exist, the experiment file that comes with the package."""
    for folder in (Path("flows", "experiments"), Path("flows", "explore")):
        if path.is_relative_to(folder) and not path.exists():
            return shipped(*folder.parts) / path.relative_to(folder)
    return path
