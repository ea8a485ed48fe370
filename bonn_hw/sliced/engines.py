# SPDX-License-Identifier: BSD-3-Clause
"""Which simulator runs the RTL; the bit-sliced one is checked against Verilator in each run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import InternalError, UserError
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.progress import Progress, silent
from bonn_hw.sim import run as verilator
from bonn_hw.sim.run import SimulationRun
from bonn_hw.sliced import run as sliced
from bonn_hw.sliced.run import FRAMES

Engine = Literal["auto", "verilator", "sliced"]
ENGINES: tuple[Engine, ...] = ("auto", "verilator", "sliced")
# Cycles of all frames from which "auto" takes the bit-sliced engine: Verilator needs over a minute
# for them, and Yosys and the compiler need as long, once, for a large design.
ENOUGH = 100_000_000


def simulate(
    project: RtlProject,
    beats: NDArray[np.uint32],
    frames: int,
    *,
    engine: Engine,
    cycles: int,
    folder: Path,
    timeout_cycles: int,
    jobs: int = 1,
    stall: int | None = None,
    trace: Path | None = None,
    templates: Path | None = None,
    batch: int | None = None,
    progress: Progress = silent,
) -> SimulationRun:
    """Simulate frames with an engine; the other parameters are those of `sim.run.simulate`.

    Parameters
    ----------
    engine : "auto", "verilator" or "sliced"
        "auto": the bit-sliced engine for `ENOUGH` cycles, where it can be used; else Verilator.
    cycles : int
        Predicted cycles of a frame.

    Raises
    ------
    DataDependent, UserError
        If the bit-sliced engine is asked for and cannot simulate the design, or write waveforms.
    InternalError
        If the engines differ.
    """

    def by_verilator(some: int) -> SimulationRun:
        return verilator.simulate(
            project,
            beats[: some * project.source.beats],
            some,
            folder=folder,
            timeout_cycles=timeout_cycles,
            jobs=jobs if some == frames else 1,
            stall=stall,
            trace=trace,
            templates=templates,
            batch=batch if some == frames else None,
            progress=progress,
        )

    if engine == "sliced" and trace is not None:
        raise UserError(
            f"simulate: --trace {trace} needs --engine verilator: the bit-sliced engine has no "
            "waveforms"
        )
    few = frames * cycles < ENOUGH
    if engine == "verilator" or (engine == "auto" and (few or trace is not None)):
        return by_verilator(frames)
    try:
        run = sliced.simulate(
            project,
            beats,
            frames,
            folder=folder,
            timeout_cycles=timeout_cycles,
            jobs=jobs,
            stall=stall,
            templates=templates,
            progress=progress,
        )
    except UserError as error:  # also a missing tool, or control that depends on data
        if engine == "sliced":
            raise
        progress(f"Verilator, for {error}")
        return by_verilator(frames)
    # The first image's place has at least as many frames, or all.
    return checked(run, by_verilator(min(FRAMES, frames)), project)


def checked(run: SimulationRun, witness: SimulationRun, project: RtlProject) -> SimulationRun:
    """The run with the witness's name, if its first frames are equal; else InternalError."""
    known = len(witness.output_cycles)
    for what, ours, theirs in (
        ("output", run.outputs[:known], witness.outputs),
        ("cycle", run.output_cycles[:known, None], witness.output_cycles[:, None]),
    ):
        different = np.flatnonzero((ours != theirs).any(axis=1))
        if different.size:
            frame, beat = divmod(int(different[0]), project.sink.beats)
            raise InternalError(
                f"the bit-sliced engine and Verilator differ in the {what} of beat {beat} of frame "
                f"{frame}: simulate with --engine verilator"
            )
    return replace(run, verilator=witness.verilator)
