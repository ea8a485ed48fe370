# SPDX-License-Identifier: BSD-3-Clause
"""The folder of work in several trainings that was interrupted: the same command goes on with it.

It lies beside the run folder that will be written, as ``NAME.unfinished``, and is removed when that
one is complete. It holds a run folder for each training, and ``settings.json``: what the work was
started with.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from bonn_hw import files
from bonn_hw.errors import Interrupted, UserError
from bonn_hw.nn.training.checkpoint import read_state
from bonn_hw.nn.training.run_files import CHECKPOINT, write_atomically
from bonn_hw.nn.training.run_writer import RunWriter
from bonn_hw.nn.training.train import fit
from bonn_hw.nn.training.training_module import TrainingModule

SETTINGS = "settings.json"

Setting = str | int | float | bool | None


class Unfinished:
    """Trainings of which each whole epoch is kept until all have ended.

    Parameters
    ----------
    what
        The work, for messages: ``"pruning"``.
    out
        The run folder that will be written.
    settings
        Everything that determines the result.
    epochs
        Of all trainings together.
    command
        The command line that starts the work.

    Raises
    ------
    UserError
        On entering, if there is unfinished work with other settings.
    """

    def __init__(
        self, what: str, out: Path, settings: Mapping[str, Setting], epochs: int, command: str
    ) -> None:
        self.what, self.out, self.epochs, self.command = what, out, epochs, command
        self.settings = dict(settings)
        self.place = out.with_name(f"{out.name}.unfinished")
        self._trainings: list[Path] = []

    def __enter__(self) -> Self:
        file = self.place / SETTINGS
        if self.place.exists():
            self._check(file)
        else:
            write_atomically(file, (json.dumps(self.settings, indent=1) + "\n").encode())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or not self.finished:
            files.remove(self.place)

    @property
    def finished(self) -> int:
        """Whole epochs that are kept."""
        checkpoints = (self.place / one / CHECKPOINT for one in self._trainings)
        return sum(len(read_state(one)["history"]) for one in checkpoints if one.is_file())

    def folder(self, name: str) -> Path:
        """The folder of the next training."""
        place = self.place / name
        self._trainings.append(place)
        place.mkdir(exist_ok=True)
        return place

    def train(self, module: TrainingModule, writer: RunWriter) -> None:
        """Train for all epochs, after those that are kept.

        Raises
        ------
        Interrupted
            After Ctrl-C.
        """
        saved = writer.out / CHECKPOINT
        kept = saved.is_file()
        if kept and writer.progress:
            said = f"going on after epoch {self.finished} of {self.epochs} of the {self.what}"
            print(said, file=sys.stderr, flush=True)
        try:
            fit(module, writer, saved if kept else None)
        except SystemExit as stop:
            raise Interrupted(self._interrupted()) from stop

    def _interrupted(self) -> str:
        if not self.finished:
            return (
                f"{self.out}: {self.what} was interrupted in its first epoch, and nothing is left "
                f"of it; start again with `{self.command}`"
            )
        return (
            f"{self.out}: {self.what} was interrupted after {self.finished} of {self.epochs} "
            f"epochs, which are kept in {self.place}; the same command goes on with the next one"
        )

    def _check(self, file: Path) -> None:
        try:
            found = json.loads(file.read_text())
            others = [name for name, value in self.settings.items() if found[name] != value]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self.place}: not the folder of an unfinished {self.what}; move it away"
            ) from error
        if others:
            given = ", ".join(
                f"{name} {found[name]} and not {self.settings[name]}" for name in others
            )
            raise UserError(
                f"{self.place}: an unfinished {self.what} with {given}; start it as before to go "
                "on with it, or remove that folder"
            )
