# SPDX-License-Identifier: BSD-3-Clause
"""Reports as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table

from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.report.values import RESOURCES

ESTIMATED = ("lut", "bram36", "dsp")  # FINN estimates no FF


def show(facts: dict[str, Any], console: Console) -> None:
    """Print the tables of a report."""
    if "front" in facts:
        _show_front(facts, console)
        return
    target = facts["target"]
    clock = target["clock_mhz"]
    summary = Table(title=f"{target['board']} ({target['part']}) at {clock:g} MHz")
    for heading in ("", "predicted", "simulated"):
        summary.add_column(heading, justify="left" if not heading else "right")
    for title, key in (
        ("cycles a frame", "cycles_per_frame"),
        ("latency, cycles (first beat in to first beat out)", "latency_cycles"),
    ):
        figures = facts[key]
        summary.add_row(title, _figure(figures["predicted"]), _figure(figures["simulated"]))
    intervals = [facts["cycles_per_frame"][stage] for stage in ("predicted", "simulated")]
    rates = [clock * 1e6 / cycles if cycles else None for cycles in intervals]
    summary.add_row("frames/s at the clock", *(_figure(rate) for rate in rates))
    used = Table(title="resources")
    for heading in ("", "of the board", "predicted", "synthesised"):
        used.add_column(heading, justify="left" if not heading else "right")
    for name, figures in facts["resources"].items():
        amounts = (figures["available"], figures["predicted"], figures.get("synthesised"))
        used.add_row(name, f"{amounts[0]:,g}", *map(_figure, amounts[1:]))
    filled = facts["block_memory"]["filled"].values()
    parts = ("–" if part is None else f"{part:.0%}" for part in filled)
    used.add_row("block memory that holds bits", "–", *parts)
    if "synthesis" in facts:
        used.add_row("levels of LUT", "–", "–", str(facts["synthesis"]["depth"]))
    layers = Table(title="layers")
    for heading in (
        "stage",
        "layer",
        "PE",
        "SIMD",
        "LUT",
        "BRAM36",
        "cycles predicted",
        "simulated",
    ):
        left = heading in ("stage", "layer")
        layers.add_column(heading, justify="left" if left else "right", overflow="fold")
    for layer in facts["layers"]:
        layers.add_row(
            layer["name"],
            layer["origin"],
            str(layer["pe"]),
            str(layer["simd"]),
            *(_pair(layer, name) for name in ("lut", "bram36")),
            _figure(layer["cycles"]["predicted"]),
            _figure(layer["cycles"]["simulated"]),
        )
    parts: list[Table | str] = [layers, summary, used]
    if "frames" in facts:
        parts.append(_comparison(facts))
    if "bitstream" in facts:
        parts.append(_bitstream(facts))
    if "boards" in facts:
        holding = [name for name, fits in facts["boards"].items() if fits]
        parts.append(f"predicted to fit: {', '.join(holding) or 'none of the boards known'}")
    parts += [f"note: {text}" for text in (*facts.get("notes", ()), *facts["findings"])]
    console.print(Group(*parts))


def _bitstream(facts: dict[str, Any]) -> str:
    made, timing = facts["bitstream"], facts["timing"]
    used = (f"{facts['resources'][name]['implemented']:,g} {name.upper()}" for name in RESOURCES)
    reached = f", closes at {timing['fmax_mhz']:g} MHz" if "fmax_mhz" in timing else ""
    return (
        f"bitstream for {made['board']} ({made['part']}) by {facts['tools']['bitstream']}: "
        f"{', '.join(used)}; {timing['clock_mhz']:g} MHz, slack {timing['wns_ns']:g} ns{reached}; "
        "copy the folder 'board' of the build"
    )


def _show_front(facts: dict[str, Any], console: Console) -> None:
    target = facts["target"]
    table = Table(title=f"{target['board']} ({target['part']}) at {target['clock_mhz']:g} MHz")
    for heading in ("frames/s", "cycles a frame", "LUT", "FF", "BRAM36", "DSP", "fits"):
        table.add_column(heading, justify="right")
    for point in facts["front"]:
        figures = (point[key] for key in ("frames_per_second", "cycles", *RESOURCES))
        table.add_row(*map(_figure, figures), "yes" if point["fits"] else "no")
    console.print(Group(table, *(f"note: {finding}" for finding in facts["findings"])))


def show_kernels(graph: DataflowGraph, findings: Sequence[str], console: Console) -> None:
    """Print what the layers of a model become."""
    table = Table(title=f"{len(graph.nodes)} kernels; the model can be compiled")
    for heading in ("kernel", "layer", "takes", "gives"):
        table.add_column(heading, overflow="fold")
    for node in graph.nodes:
        sides = (node.kernel.inputs, node.kernel.outputs)
        table.add_row(node.name, node.origin, *(", ".join(map(str, side)) for side in sides))
    console.print(Group(table, *(f"note: {finding}" for finding in findings)))


def show_witness(facts: dict[str, Any], console: Console) -> None:
    """Print how a model's layers compare with FINN's."""
    frames, answers = facts["frames"], facts["answers"]
    layers = Table(
        title=f"{frames['real']} real and {frames['random']} random frames: values that differ"
    )
    for heading in ("layer", "of the model", "FINN's", "values"):
        layers.add_column(heading, overflow="fold")
    for heading in ("from FINN", "on FINN's inputs", "from QONNX", ""):
        layers.add_column(heading, justify="right")
    for layer in facts["layers"]:
        counts = (layer[key] for key in ("values", "finn", "alone", "qonnx"))
        names = (layer["layer"], layer["origin"], layer["node"])
        layers.add_row(*names, *map(_figure, counts), layer["verdict"])
    estimates = Table(title="predicted, ours and FINN's")
    for heading in ("layer", "PE", "SIMD"):
        estimates.add_column(heading, justify="left" if heading == "layer" else "right")
    for figure in ("cycles", "LUT", "BRAM36", "DSP"):
        estimates.add_column(figure, justify="right")
        estimates.add_column("FINN", justify="right")
    for row in facts["estimates"]:
        figures = [row[key][side] for key in ("cycles", *ESTIMATED) for side in ("ours", "finn")]
        estimates.add_row(row["layer"], *map(str, row["folding"]), *map(_figure, figures))
    last = [
        f"{layer['node']} ({layer['layer']}): FINN {defect}"
        for layer in facts["layers"]
        for defect in layer["defects"]
    ]
    last.append(
        f"answers: {answers['frames_that_differ_from_qonnx']} frames differ from qonnx's; FINN's "
        f"are within {answers['largest_difference_from_finn']:.1e} of the largest, and "
        f"{answers['classes_that_differ_from_finn']} of its classes differ"
    )
    told = {
        "equal": "every layer is equal",
        "defects": "every difference is a known defect of FINN's, or follows from one",
        "differs": "there are differences that no known defect of FINN's explains",
    }
    console.print(Group(layers, estimates, *last, told[facts["verdict"]]))


def _comparison(facts: dict[str, Any]) -> Table:
    stalled = (
        f", random stalls (seed {facts['stall_seed']})" if facts["stall_seed"] is not None else ""
    )
    table = Table(title=f"{facts['frames']} frames{stalled}: {facts['mismatches']} mismatches")
    table.add_column("stage")
    table.add_column("accuracy", justify="right")
    table.add_column("frames that differ from the RTL", justify="right")
    accuracy, differs = facts["accuracy"], facts["mismatches_between"]
    for name, key in (
        ("PyTorch", "pytorch"),
        ("QONNX", "qonnx"),
        ("integer graph", "integer"),
        ("RTL (Verilator)", "rtl"),
    ):
        share = accuracy.get(key)
        count = differs.get(f"rtl_{key}")
        table.add_row(
            name,
            "–" if share is None else f"{100 * share:.2f} %",
            "–" if count is None else str(count),
        )
    return table


def _pair(layer: dict[str, Any], name: str) -> str:
    """What is predicted of a stage, and what was synthesised."""
    told = f"{layer['resources'][name]:,.{0 if name == 'lut' else 1}f}"
    return f"{told}, {layer['synthesised'][name]:,g}" if "synthesised" in layer else told


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if isinstance(value, int) else f"{value:,.1f}"
