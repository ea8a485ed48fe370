# SPDX-License-Identifier: BSD-3-Clause
"""What a training writes and shows: the run folder and the progress bar."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
import time
import warnings
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bonn_hw.console import EVERY
from bonn_hw.errors import UserError
from bonn_hw.files import file_aside
from bonn_hw.nn.own.source import keep
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.health import complaints
from bonn_hw.nn.training.kernel_statistics import KERNELS, EpochStatistics
from bonn_hw.nn.training.run_files import (
    CHECKPOINT,
    EXPERIMENT,
    METRICS,
    WEIGHTS,
    EpochFigures,
    write_atomically,
)
from bonn_hw.nn.training.training_module import TrainingModule
from bonn_hw.progress import Pace, clock

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning.pytorch as lightning

TABLE = "metrics.csv"
COLUMNS = ("epoch", "phase", "loss", "train_accuracy", "test_accuracy", "seconds")


class RunWriter(lightning.Callback):
    """Writes the run folder after each epoch, and shows the progress of the training.

    Parameters
    ----------
    out
        The run folder.
    experiment, limit
        What is trained, and the number of training images (None: all).
    progress
        Whether progress is shown.
    """

    def __init__(self, out: Path, experiment: Experiment, limit: int | None, progress: bool):
        self.out = out
        self.experiment = experiment
        self.limit = limit
        self.progress = progress
        self.bar: tqdm | None = None
        self.started = time.monotonic()
        self.finished = 0
        self.pace = Pace("train")
        self._told = time.monotonic()
        self._said: set[str] = set()

    def admit(self, resume: bool) -> None:
        """Refuse to overwrite another run, or to resume a run of another experiment."""
        experiment = self.out / EXPERIMENT
        if self.out.exists() and not self.out.is_dir():
            raise UserError(f"{self.out}: not a folder; name another place for the run")
        if not experiment.exists():
            if resume:
                raise UserError(f"{self.out}: no run to resume; leave --resume out to start one")
            if self.out.is_dir() and any(self.out.iterdir()):
                raise UserError(
                    f"{self.out}: not empty, and not a run; name a new folder for the run"
                )
            return
        if not resume:
            raise UserError(
                f"{self.out}: already holds a run; go on with it by --resume, or name "
                "another folder"
            )
        if (self.out / WEIGHTS).exists():
            raise UserError(
                f"{self.out}: a released run, of whose latent weights only the signs are left; go "
                "on with the run that it was made of, or name another folder"
            )
        if (
            Experiment.read(experiment).toml() != self.experiment.toml()
            or self._limit_of_run() != self.limit
        ):
            raise UserError(
                f"{self.out}: its run is of another experiment than the one given "
                f"({EXPERIMENT} and {METRICS} say which); resume with that one, or name "
                "another folder"
            )

    def begin(self) -> None:
        """Write the experiment and its files into the run folder, and empty figures."""
        # The copies first: an experiment in a run folder has its files beside it.
        keep(self.experiment.own_files, self.experiment.folder, self.out)
        write_atomically(self.out / EXPERIMENT, self.experiment.toml().encode())
        if not (self.out / METRICS).exists():
            self.write_figures([], [])

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Start a bar for the epoch."""
        self.started = time.monotonic()
        self.bar = tqdm(
            desc=f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}",
            total=trainer.num_training_batches,
            leave=False,
            # None: only on a terminal.
            disable=None if self.progress and trainer.is_global_zero else True,
        )

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        index: int,
    ) -> None:
        """Move the bar."""
        # Only when the bar is drawn: to read the loss is to wait for the device.
        if self.bar is not None and self.bar.update():
            self.bar.set_postfix_str(f"loss {float(outputs['loss']):.3f}", refresh=False)
        elif self.bar is not None and self.bar.disable and self._due(trainer.is_global_zero):
            done, epoch = index + 1, trainer.current_epoch + 1
            self.pace.step(f"epoch {epoch}, batch {done} of {trainer.num_training_batches}")
            print(self.pace.line(), file=sys.stderr, flush=True)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Save the epoch: first the checkpoint, which has the history too, then the figures."""
        self._close_bar()
        training = training_of(module)
        training.finish_epoch()
        last = training.history[-1]
        last["seconds"] = round(time.monotonic() - self.started, 3)
        self.save(trainer)
        self.finished = len(training.history)
        if not trainer.is_global_zero:
            return
        self.write_figures(training.history, training.kernels)
        epochs = trainer.max_epochs or self.finished
        self.show(f"epoch {last['epoch']}/{epochs}", last, last["seconds"], epochs)
        self._complain(training.kernels)

    def save(self, trainer: lightning.Trainer) -> None:
        """Write the checkpoint of the last whole epoch."""
        try:
            # All processes call save_checkpoint, which waits for them; the first one writes.
            if trainer.is_global_zero:
                with file_aside(self.out / CHECKPOINT) as partial:
                    trainer.save_checkpoint(partial)
            else:
                trainer.save_checkpoint(self.out / CHECKPOINT)
        except OSError as error:
            raise UserError(
                f"{self.out / CHECKPOINT}: cannot be written ({error.strerror}); free the space "
                "and go on with --resume"
            ) from error

    def _due(self, first: bool) -> bool:
        """Whether a minute has passed without a line, where there is no terminal."""
        if not self.progress or not first or time.monotonic() - self._told < EVERY:
            return False
        self._told = time.monotonic()
        return True

    def show(
        self, start: str, last: EpochFigures, seconds: float, epochs: int | None = None
    ) -> None:
        """Print one line about a finished epoch, beginning with `start`, if progress is shown.

        Parameters
        ----------
        epochs : int or None
            How many there will be, for the time that is left; None: not told.
        """
        if not self.progress:
            return
        self._told = time.monotonic()
        left = 0.0 if epochs is None else seconds * (epochs - last["epoch"])
        rest = f", {clock(left)} left" if left else ""
        accuracy = last["test_accuracy"]
        tested = "" if accuracy is None else f"{self.experiment.tested} {accuracy:.2%}  "
        print(
            f"{start}  loss {last['loss']:.4f}  train {last['train_accuracy']:.2%}  {tested}"
            f"{seconds:.1f} s{rest}",
            file=sys.stderr,
            flush=True,
        )

    def _complain(self, kernels: list[EpochStatistics]) -> None:
        """Say what left its range in the last epoch, each kind once a training."""
        for kind, sentence in complaints(kernels[0], kernels[-1]).items():
            if self.progress and kind not in self._said:
                print(f"note: {sentence}", file=sys.stderr, flush=True)
            self._said.add(kind)

    def on_load_checkpoint(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Restore the number of finished epochs."""
        self.finished = len(checkpoint["history"])

    def on_exception(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Remove the progress bar."""
        self._close_bar()

    def _close_bar(self) -> None:
        if self.bar is not None:
            self.bar.close()

    def write_figures(self, history: list[EpochFigures], kernels: list[EpochStatistics]) -> None:
        """Write the figures per epoch; the JSON without times: equal runs write equal bytes.

        Parameters
        ----------
        history, kernels
            Of `training_module.TrainingModule`.
        """
        beside = ("seconds", "calibration")
        epochs = [{k: v for k, v in row.items() if k not in beside} for row in history]
        places = ("root", "folder")
        metrics = {
            "experiment": {k: v for k, v in asdict(self.experiment).items() if k not in places},
            "limit": self.limit,
            "tested": self.experiment.tested,
            "accuracy": epochs[-1]["test_accuracy"] if epochs else None,
            "calibration": history[-1].get("calibration") if history else None,
            "epochs": epochs,
            "versions": {p: _version(p) for p in ("torch", "brevitas", "lightning")},
        }
        self._write_json(METRICS, json.dumps(metrics, indent=2))
        # Mostly histograms: a seventh of such a file would be spaces.
        self._write_json(KERNELS, json.dumps({"epochs": kernels}, separators=(",", ":")))
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        write_atomically(self.out / TABLE, text.getvalue().encode())

    def _write_json(self, name: str, text: str) -> None:
        write_atomically(self.out / name, f"{text}\n".encode())

    def _limit_of_run(self) -> int | None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            limit: int | None = json.loads((self.out / METRICS).read_text()).get("limit")
            return limit
        return self.limit


@cache
def _version(package: str) -> str:
    """Read once, not after each epoch: a package's metadata holds its whole README."""
    return metadata.version(package)


def training_of(module: lightning.LightningModule) -> TrainingModule:
    """The module with its type, TrainingModule; anything else is a bug."""
    if not isinstance(module, TrainingModule):
        raise TypeError(f"a run is written of a TrainingModule, not of a {type(module).__name__}")
    return module
