# SPDX-License-Identifier: BSD-3-Clause
"""Tables for `check`, `witness` and `sweep`: a model's kernels, a cross-check, designs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType

from bonn_hw.interop.crosscheck_report import BothEstimates, Crosscheck, LayerEstimates
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.report.grid import UNKNOWN, Column, grid, words
from bonn_hw.report.sweep_values import SweepRow
from bonn_hw.report.tables import count, predicted, rate

VERDICTS = {
    "equal": "every layer is equal",
    "defects": "every difference is a known defect of FINN, or follows from one",
    "differs": "there are differences that no known defect of FINN explains",
}


def show_kernels(graph: DataflowGraph, findings: Sequence[str], console: Console) -> None:
    """Print the kernels of a model's layers."""
    nodes = graph.nodes
    names = Column("kernel", [node.name for node in nodes], left=True)
    layers = Column("layer", [node.origin for node in nodes], left=True, folds=True)
    sides = (
        Column("input", [_listed(node.kernel.inputs) for node in nodes], left=True, folds=True),
        Column("output", [_listed(node.kernel.outputs) for node in nodes], left=True, folds=True),
    )
    title = f"{len(nodes)} kernels; the model can be compiled"
    notes = (words(f"note: {finding}") for finding in findings)
    console.print(Group(grid(title, names, [(layers,), sides], console), *notes))


def _listed(tensors: Sequence[object]) -> str:
    return ", ".join(map(str, tensors))


def show_crosscheck(result: Crosscheck, console: Console) -> None:
    """Print the comparison of a model's layers with FINN's."""
    frames, answers = result.frames, result.answers
    rounded = " (its float sums are rounded)" if answers.rounded_sums else ""
    parts: list[RenderableType] = [
        _differences(result, f"{frames.real} real and {frames.random} random frames", console),
        _estimates(result.estimates, console),
    ]
    parts += [
        words(f"{layer.node} ({layer.layer}): FINN {defect}")
        for layer in result.layers
        for defect in layer.defects
    ]
    parts += [words(f"input: FINN {defect}") for defect in result.input_defects]
    if result.not_in_finns_graph:
        missing = ", ".join(result.not_in_finns_graph)
        parts.append(
            words(f"not hardware in FINN's graph, compared by the answers only: {missing}")
        )
    parts.append(
        words(
            f"answers: {answers.frames_that_differ_from_reference} frames differ from the "
            f"reference's, {answers.frames_that_differ_from_qonnx} from qonnx's{rounded}; "
            f"FINN's are within {answers.largest_difference_from_finn:.1e} of the largest, and "
            f"{answers.classes_that_differ_from_finn} of its classes differ"
        )
    )
    console.print(Group(*parts, words(VERDICTS[result.verdict])))


def _differences(result: Crosscheck, frames: str, console: Console) -> Group:
    layers = result.layers
    names = Column("stage", [layer.layer for layer in layers], left=True)
    origins = Column("layer", [layer.origin for layer in layers], left=True, folds=True)
    nodes = Column("FINN's node", [layer.node for layer in layers], left=True)
    counts = (
        Column("values", [count(layer.values) for layer in layers]),
        Column("differ\nfrom FINN", [count(layer.finn) for layer in layers]),
        Column("on FINN's\ninputs", [count(layer.alone) for layer in layers]),
        Column("from\nQONNX", [count(layer.qonnx) for layer in layers]),
        Column("verdict", [layer.verdict for layer in layers], left=True),
    )
    return grid(f"{frames}: values that differ", names, [(origins, nodes), counts], console)


def _estimates(rows: Sequence[LayerEstimates], console: Console) -> Group:
    def pair(heading: str, resource: str, both: Sequence[BothEstimates]) -> tuple[Column, Column]:
        return (
            Column(heading, [predicted(resource, one.ours) for one in both]),
            Column("FINN", [predicted(resource, one.finn) for one in both]),
        )

    names = Column("stage", [row.layer for row in rows], left=True)
    folding = (
        Column("PE", [str(row.folding[0]) for row in rows]),
        Column("SIMD", [str(row.folding[1]) for row in rows]),
    )
    cycles = pair("cycles\nper frame", "cycles", [row.cycles for row in rows])
    logic = pair("LUT", "lut", [row.lut for row in rows])
    memory = pair("BRAM36", "bram36", [row.bram36 for row in rows])
    dsp = pair("DSP", "dsp", [row.dsp for row in rows])
    blocks = [folding, cycles, logic, (*memory, *dsp)]
    return grid("predicted, ours and FINN's", names, blocks, console)


def show_sweep(rows: Sequence[SweepRow], console: Console) -> None:
    """Print the designs of a sweep, and below the errors."""
    designs = [row.design for row in rows]
    names = Column("model", [row.model for row in rows], left=True)
    asked = (
        Column("board", [row.board for row in rows], left=True),
        Column("MHz", [f"{row.clock_mhz:g}" for row in rows]),
        Column("asked", [row.fps if row.fps == "max" else f"{row.fps:,g}" for row in rows]),
    )
    speed = (
        Column("frames/s", [rate(one.frames_per_second) if one else "refused" for one in designs]),
        Column("latency", [count(one.latency_cycles) if one else UNKNOWN for one in designs]),
    )
    used = [
        Column(
            name.upper(),
            [predicted(name, one.resources.named[name]) if one else UNKNOWN for one in designs],
        )
        for name in ("lut", "bram36", "dsp")
    ]
    fits = Column(
        "fits", [UNKNOWN if one is None else "yes" if one.fits else "no" for one in designs]
    )
    table = grid(f"{len(rows)} designs", names, [asked, speed, (*used, fits)], console)
    refused = (
        words(f"{Path(row.folder).name}: {row.error}") for row in rows if row.error is not None
    )
    console.print(Group(table, *refused))
