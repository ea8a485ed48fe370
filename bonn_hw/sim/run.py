# SPDX-License-Identifier: BSD-3-Clause
"""Simulate frames in several processes; inputs and outputs are arrays of all frames."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bonn_hw.files import scratch as scratch_folder
from bonn_hw.files import writing
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.ir.stream import words_a_beat
from bonn_hw.progress import Progress, silent
from bonn_hw.sim.batches import identity, kept_batches
from bonn_hw.sim.build import build, state_options
from bonn_hw.sim.shard import Shard, run_all
from bonn_hw.sim.waves import wave_file
from bonn_hw.timing.stalls import Stalls

SNAPSHOTS = 48  # the probe's counts are stored at the ends of this many frames of each process


@dataclass(frozen=True, eq=False)
class SimulationRun:
    """The result of a simulation of the RTL.

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
        Busy cycles per frame of each stage: the maximum of its counts of input beats, steps and
        output beats. They are counted in the last frame interval in which input was still
        arriving; in runs too short for that, they are the average per frame, rounded down.
    cycles, seconds
        Simulated cycles and processor time of all processes together.
    verilator : str
        Version of Verilator.
    kept : int
        Frames whose results are those of an earlier simulation that was interrupted.
    lanes : int
        Images in lockstep: more than one in the bit-sliced engine, whose control is proved not to
        depend on data.
    netlist : bool
        Whether this was the netlist of a synthesis, in place of the RTL.
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
    kept: int = 0
    lanes: int = 1
    netlist: bool = False

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
        """Simulated cycles per second of one process."""
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
    streams_only: bool = False,
    state: int | None = None,
    reset_after: int = 0,
    batch: int | None = None,
    progress: Progress = silent,
) -> SimulationRun:
    """Simulate ``frames`` frames.

    Parameters
    ----------
    beats : uint32 ``(frames * source beats, words)``
        Input beats, as `ir.stream.pack` makes them.
    folder : Path
        Folder of the project, with its memory images.
    timeout_cycles : int
        The RTL hangs if no beat moves at either end for this many cycles.
    jobs : int
        Number of processes; each simulates its share of the frames from reset.
    stall : int or None
        Seed of random gaps on the input and stalls of the output (`timing.stalls.Stalls`).
    trace : Path or None
        Wave file, ``.fst`` or ``.vcd``, of one process that simulates all frames. It is also
        written when the RTL hangs.
    streams_only : bool
        The wave file, a .vcd, has the signals of the top module alone (`recorded` reads it).
    state : int or None
        Seed of the random contents, from 1 on, that registers and memories start with; None: zeros.
    reset_after : int
        First this many cycles of the same frames, then a reset of one cycle, then the run.
    batch : int or None
        A simulation of more frames is split into batches of at most this many, and each is kept
        until the end: an interrupted simulation goes on with them. None, or with ``trace``: one
        part for each process, and nothing is kept.

    Raises
    ------
    Interrupted
        After Ctrl-C, if batches are kept.
    Hang
        If the RTL stops moving before all frames are in and out.
    Surplus
        If a whole frame comes after the last one.
    ToolMissing, UserError
        If a tool is missing or a place cannot be written.
    """
    source, sink = project.source, project.sink
    if beats.shape != (frames * source.beats, words_a_beat(source.lanes, source.element)):
        raise ValueError(f"{frames} frames of {source.beats} beats do not fit {beats.shape}")
    kind = None if trace is None else "streams" if streams_only else trace.suffix[1:]
    simulator = build(project, kind, templates, progress, random_state=state is not None)
    at_once = count = max(1, min(1 if trace else jobs, frames))
    if trace is not None or (batch is not None and frames <= batch):
        batch = None
    if batch is not None:
        count = max(count, -(-frames // batch))
    bounds = [frames * place // count for place in range(count + 1)]
    stalls = Stalls.random(stall)
    pattern = stalls.offers.tobytes() + stalls.takes.tobytes()
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder())
        wave = stack.enter_context(wave_file(trace))
        shards = [
            Shard(scratch / str(place), first, last - first)
            for place, (first, last) in enumerate(pairwise(bounds))
        ]
        plus = [] if state is None else state_options(state)
        words = (pattern, *(word.encode() for word in (*plus, str(reset_after))))
        key = None if batch is None else identity(simulator, project, beats, words)
        kept = stack.enter_context(kept_batches(key, frames))
        for shard in shards:
            part = beats[shard.first * source.beats : (shard.first + shard.frames) * source.beats]
            with writing(scratch):
                shard.folder.mkdir()
                if kept.restore(shard):
                    continue
                (shard.folder / "in").write_bytes(np.ascontiguousarray(part, "<u4").data)
                (shard.folder / "stalls").write_bytes(pattern)
        options = {
            "beats_in": source.beats,
            "words_in": beats.shape[1],
            "beats_out": sink.beats,
            "words_out": words_a_beat(sink.lanes, sink.element),
            "stages": len(project.probes),
            "timeout": timeout_cycles,
            "period": stalls.takes.size,
            "snapshots": SNAPSHOTS,
            "trace": wave,
            "reset_after": reset_after,
        }
        earlier = kept.frames
        run_all(simulator, shards, options, folder, progress, plus, at_once, kept.keep)
        # Report the shard that failed first, not those that were killed because of it.
        for shard in sorted(shards, key=lambda shard: shard.code in (0, -signal.SIGKILL)):
            shard.raise_if_failed(project, trace)
        return replace(_collect(project, shards, simulator.verilator), kept=earlier)


def _collect(project: RtlProject, shards: list[Shard], version: str) -> SimulationRun:
    sink, stages = project.sink, len(project.probes)
    words = words_a_beat(sink.lanes, sink.element)
    outputs, cycles, rows = [], [], []
    for shard in shards:
        outputs.append(np.fromfile(shard.folder / "out", "<u4").reshape(-1, words))
        cycles.append(np.fromfile(shard.folder / "cycles", "<i8"))
        numbers = np.fromfile(shard.folder / "frames", "<i8")
        rows.append(numbers[: 3 * shard.frames].reshape(-1, 3))
        if shard.frames == max(one.frames for one in shards):
            offered = shard.frames * project.source.beats
            counted = busy(numbers[3 * shard.frames :], stages, offered)
    first_in, first_out, last_out = np.concatenate(rows).T
    return SimulationRun(
        np.concatenate(outputs),
        np.concatenate(cycles),
        first_in,
        first_out,
        last_out,
        tuple((shard.first, shard.frames) for shard in shards),
        counted,
        sum(int(shard.last_line[1]) for shard in shards),
        sum(float(shard.last_line[2]) for shard in shards),
        version,
    )


def busy(numbers: NDArray[np.int64], stages: int, offered: int) -> tuple[int, ...]:
    """Busy cycles per frame of each stage, from the harness's snapshots.

    Parameters
    ----------
    numbers
        The rows of all snapshots, one behind the other.
    offered : int
        Input beats of the process.
    """
    snapshots = numbers.reshape(-1, 1 + 3 * stages)
    fed, counts = snapshots[:, 0] < offered, snapshots[:, 1:].reshape(-1, stages, 3)
    steady = int(fed.sum())  # number of first frames that ended while input was still arriving
    known = steady >= 2
    moved = counts[steady - 1] - counts[steady - 2] if known else counts[-1] // len(counts)
    return tuple(int(most) for most in moved.max(axis=1))
