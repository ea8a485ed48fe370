# SPDX-License-Identifier: BSD-3-Clause
"""The top of a page: what was found, in words; and the first value that differs."""

from __future__ import annotations

from collections.abc import Iterator

from bonn_hw.report.difference_values import FirstDifference
from bonn_hw.report.first_difference import place
from bonn_hw.report.page.markup import Markup, tag
from bonn_hw.report.values import Report
from bonn_hw.report.verdicts import State, of_simulation

MARKS = {State.PASSED: "✓", State.NOTED: "!", State.FAILED: "✗"}


def headline(report: Report) -> tuple[State, str]:
    """The verdict as one sentence."""
    comparison = report.comparison
    misfits = [
        name
        for name, amount in report.resources.named.items()
        if any(used > amount.available for used in amount.known.values())
    ]
    if comparison is None:
        if misfits:
            return State.FAILED, f"This design does not fit {report.target.board}."
        return State.NOTED, "Not simulated yet: all figures are predictions."
    frames = _frames(comparison.frames)
    if comparison.mismatches:
        wrong = f"{comparison.mismatches:,} of {frames} differ"
        return State.FAILED, f"The hardware does not compute what its references do: {wrong}."
    if misfits:
        return State.FAILED, f"All outputs are right, but {report.target.board} is too small."
    return State.PASSED, f"The hardware computes exactly what the model does, on all {frames}."


def explanation(report: Report) -> Iterator[str]:
    """Sentences below the headline: the rate, and what the board has."""
    target, rate = report.target, report.frames_per_second
    asked = less = ""
    if target.fps is not None:
        less = " only" if rate.predicted < target.fps else ""
        asked = f" ({target.fps:,.0f} were asked for)"
    yield (
        f"It processes{less} {rate.predicted:,.0f} frames per second at {target.clock_mhz:g} "
        f"MHz{asked}, and uses {_share(report)} of the LUTs of {target.board}."
    )
    if report.comparison is None:
        yield "'bonn-hw simulate' compares the RTL of a build with the model, bit for bit."
    elif report.comparison.mismatches and report.comparison.first_difference is None:
        yield "Run 'bonn-hw compare' to find the first layer, pixel and channel that differ."


def verdicts(report: Report) -> Markup | None:
    """All verdicts of the simulation, one line each."""
    found = of_simulation(report)
    if not found:
        return None
    items = [
        tag("li", tag("span", MARKS[one.state], class_="mark"), one.text, class_=one.state.value)
        for one in found
    ]
    return tag("ul", *items, class_="verdicts")


def tiles(report: Report) -> Markup:
    """The main figures, with what they were measured by."""
    cycles, latency = report.cycles_per_frame, report.latency_cycles
    stalled = report.comparison is not None and report.comparison.stall_seed is not None
    source = "predicted"
    if not stalled and cycles.simulated is not None:
        source = "simulated" if cycles.simulated != cycles.predicted else "predicted = simulated"
    board = report.frames_per_second.board
    figures = [
        ("Frames per second", f"{report.frames_per_second.predicted:,.0f}", "predicted"),
        ("Cycles per frame", f"{cycles.predicted:,}", source),
        (
            "Latency",
            _time(latency.predicted / report.target.clock_mhz),
            f"{latency.predicted:,} cycles",
        ),
        ("LUT", _share(report), f"of {report.resources.lut.available:,.0f}"),
    ]
    if board is not None:
        figures.insert(1, ("On the board", f"{board:,.0f}", "frames per second, measured"))
    if report.accuracy is not None and report.accuracy.rtl is not None:
        figures.append(("Accuracy", f"{report.accuracy.rtl:.2%}", "of the RTL"))
    return tag(
        "div",
        *(
            tag("div", tag("small", name), tag("strong", value), tag("small", about))
            for name, value, about in figures
        ),
        class_="tiles",
    )


def difference(found: FirstDifference) -> Markup:
    """The first value that differs, and its neighbours."""
    words = place(found)
    seen = "RTL" if found.reference == "integer graph" else "accelerator"
    sentence = (
        f"{_capital(words)}: the {seen} has {found.value:g}, and the "
        f"{found.reference} {found.expected:g}."
    )
    beat = None
    if found.cycle is not None:
        beat = tag(
            "p",
            f"The beat passes in cycle {found.cycle:,} after reset, if the simulation begins with "
            f"frame {found.cycle_frame}. All layers before it agree.",
        )
    count = len(found.values_around)
    names = [str(found.channel + number) for number in range(count)]
    lines = {
        _capital(seen): found.values_around,
        _capital(found.reference): found.expected_around,
    }
    head = tag("tr", tag("th", "Channel"), [tag("th", name) for name in names])
    rows = [
        tag(
            "tr",
            tag("th", name),
            [
                tag("td", f"{one:g}", class_="wrong" if one != other else None)
                for one, other in zip(values, found.expected_around, strict=True)
            ],
        )
        for name, values in lines.items()
    ]
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="around")
    return tag("div", tag("p", tag("b", sentence)), beat, tag("div", table, class_="wide"))


def _share(report: Report) -> str:
    amount = report.resources.lut
    used = list(amount.known.values())[-1]
    return f"{used / amount.available:.1%}" if amount.available else f"{used:,.0f} LUT"


def _time(microseconds: float) -> str:
    if microseconds >= 1000:
        return f"{microseconds / 1000:,.3g} ms"
    return f"{microseconds:,.3g} µs"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count:,} frames"
