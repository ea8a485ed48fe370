# SPDX-License-Identifier: BSD-3-Clause
"""Reports as tables for a terminal, with rounded figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console, Group, RenderableType

from bonn_hw.report.figures import RESOURCES, SOURCES, Cycles
from bonn_hw.report.grid import UNKNOWN, Column, grid, words
from bonn_hw.report.longest_path import longest_path
from bonn_hw.report.values import (
    Accuracy,
    Comparison,
    Expected,
    Front,
    LayerReport,
    Report,
    Rounding,
)

SAVED = "of all runs, the one without stalls that has the most frames"
SAVED_STALLED = "of all runs, the one that has the most frames; none was without stalls"
ALONE = "accelerator\nalone"


def show(report: Report | Front, console: Console, this_run: bool = False) -> None:
    """Print the tables of a report.

    Parameters
    ----------
    this_run : bool
        The simulation in the report is this command's own run, not the saved one.
    """
    if isinstance(report, Front):
        console.print(Group(*_front(report, console)))
    else:
        console.print(Group(*_design(report, console, this_run)))


def _design(report: Report, console: Console, this_run: bool) -> Iterator[RenderableType]:
    yield _layers(report.layers, console)
    yield _speed(report, console)
    yield _resources(report, console)
    if (longest := longest_path(report)) is not None:
        yield words(f"longest path, in {longest[0]}: {longest[1]}")
    if report.comparison is not None or report.accuracy is not None:
        yield _comparison(report, console, this_run)
    if report.comparison is not None and report.comparison.rounding is not None:
        yield from map(words, _rounding(report.comparison.rounding))
    if report.comparison is not None and report.comparison.expected is not None:
        yield from map(words, _expected(report.comparison.expected))
    if report.implementation is not None:
        yield words(_bitstream(report))
    holding = [name for name, fits in report.boards.items() if fits]
    if report.boards:
        yield words(f"predicted to fit: {', '.join(holding) or 'none of the boards known'}")
    for text in (*report.notes, *report.findings):
        yield words(f"note: {text}")


def _layers(layers: Sequence[LayerReport], console: Console) -> Group:
    uses = [layer.synthesised for layer in layers]
    names = Column("stage", [layer.name for layer in layers], left=True)
    folding = (
        Column("layer", [layer.origin for layer in layers], left=True, folds=True),
        Column("PE", [f"{layer.pe}" for layer in layers]),
        Column("SIMD", [f"{layer.simd}" for layer in layers]),
    )
    cycles = (
        Column("cycles\nper frame", [count(layer.cycles.predicted) for layer in layers]),
        Column("simulated", [count(layer.cycles.simulated) for layer in layers]),
    )
    resources = (
        Column("LUT", [predicted("lut", layer.resources.lut) for layer in layers]),
        Column("synthesised", [UNKNOWN if use is None else count(use.lut) for use in uses]),
        Column("BRAM36", [predicted("bram36", layer.resources.bram36) for layer in layers]),
        Column("synthesised", [UNKNOWN if use is None else f"{use.bram36:g}" for use in uses]),
        Column("logic\ndepth", [UNKNOWN if use is None else count(use.depth) for use in uses]),
    )
    return grid("layers", names, (folding, cycles, resources), console)


def _by_source(
    title: str, rows: Mapping[str, Mapping[str, str]], console: Console, heads: Sequence[str]
) -> Group:
    """A table of figures, with a column for each source that has any."""
    columns = [Column(one, [row.get(one, UNKNOWN) for row in rows.values()]) for one in heads]
    return grid(title, Column("", list(rows), left=True), [(one,) for one in columns], console)


def _speed(report: Report, console: Console) -> Group:
    target = report.target
    clock_hz = target.clock_mhz * 1e6

    def counts(cycles: Cycles) -> dict[str, str]:
        return {stage: count(figure) for stage, figure in cycles.known.items()}

    rows = {
        "cycles per frame": counts(report.cycles_per_frame),
        "latency in cycles": counts(report.latency_cycles),
        "frames/s at the clock": {
            stage: rate(clock_hz / figure)
            for stage, figure in report.cycles_per_frame.known.items()
            if figure
        },
    }
    if report.frames_per_second.board is not None:
        rows["frames/s measured"] = {"board": rate(report.frames_per_second.board)}
    title = f"{target.board} ({target.part}) at {target.clock_mhz:g} MHz"
    return _by_source(title, rows, console, SOURCES)


def _resources(report: Report, console: Console) -> Group:
    rows: dict[str, dict[str, str]] = {}
    for name, amount in report.resources.named.items():
        row = {stage: f"{figure:,g}" for stage, figure in amount.known.items()}
        row |= {"available": f"{amount.available:,g}"}
        row["predicted"] = predicted(name, amount.predicted)
        if amount.implemented_accelerator is not None:
            row[ALONE] = f"{amount.implemented_accelerator:,g}"
        rows[name.upper()] = row
    filled = report.block_memory.filled.known
    rows["block memory filled"] = {stage: f"{part:.0%}" for stage, part in filled.items()}
    if report.synthesis is not None:
        rows["logic depth"] = {"synthesised": count(report.synthesis.depth)}
    return _by_source("resources", rows, console, ("available", *SOURCES, ALONE))


def _comparison(report: Report, console: Console, this_run: bool) -> Group:
    accuracy = report.accuracy or Accuracy()
    between = None if report.comparison is None else report.comparison.mismatches_between
    simulated = "RTL (Verilator)"
    if report.comparison is not None and report.comparison.cycles_hold_for_all_data:
        simulated = "netlist (as gates)" if report.comparison.netlist else "RTL (as gates)"
    rows: dict[str, tuple[float | None, int | None]] = {
        "PyTorch": (accuracy.pytorch, None if between is None else between.rtl_pytorch),
        "expected": (accuracy.expected, None if between is None else between.rtl_expected),
        "QONNX": (accuracy.qonnx, None if between is None else between.rtl_qonnx),
        "integer graph": (accuracy.integer, None if between is None else between.rtl_integer),
        simulated: (accuracy.rtl, None),
    }
    if between is None or between.rtl_expected is None:
        del rows["expected"]
    if accuracy.board is not None:
        rows["board"] = (accuracy.board, None)
    columns = (
        Column("accuracy", [_percent(share) for share, _ in rows.values()]),
        Column("frames that differ\nfrom the RTL", [count(differ) for _, differ in rows.values()]),
    )
    names = Column("reference", list(rows), left=True)
    return grid(_title(report.comparison, this_run), names, [columns], console)


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100 * share:.2f} %"


def _title(comparison: Comparison | None, this_run: bool) -> str:
    """The title: how many frames a simulation had, and which run it is."""
    if comparison is None:
        return "accuracy"
    seed = comparison.stall_seed
    stalled = "" if seed is None else f", random stalls (seed {seed})"
    which = "this run" if this_run else SAVED if seed is None else SAVED_STALLED
    frames, mismatches = count(comparison.frames), count(comparison.mismatches)
    proved = "; its cycles hold for all data" if comparison.cycles_hold_for_all_data else ""
    return f"{frames} frames{stalled}: {mismatches} mismatches ({which}{proved})"


def _rounding(rounding: Rounding) -> Iterator[str]:
    """How ONNX Runtime on the file differs from the reference; nothing if it does not."""
    if rounding.last_digits:
        yield (
            f"ONNX Runtime on the file itself rounds its sums: {frames(rounding.last_digits)} "
            f"differ in the last digits only (at most {rounding.largest_ulp:g} ulp of the largest "
            "output), and every decision there is equal"
        )
    if rounding.other_decisions:
        shown = "; ".join(
            f"frame {one.frame} at {one.layer}, channel {one.channel}" for one in rounding.decisions
        )
        yield (
            f"ONNX Runtime on the file itself decides otherwise in "
            f"{frames(rounding.other_decisions)}, where its rounded sum is on the other side of a "
            f"threshold than the exact sum: {shown}; --strict makes this a mismatch"
        )


def _expected(expected: Expected) -> Iterator[str]:
    """How the outputs that the user expects differ from the RTL's; nothing if they are equal."""
    if expected.last_digits:
        yield (
            f"the expected outputs differ in the last digits in {frames(expected.last_digits)} "
            f"(by {expected.largest:.1e} of the frame's largest output at most)"
        )
    if expected.rounded:
        yield (
            f"the expected outputs decide otherwise in {frames(expected.rounded)}, where a sum is "
            "rounded to the other side of a threshold"
        )
    if expected.differ:
        yield (
            f"the expected outputs differ in {frames(expected.differ)}, and the RTL equals the "
            "model there: they are from another network, other inputs, or other layouts; or a "
            "layer that a note names is on a threshold"
        )


def frames(value: int) -> str:
    """A count of frames."""
    return "1 frame" if value == 1 else f"{count(value)} frames"


def _bitstream(report: Report) -> str:
    if report.implementation is None:
        return "no bitstream"
    made, timing = report.implementation.bitstream, report.implementation.timing
    used = (
        f"{amount.implemented:,g} {name.upper()}"
        for name, amount in report.resources.named.items()
        if amount.implemented is not None
    )
    reached = "" if timing.fmax_mhz is None else f", closes at {timing.fmax_mhz:g} MHz"
    return (
        f"bitstream for {made.board} ({made.part}) by {report.tools.get('bitstream', 'a tool')}: "
        f"{', '.join(used)}; {timing.clock_mhz:g} MHz, slack {timing.wns_ns:g} ns{reached}; "
        "copy the folder 'board' of the build"
    )


def _front(front: Front, console: Console) -> Iterator[RenderableType]:
    target, points = front.target, front.front
    title = f"{target.board} ({target.part}) at {target.clock_mhz:g} MHz"
    names = Column("frames/s", [rate(point.frames_per_second) for point in points])
    cycles = Column("cycles\nper frame", [count(point.cycles) for point in points])
    resources = [
        Column(name.upper(), [predicted(name, point.resources.named[name]) for point in points])
        for name in RESOURCES
    ]
    fits = Column("fits", ["yes" if point.fits else "no" for point in points])
    yield grid(title, names, [(cycles, *resources, fits)], console)
    for finding in front.findings:
        yield words(f"note: {finding}")


def count(value: float | None) -> str:
    """Format a count; `UNKNOWN` for None."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def rate(value: float) -> str:
    """Format frames per second: 12,345 or, below 1000, with four digits, such as 0.1235."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def predicted(resource: str, value: float) -> str:
    """Format a predicted amount: rounded to whole numbers, block memories to halves."""
    return f"{round(2 * value) / 2:,g}" if resource == "bram36" else f"{value:,.0f}"
