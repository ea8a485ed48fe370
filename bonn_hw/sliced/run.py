# SPDX-License-Identifier: BSD-3-Clause
"""Simulate many frames in lockstep: an image in every bit of a vector, in several processes."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bonn_hw.files import scratch as scratch_folder
from bonn_hw.files import writing
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.ir.stream import words_a_beat
from bonn_hw.progress import Progress, silent
from bonn_hw.sim.run import SNAPSHOTS, SimulationRun, busy
from bonn_hw.sim.shard import Shard, run_all
from bonn_hw.sliced.build import build
from bonn_hw.synth.yosys import Job
from bonn_hw.timing.stalls import Stalls

VECTORS = 4  # at most: their values have to stay near the processor
ENOUGH = 4  # frames of each image's place: with fewer, filling the pipeline takes a large part
FRAMES = 3  # of each image's place, at least: the interval is measured between the last two


def simulate(
    project: RtlProject,
    beats: NDArray[np.uint32],
    frames: int,
    *,
    folder: Path,
    timeout_cycles: int,
    jobs: int = 1,
    stall: int | None = None,
    templates: Path | None = None,
    lanes: int | None = None,
    vectors: int | None = None,
    job: Job | None = None,
    fan_in: int | None = None,
    progress: Progress = silent,
) -> SimulationRun:
    """Simulate frames as `sim.run.simulate` does, with the same results.

    Each bit of a vector simulates its frames from reset, like a process there: the run's shards are
    those of the bits, of all processes.

    Parameters
    ----------
    lanes, fan_in : int or None
        Images of a vector, and the most inputs of a gate (`build.build`).
    vectors : int or None
        Vectors for which a process evaluates the control once; None: as many as are worth it.
    job : Job or None
        Simulate the netlist that this synthesis gives (`post_synthesis`). It has no probe: no stage
        has a count, and a hang names none that is right.

    Raises
    ------
    DataDependent
        If the control of the design depends on data.
    Hang, Surplus, ToolMissing, UserError
        As there.
    """
    gates = build(project, templates, progress, lanes, job, fan_in)
    simulator, lanes = gates.simulator, gates.lanes
    source, sink = project.source, project.sink
    words_in, words_out = beats.shape[1], words_a_beat(sink.lanes, sink.element)
    jobs = max(1, min(jobs, -(-frames // (lanes * FRAMES))))
    lanes *= vectors or max(1, min(VECTORS, frames // (lanes * jobs * ENOUGH)))
    depth = max(-(-frames // (lanes * jobs)), min(FRAMES, frames))  # frames of each bit
    stalls = Stalls.random(stall)
    with scratch_folder() as scratch:
        shards = [Shard(scratch / str(job), job * lanes * depth, depth) for job in range(jobs)]
        for shard in shards:
            # Bits without frames of their own repeat the first ones.
            number = (shard.first + np.arange(lanes * depth)) % frames
            part = beats.reshape(frames, source.beats, words_in)[number]
            # A beat of all images, one behind the other: what the harness takes for a beat.
            part = part.reshape(lanes, depth * source.beats, words_in).swapaxes(0, 1)
            with writing(scratch):
                shard.folder.mkdir()
                (shard.folder / "in").write_bytes(np.ascontiguousarray(part, "<u4").data)
                (shard.folder / "stalls").write_bytes(
                    stalls.offers.tobytes() + stalls.takes.tobytes()
                )
        options = {
            "beats_in": source.beats,
            "words_in": words_in * lanes,
            "beats_out": sink.beats,
            "words_out": words_out * lanes,
            "stages": len(project.probes),
            "timeout": timeout_cycles,
            "period": stalls.takes.size,
            "snapshots": SNAPSHOTS,
        }
        run_all(simulator, shards, options, folder, progress)
        for shard in sorted(shards, key=lambda shard: shard.code in (0, -signal.SIGKILL)):
            shard.raise_if_failed(project, None)
        outputs = [
            np.fromfile(shard.folder / "out", "<u4")
            .reshape(depth * sink.beats, lanes, words_out)
            .swapaxes(0, 1)
            .reshape(-1, words_out)
            for shard in shards
        ]
        cycles = np.fromfile(shards[0].folder / "cycles", "<i8")
        numbers = np.fromfile(shards[0].folder / "frames", "<i8")
        spent = [(int(shard.last_line[1]), float(shard.last_line[2])) for shard in shards]
    # The control is the same for all images: the cycles of one are those of all.
    first_in, first_out, last_out = (
        np.resize(column, frames) for column in numbers[: 3 * depth].reshape(-1, 3).T
    )
    return SimulationRun(
        np.concatenate(outputs)[: frames * sink.beats],
        np.resize(cycles, frames * sink.beats),
        first_in,
        first_out,
        last_out,
        tuple((first, min(depth, frames - first)) for first in range(0, frames, depth)),
        busy(numbers[3 * depth :], len(project.probes), depth * source.beats),
        sum(cycles for cycles, _ in spent),
        sum(seconds for _, seconds in spent),
        verilator="",
        lanes=lanes,
        netlist=job is not None,
    )
