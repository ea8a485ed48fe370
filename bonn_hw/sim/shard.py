# SPDX-License-Identifier: BSD-3-Clause
"""The processes of a simulation: each runs the simulator over its share of the frames."""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bonn_hw import tools
from bonn_hw.errors import UserError
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.progress import Progress
from bonn_hw.sim.build import Simulator
from bonn_hw.sim.hang import hang, surplus

RESULTS = ("out", "cycles", "frames")  # files that the simulator writes


class Shard:
    """The frames of one process of a simulation, and its files."""

    def __init__(self, folder: Path, first: int, frames: int) -> None:
        self.folder, self.first, self.frames = folder, first, frames
        self.done = 0  # frames that are complete
        self.last_line: list[str] = []
        self.errors = ""
        self.fatal = ""  # what the RTL itself ended with
        self.code = 0

    def command(self, simulator: Simulator, options: Mapping[str, object]) -> list[str]:
        """The simulator and its arguments."""
        files = [str(self.folder / name) for name in ("in", *RESULTS, "stalls")]
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
        ended = tools.Ended("the simulator", self.code or 0, self.errors, None)
        raise ended.error(f"the simulator ended with code {self.code}: {self.errors}")


def run_all(
    simulator: Simulator,
    shards: list[Shard],
    options: Mapping[str, object],
    folder: Path,
    progress: Progress,
    plus: Sequence[str] = (),
    at_once: int | None = None,
    finished: Callable[[Shard], None] | None = None,
) -> None:
    """Run all shards that are not done, in parallel; on any error, all processes are ended.

    Parameters
    ----------
    plus : sequence of str
        Arguments for Verilator's own runtime.
    at_once : int or None
        Number of processes at the same time; None: all.
    finished : callable or None
        Called with each shard that has ended well.
    """
    if not os.access(simulator.executable, os.X_OK):
        raise UserError(
            f"simulate: {simulator.executable} cannot be executed there "
            f"({os.strerror(errno.EACCES)}): name another cache folder with XDG_CACHE_HOME"
        )
    waiting = [shard for shard in shards if shard.done < shard.frames]
    before = sum(shard.done for shard in shards)
    kept = f", {before:,} frames kept" if before else ""
    total = sum(shard.frames for shard in shards)
    running: dict[Shard, tuple[threading.Thread, ExitStack]] = {}
    try:
        # The first failure ends all: the results of the others are useless then.
        while (running or waiting) and not any(shard.code for shard in shards):
            while waiting and len(running) < (at_once or len(shards)):
                shard, stack = waiting.pop(0), ExitStack()
                command = [*shard.command(simulator, options), *plus]
                process = stack.enter_context(tools.started(command, cwd=folder, patience_s=0))
                thread = threading.Thread(target=shard.follow, args=(process,), daemon=True)
                # In the reverse order: the pipes are closed last, when the thread has read them.
                stack.callback(thread.join)
                stack.callback(tools.end, process, patience_s=0)
                running[shard] = thread, stack
                thread.start()
            progress(f"RTL{kept}, frame {sum(shard.done for shard in shards)} of {total}")
            for thread, _ in running.values():
                thread.join(0.2)
            for shard in [one for one, (thread, _) in running.items() if not thread.is_alive()]:
                running.pop(shard)[1].close()
                if finished is not None and shard.code == 0:
                    finished(shard)
    finally:
        with ExitStack() as every:
            for _, stack in running.values():
                every.push(stack)


def full(place: Path) -> UserError:
    """The error for a full disk."""
    return UserError(
        f"simulate: no space left for {place}: make room there, or name another place (temporary "
        "files: with TMPDIR)"
    )
