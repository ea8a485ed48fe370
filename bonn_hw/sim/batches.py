# SPDX-License-Identifier: BSD-3-Clause
"""Batches of a long simulation: each is kept until all are done, so that it can be interrupted.

A batch is the frames of one process, from reset. Its results depend on nothing but the simulator,
the memory images, the beats and the stalls. So a simulation that goes on with the batches of an
interrupted one ends with the same results as one that was never interrupted.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw import cache
from bonn_hw.errors import Interrupted
from bonn_hw.files import file_aside
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.sim.build import Simulator
from bonn_hw.sim.shard import RESULTS, Shard


class Kept:
    """The batches of one simulation that are done.

    Parameters
    ----------
    folder : Path or None
        Has a file for each; None: nothing can be kept. See `cache.unfinished`.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.frames = 0  # in the batches that are kept

    def restore(self, shard: Shard) -> bool:
        """Give a shard the results of an earlier process; whether there are any."""
        if self.folder is None:
            return False
        try:
            with np.load(self._file(self.folder, shard)) as stored:
                contents = {name: stored[name].tobytes() for name in RESULTS}
                last = str(stored["last"])
        # None, or a damaged one.
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            return False
        for name, content in contents.items():
            (shard.folder / name).write_bytes(content)
        shard.done, shard.last_line = shard.frames, last.split()
        self.frames += shard.frames
        return True

    def keep(self, shard: Shard) -> None:
        """Keep the results of a shard that has ended well."""
        if self.folder is None:
            return
        parts: dict[str, Any] = {
            name: np.fromfile(shard.folder / name, np.uint8) for name in RESULTS
        }
        parts["last"] = np.array(" ".join(shard.last_line))
        with (
            suppress(OSError),  # the disk may be full: the simulation itself goes on
            file_aside(self._file(self.folder, shard)) as partial,
            partial.open("wb") as stream,
        ):
            np.savez(stream, **parts)
            self.frames += shard.frames

    @staticmethod
    def _file(folder: Path, shard: Shard) -> Path:
        return folder / f"{shard.first}_{shard.frames}.npz"


def identity(
    simulator: Simulator, project: RtlProject, beats: NDArray[np.uint32], others: Iterable[bytes]
) -> str:
    """The digest of everything that determines the results of a simulation.

    Parameters
    ----------
    others
        Contents of the stalls, and what else the processes are given.
    """
    # The folder of a simulator is named after the digest of the RTL and of the tools.
    parts: list[str | bytes] = [simulator.executable.parent.name]
    for name in sorted(project.files):  # with the memory images
        parts += [name, project.files[name]]
    return cache.digest(*parts, np.ascontiguousarray(beats).tobytes(), *others)


@contextmanager
def kept_batches(key: str | None, frames: int) -> Iterator[Kept]:
    """The batches of a simulation; they are removed at its end.

    Parameters
    ----------
    key : str or None
        The simulation's `identity`; None: it is short, and nothing is kept.
    frames : int
        Of the whole simulation.

    Raises
    ------
    Interrupted
        In place of Ctrl-C or SIGTERM: it says how many frames are kept.
    """
    with nullcontext() if key is None else cache.unfinished(key) as folder:
        kept = Kept(folder)
        try:
            yield kept
        except (KeyboardInterrupt, SystemExit) as stop:
            if not kept.frames:
                raise
            raise Interrupted(
                f"interrupted; {kept.frames:,} of {frames:,} frames are simulated and kept: the "
                "same command goes on with the others"
            ) from stop
