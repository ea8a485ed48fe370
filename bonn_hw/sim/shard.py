# SPDX-License-Identifier: BSD-3-Clause
"""The processes of a simulation: each runs the simulator over its share of the frames."""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bonn_hw import tools
from bonn_hw.errors import UserError
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.progress import Progress
from bonn_hw.sim.build import Simulator
from bonn_hw.sim.hang import hang, surplus


class Shard:
    """One process of a simulation, and its files."""

    def __init__(self, folder: Path, first: int, frames: int) -> None:
        self.folder, self.first, self.frames = folder, first, frames
        self.done = 0  # frames that are complete
        self.last_line: list[str] = []
        self.errors = ""
        self.fatal = ""  # what the RTL itself ended with
        self.code = 0

    def command(self, simulator: Simulator, options: Mapping[str, object]) -> list[str]:
        """The simulator and its arguments."""
        files = [str(self.folder / name) for name in ("in", "out", "cycles", "frames", "stalls")]
        words = [f"{key}={value}" for key, value in {**options, "frames": self.frames}.items()]
        return [str(simulator.executable), *files, *words]

    def follow(self, process: tools.Process) -> None:
        """Read the output of the process until it ends."""
        for line in process.stdout or ():
            words = line.decode(errors="replace").split()
            if words[:1] == ["frame"]:
                self.done = int(words[1])
            elif words[:1] in (["done"], ["hang"], ["surplus"]):
                self.last_line = words
            elif "%Fatal:" in words:  # Verilator's word for $fatal, behind the time
                self.fatal = line.decode(errors="replace").strip()
        self.errors = process.stderr.read().decode(errors="replace") if process.stderr else ""
        self.code = process.wait()

    def raise_if_failed(self, project: RtlProject, trace: Path | None) -> None:
        """Raise the exception for the exit code of the process."""
        if self.code == 0:
            return
        if self.code == 3:
            raise hang(project, self.last_line, self.frames)
        if self.code == 6:
            raise surplus(project, self.last_line, self.frames)
        if self.code == 5:
            raise full(self.folder.parent)
        found = re.search(r"the memory image .*", self.fatal)
        if found:  # of cells/rom.sv
            raise UserError(f"simulate: {found[0]}: compile the model again")
        # The FST writer aborts on a full disk, without saying why.
        if trace is not None and os.statvfs(trace.parent).f_bavail == 0:
            raise full(trace)
        raise RuntimeError(f"the simulator ended with code {self.code}: {self.errors}")


def run_all(
    simulator: Simulator,
    shards: list[Shard],
    options: Mapping[str, object],
    folder: Path,
    progress: Progress,
    plus: Sequence[str] = (),
) -> None:
    """Run all shards in parallel; on any error, all processes are ended.

    Parameters
    ----------
    plus : sequence of str
        Arguments for Verilator's own runtime.
    """
    if not os.access(simulator.executable, os.X_OK):
        raise UserError(
            f"simulate: {simulator.executable} cannot be executed there "
            f"({os.strerror(errno.EACCES)}): name another cache folder with XDG_CACHE_HOME"
        )
    followed: list[tuple[tools.Process, threading.Thread]] = []
    with ExitStack() as stack:
        try:
            for shard in shards:
                command = [*shard.command(simulator, options), *plus]
                process = stack.enter_context(tools.started(command, cwd=folder, patience_s=0))
                thread = threading.Thread(target=shard.follow, args=(process,), daemon=True)
                thread.start()
                followed.append((process, thread))
            total = sum(shard.frames for shard in shards)
            # The first failure ends all: the results of the others are useless then.
            while any(t.is_alive() for _, t in followed) and not any(s.code for s in shards):
                progress(f"RTL, frame {sum(shard.done for shard in shards)} of {total}")
                for _, thread in followed:
                    thread.join(0.2)
        finally:
            for process, _ in followed:
                tools.end(process, patience_s=0)
            for _, thread in followed:  # before the pipes are closed
                thread.join()


def full(place: Path) -> UserError:
    """The error for a full disk."""
    return UserError(
        f"simulate: no space left for {place}: make room there, or name another place (temporary "
        "files: with TMPDIR)"
    )
