# SPDX-License-Identifier: BSD-3-Clause
"""Run a simulator over frames, split over processes; whole arrays go in and come out."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import Hang, UserError
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.ir.stream import words_a_beat
from bonn_hw.sim.build import Simulator, build

SNAPSHOTS = 48  # frames of each process at whose ends the probe's counts are kept


@dataclass(frozen=True, eq=False)
class SimulationRun:
    """What the RTL did.

    Every process simulates its frames from reset; cycle numbers count from the reset of the
    process that simulated the frame.

    Attributes
    ----------
    outputs : uint32 ``(frames * beats, words)``
        Output beats (`ir.stream.unpack` reads them).
    output_cycles : int64 ``(frames * beats,)``
        Cycle of every output beat.
    first_in, first_out, last_out : int64 ``(frames,)``
        Cycle of each frame's first input beat, first and last output beat.
    shards : tuple of (first frame, frames)
        Which frames ran in the same process.
    stage_cycles : tuple of int
        Per stage, cycles of one frame interval in which it was busy: the most of the input beats,
        steps and output beats that it moved. Taken in the last interval in which input was still
        coming; in runs too short for that, the average a frame, rounded down.
    cycles, seconds
        Simulated cycles and processor time of all processes together.
    verilator : str
        Version.
    """

    outputs: NDArray[np.uint32]
    output_cycles: NDArray[np.int64]
    first_in: NDArray[np.int64]
    first_out: NDArray[np.int64]
    last_out: NDArray[np.int64]
    shards: tuple[tuple[int, int], ...]
    stage_cycles: tuple[int, ...]
    cycles: int
    seconds: float
    verilator: str

    @property
    def interval(self) -> int | None:
        """Cycles between the last beats of the last two frames of a process; None for one frame."""
        start, count = max(self.shards, key=lambda shard: shard[1])
        if count < 2:
            return None
        return int(self.last_out[start + count - 1] - self.last_out[start + count - 2])

    @property
    def latency(self) -> int:
        """Cycles from the first input beat to the first output beat of the first frame."""
        return int(self.first_out[0] - self.first_in[0])

    @property
    def cycles_per_second(self) -> float:
        """Simulated cycles a second of one process."""
        return self.cycles / self.seconds


def simulate(
    project: RtlProject,
    beats: NDArray[np.uint32],
    frames: int,
    *,
    folder: Path,
    timeout_cycles: int,
    jobs: int = 1,
    stall: int | None = None,
    trace: Path | None = None,
    templates: Path | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> SimulationRun:
    """Simulate ``frames`` frames.

    Parameters
    ----------
    beats : uint32 ``(frames * source beats, words)``
        Input beats, as `ir.stream.pack` makes them.
    folder : Path
        Where the project is written: memory images are read from there.
    timeout_cycles : int
        Cycles without any beat in or out after which the RTL counts as hanging.
    jobs : int
        Processes; each simulates its share of the frames from reset.
    stall : int or None
        Seed of random gaps on the input (1 of 4 cycles) and stalls of the output (1 of 2).
    trace : Path or None
        Wave file, ``.fst`` or ``.vcd``, of one process that simulates all frames.

    Raises
    ------
    Hang
        If the RTL stops moving.
    ToolMissing, UserError
        If a tool is missing or a place cannot be written.
    """
    source, sink = project.source, project.sink
    if beats.shape != (frames * source.beats, words_a_beat(source.lanes, source.element)):
        raise ValueError(f"{frames} frames of {source.beats} beats do not fit {beats.shape}")
    simulator = build(project, trace.suffix[1:] if trace else None, templates, progress)
    count = max(1, min(1 if trace else jobs, frames))
    bounds = [frames * place // count for place in range(count + 1)]
    with tempfile.TemporaryDirectory(prefix="bonn_hw-") as scratch:
        shards = [
            _Shard(Path(scratch) / str(place), first, last - first)
            for place, (first, last) in enumerate(pairwise(bounds))
        ]
        for shard in shards:
            shard.folder.mkdir()
            part = beats[shard.first * source.beats : (shard.first + shard.frames) * source.beats]
            part.tofile(shard.folder / "in")
        options = {
            "beats_in": source.beats,
            "words_in": beats.shape[1],
            "beats_out": sink.beats,
            "words_out": words_a_beat(sink.lanes, sink.element),
            "stages": len(project.probes),
            "timeout": timeout_cycles,
            "stall": -1 if stall is None else stall,
            "snapshots": SNAPSHOTS,
            "trace": str(trace.resolve()) if trace else "",
        }
        _run_all(simulator, shards, options, folder, progress)
        for shard in shards:
            shard.raise_if_failed(project, frames)
        return _collect(project, shards, simulator.verilator)


class _Shard:
    """One process and its files."""

    def __init__(self, folder: Path, first: int, frames: int) -> None:
        self.folder, self.first, self.frames = folder, first, frames
        self.done = 0  # frames that are out
        self.last_line: list[str] = []
        self.errors = ""
        self.code = 0

    def start(
        self, simulator: Simulator, options: dict[str, int | str], folder: Path
    ) -> subprocess.Popen[str]:
        files = [str(self.folder / name) for name in ("in", "out", "cycles", "frames")]
        words = [f"{key}={value}" for key, value in (options | {"frames": self.frames}).items()]
        return subprocess.Popen(
            [str(simulator.executable), *files, *words],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def follow(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            words = line.split()
            if words[:1] == ["frame"]:
                self.done = int(words[1])
            elif words[:1] in (["done"], ["hang"]):
                self.last_line = words
        self.errors = process.stderr.read()
        self.code = process.wait()

    def raise_if_failed(self, project: RtlProject, frames: int) -> None:
        if self.code == 0:
            return
        if self.code == 3:
            raise Hang(_hang_text(project, self.last_line, self.frames))
        if self.code == 5:
            raise UserError(
                f"simulate: no space left in {self.folder.parent}: make room there, or name "
                "another temporary folder with TMPDIR"
            )
        raise RuntimeError(f"the simulator ended with code {self.code}: {self.errors}")


def _run_all(
    simulator: Simulator,
    shards: list[_Shard],
    options: dict[str, int | str],
    folder: Path,
    progress: Callable[[str], None],
) -> None:
    processes = [shard.start(simulator, options, folder) for shard in shards]
    threads = [
        threading.Thread(target=shard.follow, args=(process,), daemon=True)
        for shard, process in zip(shards, processes, strict=True)
    ]
    try:
        for thread in threads:
            thread.start()
        total = sum(shard.frames for shard in shards)
        while any(thread.is_alive() for thread in threads):
            progress(f"RTL, frame {sum(shard.done for shard in shards)} of {total}")
            for thread in threads:
                thread.join(0.2)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _collect(project: RtlProject, shards: list[_Shard], version: str) -> SimulationRun:
    sink, stages = project.sink, len(project.probes)
    words = words_a_beat(sink.lanes, sink.element)
    outputs, cycles, rows = [], [], []
    for shard in shards:
        outputs.append(np.fromfile(shard.folder / "out", "<u4").reshape(-1, words))
        cycles.append(np.fromfile(shard.folder / "cycles", "<i8"))
        numbers = np.fromfile(shard.folder / "frames", "<i8")
        rows.append(numbers[: 3 * shard.frames].reshape(-1, 3))
        if shard.frames == max(one.frames for one in shards):
            snapshots = numbers[3 * shard.frames :].reshape(-1, 1 + 3 * stages)
            offered = shard.frames * project.source.beats
            busy = _busy(snapshots[:, 0] < offered, snapshots[:, 1:].reshape(-1, stages, 3))
    first_in, first_out, last_out = np.concatenate(rows).T
    return SimulationRun(
        np.concatenate(outputs),
        np.concatenate(cycles),
        first_in,
        first_out,
        last_out,
        tuple((shard.first, shard.frames) for shard in shards),
        busy,
        sum(int(shard.last_line[1]) for shard in shards),
        sum(float(shard.last_line[2]) for shard in shards),
        version,
    )


def _busy(fed: NDArray[np.bool_], counts: NDArray[np.int64]) -> tuple[int, ...]:
    """Busy cycles a frame of each stage from counts ``(snapshots, stages, 3)``."""
    steady = int(fed.sum())  # the first so many frames ended while input was still coming
    known = steady >= 2
    moved = counts[steady - 1] - counts[steady - 2] if known else counts[-1] // len(counts)
    return tuple(int(most) for most in moved.max(axis=1))


def _hang_text(project: RtlProject, line: list[str], frames: int) -> str:
    """Say what stands still; counts beside each other show where beats are held."""
    cycle, moved, sent, got, *counts = map(int, line[1:])
    taken, given = counts[0::3], counts[2::3]
    rows = "\n".join(
        f"  {name}: {a} beats taken, {b} beats given"
        for name, a, b in zip(project.probes, taken, given, strict=True)
    )
    return (
        f"the RTL hangs: no beat moved at either end after cycle {moved} (waited until cycle "
        f"{cycle}); input stream: {sent} of {frames * project.source.beats} beats sent; output "
        f"stream: {got} of {frames * project.sink.beats} beats received; inside:\n{rows}"
    )


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))
