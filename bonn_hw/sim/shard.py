# SPDX-License-Identifier: BSD-3-Clause
"""The processes of a simulation: each runs the simulator over its share of the frames."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from bonn_hw.errors import UserError
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.sim.build import Simulator
from bonn_hw.sim.hang import hang, surplus


class Shard:
    """One process and its files."""

    def __init__(self, folder: Path, first: int, frames: int) -> None:
        self.folder, self.first, self.frames = folder, first, frames
        self.done = 0  # frames that are out
        self.last_line: list[str] = []
        self.errors = ""
        self.code = 0

    def start(
        self, simulator: Simulator, options: Mapping[str, object], folder: Path
    ) -> subprocess.Popen[str]:
        """Start the simulator in the project's folder."""
        files = [str(self.folder / name) for name in ("in", "out", "cycles", "frames", "stalls")]
        words = [f"{key}={value}" for key, value in {**options, "frames": self.frames}.items()]
        try:
            return subprocess.Popen(
                [str(simulator.executable), *files, *words],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        except PermissionError as error:
            raise UserError(
                f"simulate: {simulator.executable} may not be run there ({error.strerror}): name "
                "another cache folder with XDG_CACHE_HOME"
            ) from error

    def follow(self, process: subprocess.Popen[str]) -> None:
        """Read what it tells until it ends."""
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            words = line.split()
            if words[:1] == ["frame"]:
                self.done = int(words[1])
            elif words[:1] in (["done"], ["hang"], ["surplus"]):
                self.last_line = words
        self.errors = process.stderr.read()
        self.code = process.wait()

    def raise_if_failed(self, project: RtlProject, trace: Path | None) -> None:
        """Turn its exit code into an exception."""
        if self.code == 0:
            return
        if self.code == 3:
            raise hang(project, self.last_line, self.frames)
        if self.code == 6:
            raise surplus(project, self.last_line, self.frames)
        if self.code == 5:
            raise full(self.folder.parent)
        # The FST writer aborts on a full disk, without saying why.
        if trace is not None and os.statvfs(trace.parent).f_bavail == 0:
            raise full(trace)
        raise RuntimeError(f"the simulator ended with code {self.code}: {self.errors}")


def run_all(
    simulator: Simulator,
    shards: list[Shard],
    options: Mapping[str, object],
    folder: Path,
    progress: Callable[[str], None],
) -> None:
    """Run all shards at the same time; no process is left behind, whatever happens."""
    processes: list[subprocess.Popen[str]] = []
    threads: list[threading.Thread] = []
    try:
        for shard in shards:
            processes.append(shard.start(simulator, options, folder))
            threads.append(threading.Thread(target=shard.follow, args=processes[-1:], daemon=True))
            threads[-1].start()
        total = sum(shard.frames for shard in shards)
        # The first failure ends all: the others' answers are of no use then.
        while any(thread.is_alive() for thread in threads) and not any(s.code for s in shards):
            progress(f"RTL, frame {sum(shard.done for shard in shards)} of {total}")
            for thread in threads:
                thread.join(0.2)
    finally:
        for process in processes:
            process.kill()
            process.wait()
        for thread in threads:
            thread.join()


def full(place: Path) -> UserError:
    """The error for a disk without room."""
    return UserError(
        f"simulate: no space left for {place}: make room there, or name another place (temporary "
        "files: with TMPDIR)"
    )
