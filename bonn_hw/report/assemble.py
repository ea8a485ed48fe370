# SPDX-License-Identifier: BSD-3-Clause
"""Assemble the report of a plan or of a Pareto front; all figures are predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bonn_hw.boards import BOARDS
from bonn_hw.frontend import Note
from bonn_hw.frontend.notes import sentences
from bonn_hw.ir import target as aims
from bonn_hw.ir.resources import Resources
from bonn_hw.passes.fifo_sizing import depths_of
from bonn_hw.passes.folding import Choice
from bonn_hw.passes.plan import Plan, total
from bonn_hw.report.figures import Amount, Cycles, PerResource, Rate, Share
from bonn_hw.report.merge import filled
from bonn_hw.report.tools import versions
from bonn_hw.report.values import (
    BlockMemory,
    FifoDepth,
    Front,
    LayerNote,
    LayerReport,
    Model,
    Point,
    Report,
    Target,
)


def compiled(planned: Plan, target: aims.Target, model: Model, remarks: Sequence[Note]) -> Report:
    """The report of a build after compilation."""
    timing, used = planned.timing, total(planned.design)
    amounts = zip(used.astuple(), target.board.holds.astuple(), strict=True)
    share = Share(filled(used.block_bits, used.bram36), None)
    return Report(
        model=model,
        target=_target(target),
        cycles_per_frame=Cycles(timing.interval, None),
        latency_cycles=Cycles(timing.latency, None),
        frames_per_second=Rate(round(target.rate(timing.interval), 1)),
        resources=PerResource(
            *(Amount(predicted=round(amount, 1), available=holds) for amount, holds in amounts)
        ),
        block_memory=BlockMemory(round(used.block_bits), share),
        boards={
            name: not board.lacks(used)
            for name, board in {**BOARDS, target.board.name: target.board}.items()
        },
        optimum=planned.optimum,
        notes=planned.notes,
        layers=tuple(_layers(planned)),
        findings=(
            *sentences(remarks),
            *target.board.notes(target.clock_mhz),
            *_shortfall(target, timing.interval),
            *_misfits(used, target.board),
        ),
        layer_notes=layer_notes(remarks),
        tools=versions(),
    )


def layer_notes(remarks: Sequence[Note]) -> tuple[LayerNote, ...]:
    """Remarks of the lowering, with all their channels."""
    return tuple(
        LayerNote(layer=one.layer, kind=one.kind, channels=one.channels, of=one.of, sums=one.sums)
        for one in remarks
    )


def _layers(planned: Plan) -> Iterator[LayerReport]:
    depths = depths_of(planned.design)
    for stage, peak in zip(planned.design.stages, planned.timing.peaks, strict=True):
        output = stage.node.outputs[0]
        yield LayerReport(
            name=stage.name,
            kernel=stage.node.kernel.stem,
            origin=stage.node.origin,
            pe=stage.folding.pe,
            simd=stage.folding.simd,
            cycles=Cycles(stage.cycles, None),
            resources=_rounded(stage.node.kernel.resources(stage.folding)),
            fifo=FifoDepth(depths[output], peak) if output in depths else None,
        )


def front(choices: Sequence[Choice], target: aims.Target, model: Model) -> Front:
    """The report of a Pareto front; FIFOs are not counted."""
    return Front(
        model=model,
        target=_target(target),
        front=tuple(
            Point(
                frames_per_second=round(target.rate(choice.cycles), 1),
                cycles=choice.cycles,
                resources=_rounded(choice.resources),
                fits=not target.board.lacks(choice.resources),
            )
            for choice in choices
        ),
        findings=(
            "FIFOs are not counted: their depths are chosen when one of the designs is folded",
        ),
        tools=versions(),
    )


def _target(target: aims.Target) -> Target:
    return Target(target.board.name, target.board.part, target.clock_mhz, target.fps)


def _rounded(resources: Resources) -> PerResource[float]:
    return PerResource(*(round(amount, 1) for amount in resources.astuple()))


def _shortfall(target: aims.Target, interval: int) -> list[str]:
    """A finding if the stages together are slower than each alone."""
    reached = target.clock_mhz * 1e6 / interval
    if target.fps is None or reached >= target.fps:
        return []
    return [
        f"predicted to reach {reached:,.1f} frames per second, not {target.fps:,.1f}: ask for a "
        "slightly higher rate, so that all layers become faster"
    ]


def _misfits(total: Resources, board: aims.Board) -> list[str]:
    """Findings for each resource of which the board has too little."""
    return [
        f"predicted to need {used:,.0f} {name}, but {board.name} holds {holds:,.0f}: ask for fewer "
        "frames per second, or a larger board"
        for name, used, holds in board.lacks(total)
    ]
