# SPDX-License-Identifier: BSD-3-Clause
"""Add the figures of the simulator, of Yosys or of a bitstream tool to a report. Pure functions."""

from __future__ import annotations

from dataclasses import replace

from bonn_hw.kernels.cost import BRAM36_BITS
from bonn_hw.report.figures import PerResource
from bonn_hw.report.section_values import Implemented, Simulated, Synthesised
from bonn_hw.report.values import Implementation, Report
from bonn_hw.synth.netlist import Use


def with_simulated(report: Report, figures: Simulated) -> Report:
    """The report with the figures of a simulation."""
    layers = tuple(
        replace(layer, cycles=replace(layer.cycles, simulated=figures.layers.get(layer.name)))
        for layer in report.layers
    )
    return replace(
        report,
        comparison=figures.comparison,
        accuracy=figures.accuracy,
        cycles_per_frame=replace(report.cycles_per_frame, simulated=figures.cycles_per_frame),
        latency_cycles=replace(report.latency_cycles, simulated=figures.latency_cycles),
        layers=layers,
        tools={**report.tools, **figures.tools},
    )


def with_synthesised(report: Report, figures: Synthesised) -> Report:
    """The report with the figures of a synthesis, of the design or of some stages."""
    layers = tuple(
        replace(layer, synthesised=figures.stages.get(layer.name, layer.synthesised))
        for layer in report.layers
    )
    updated = replace(report, layers=layers, tools={**report.tools, **figures.tools})
    return updated if figures.whole is None else _with_whole(updated, figures.whole)


def _with_whole(report: Report, whole: Use) -> Report:
    amounts = zip(report.resources, (whole.lut, whole.ff, whole.bram36, whole.dsp), strict=True)
    memory = report.block_memory
    share = filled(memory.held_bits, whole.bram36)
    return replace(
        report,
        resources=PerResource(*(replace(one, synthesised=used) for one, used in amounts)),
        block_memory=replace(memory, filled=replace(memory.filled, synthesised=share)),
        synthesis=whole,
    )


def with_implemented(report: Report, figures: Implemented) -> Report:
    """The report with the figures of the tool that made a bitstream."""
    resources = PerResource(
        *(
            replace(
                one,
                implemented=made.implemented,
                implemented_accelerator=made.implemented_accelerator,
            )
            for one, made in zip(report.resources, figures.resources, strict=True)
        )
    )
    made = None
    if figures.bitstream is not None:
        made = Implementation(
            bitstream=figures.bitstream, timing=figures.timing, seconds=figures.seconds
        )
    tools = {**report.tools, "bitstream": figures.tool}
    return replace(report, resources=resources, tools=tools, implementation=made)


def filled(held_bits: float, bram36: float) -> float | None:
    """Fraction of the block memory bits that are used; None without block memory."""
    return round(held_bits / (bram36 * BRAM36_BITS), 3) if bram36 else None
