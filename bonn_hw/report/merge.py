# SPDX-License-Identifier: BSD-3-Clause
"""A report with what the simulator, Yosys or a bitstream's tool found. Pure functions."""

from __future__ import annotations

from dataclasses import replace

from bonn_hw.kernels.cost import BRAM36_BITS
from bonn_hw.report.figures import PerResource
from bonn_hw.report.section_values import Implemented, Simulated, Synthesised
from bonn_hw.report.values import Implementation, Report
from bonn_hw.synth.netlist import Use


def with_simulated(report: Report, found: Simulated) -> Report:
    """The report with the figures of a simulation."""
    layers = tuple(
        replace(layer, cycles=replace(layer.cycles, simulated=found.layers.get(layer.name)))
        for layer in report.layers
    )
    return replace(
        report,
        comparison=found.comparison,
        accuracy=found.accuracy,
        cycles_per_frame=replace(report.cycles_per_frame, simulated=found.cycles_per_frame),
        latency_cycles=replace(report.latency_cycles, simulated=found.latency_cycles),
        layers=layers,
        tools={**report.tools, **found.tools},
    )


def with_synthesised(report: Report, found: Synthesised) -> Report:
    """The report with the figures of a synthesis, of the design or of some stages."""
    layers = tuple(
        replace(layer, synthesised=found.stages.get(layer.name, layer.synthesised))
        for layer in report.layers
    )
    told = replace(report, layers=layers, tools={**report.tools, **found.tools})
    return told if found.whole is None else _with_whole(told, found.whole)


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


def with_implemented(report: Report, found: Implemented) -> Report:
    """The report with the figures of the tool that made a bitstream."""
    resources = PerResource(
        *(
            replace(
                one,
                implemented=made.implemented,
                implemented_accelerator=made.implemented_accelerator,
            )
            for one, made in zip(report.resources, found.resources, strict=True)
        )
    )
    made = None
    if found.bitstream is not None:
        made = Implementation(bitstream=found.bitstream, timing=found.timing, seconds=found.seconds)
    tools = {**report.tools, "bitstream": found.tool}
    return replace(report, resources=resources, tools=tools, implementation=made)


def filled(held_bits: float, bram36: float) -> float | None:
    """Part of block memories that holds anything; None where there is no block memory."""
    return round(held_bits / (bram36 * BRAM36_BITS), 3) if bram36 else None
