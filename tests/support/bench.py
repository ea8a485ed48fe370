# SPDX-License-Identifier: BSD-3-Clause
"""The bench of every kernel: its RTL alone against its reference and its promises."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bonn_hw.emit.top import emit
from bonn_hw.emit.write import write
from bonn_hw.ir.design import FoldedDesign, Stage
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.stream import pack, unpack
from bonn_hw.ir.tensor import Element, TensorType
from bonn_hw.sim.run import SimulationRun, simulate
from bonn_hw.timing.model import run_schedules
from tests.support.checks import checked

FRAMES = 8
STALLS = (None, 1, 2)


def lone_design(kernel: Kernel, folding: Folding) -> FoldedDesign:
    """A design of one stage."""
    (taken,), (given,) = kernel.inputs, kernel.outputs
    node = Node(f"{kernel.stem}_0", kernel, ("in",), ("out",), "bench")
    graph = DataflowGraph((node,), {"in": taken, "out": given}, "in", "out")
    return FoldedDesign(graph, (Stage(node, folding),)).check()


def random_values(kind: TensorType, frames: int, seed: int = 0) -> np.ndarray:
    """Frames of random values; the first two hold the lowest and the highest value throughout."""
    rng = np.random.default_rng(seed)
    element: Element = kind.element
    values = rng.integers(element.low, element.high + 1, (frames, *kind.shape))
    if element.bipolar:
        values = np.where(values > 0, 1, -1)
    values[0], values[1] = element.low, element.high
    return values


@dataclass(frozen=True, eq=False)
class Outcome:
    run: SimulationRun
    outputs: np.ndarray


def simulate_design(
    design: FoldedDesign,
    frames: np.ndarray,
    folder: Path,
    stall: int | None = None,
    state: int = 1,
    reset_after: int = 137,
    templates: Path | None = None,
) -> Outcome:
    """Simulate a design in ``folder``, all its streams checked, and decode what it gives."""
    project = checked(emit(design), design)
    write(project, folder, templates)
    beats = pack(frames, project.source.lanes, project.source.element)
    run = simulate(
        *(project, beats, len(frames)),
        folder=folder,
        templates=templates,
        stall=stall,
        state=state,
        reset_after=reset_after,
        timeout_cycles=100_000,
    )
    kind = design.graph.tensors[design.graph.output]
    outputs = unpack(run.outputs, project.sink.lanes, project.sink.element)
    return Outcome(run, outputs.reshape(-1, *kind.shape))


def prove(kernel: Kernel, folding: Folding, folder: Path, templates: Path | None = None) -> None:
    """Outputs, the cycle of every output beat and the interval, unstalled; outputs under stalls.

    Registers and memories start with random contents. Two of the three runs begin with a reset in
    the middle of a frame, which may leave nothing behind.
    """
    assert folding in kernel.foldings()
    design = lone_design(kernel, folding)
    frames = random_values(kernel.inputs[0], FRAMES)
    (expected,) = kernel.reference(frames)
    assert kernel.outputs[0].element.holds(expected)
    interval = kernel.cycles(folding)
    for stall, reset_after in zip(STALLS, (0, 5 * interval // 3, 7 * interval // 2), strict=True):
        state = 1 + (stall or 0)
        outcome = simulate_design(design, frames, folder, stall, state, reset_after, templates)
        np.testing.assert_array_equal(outcome.outputs, expected)
        if stall is None:
            model = run_schedules([kernel.schedule(folding)], FRAMES)
            np.testing.assert_array_equal(outcome.run.output_cycles, model.output_cycles)
            intervals = np.diff(model.last_out)[-3:]
            assert intervals.tolist() == [interval] * 3
