# SPDX-License-Identifier: BSD-3-Clause
"""Which simulator runs the RTL; the bit-sliced one is checked against Verilator in each run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import Hang, InternalError, UserError
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.progress import Progress, silent
from bonn_hw.sim import run as verilator
from bonn_hw.sim.run import SimulationRun
from bonn_hw.sliced import run as sliced
from bonn_hw.sliced.run import FRAMES
from bonn_hw.synth.yosys import Job

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
    job: Job | None = None,
    progress: Progress = silent,
) -> SimulationRun:
    """Simulate frames with an engine; the other parameters are those of `sim.run.simulate`.

    Parameters
    ----------
    engine : "auto", "verilator" or "sliced"
        "auto": the bit-sliced engine for `ENOUGH` cycles, where it can be used; else Verilator.
    cycles : int
        Predicted cycles of a frame.
    job : Job or None
        Simulate the netlist that this synthesis gives, and the RTL as its witness. The netlist has
        no probe: the busy cycles of stages are those of the RTL.

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

    def by_gates() -> SimulationRun:
        return sliced.simulate(
            project,
            beats,
            frames,
            folder=folder,
            timeout_cycles=timeout_cycles,
            jobs=jobs,
            stall=stall,
            templates=templates,
            job=job,
            progress=progress,
        )

    if engine == "sliced" and trace is not None:
        raise UserError(
            f"simulate: --trace {trace} needs --engine verilator: the bit-sliced engine has no "
            "waveforms"
        )
    if job is not None:
        if engine == "verilator" or trace is not None:
            raise UserError(
                "simulate: --netlist is for the bit-sliced engine, which has no waveforms: leave "
                "out --engine and --trace"
            )
        witness = by_verilator(min(FRAMES, frames))  # the RTL has to be right first
        try:
            run = by_gates()
        except Hang as error:
            raise InternalError(
                "simulate: the netlist stops, and the RTL does not: please report it, with the "
                "build's folder"
            ) from error
        return replace(
            checked(run, witness, project, "the netlist", "the RTL"),
            stage_cycles=witness.stage_cycles,
        )
    few = frames * cycles < ENOUGH
    if engine == "verilator" or (engine == "auto" and (few or trace is not None)):
        return by_verilator(frames)
    try:
        run = by_gates()
    except UserError as error:  # also a missing tool, or control that depends on data
        if engine == "sliced":
            raise
        progress(f"Verilator, for {error}")
        return by_verilator(frames)
    # The first image's place has at least as many frames, or all.
    return checked(run, by_verilator(min(FRAMES, frames)), project)


def checked(
    run: SimulationRun,
    witness: SimulationRun,
    project: RtlProject,
    one: str = "the bit-sliced engine",
    other: str = "Verilator",
) -> SimulationRun:
    """The run with the witness's version, if its first frames are equal; else InternalError.

    Parameters
    ----------
    one, other : str
        What the run and its witness are called.
    """
    known = len(witness.output_cycles)
    for what, ours, theirs in (
        ("output", run.outputs[:known], witness.outputs),
        ("cycle", run.output_cycles[:known, None], witness.output_cycles[:, None]),
    ):
        different = np.flatnonzero((ours != theirs).any(axis=1))
        if different.size:
            frame, beat = divmod(int(different[0]), project.sink.beats)
            raise InternalError(
                f"{one} and {other} differ in the {what} of beat {beat} of frame {frame}: simulate "
                "with --engine verilator"
            )
    return replace(run, verilator=witness.verilator)
