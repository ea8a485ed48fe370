# SPDX-License-Identifier: BSD-3-Clause
"""Report and design -> one page of HTML that needs no other file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from bonn_hw import files
from bonn_hw.frontend import Note
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.report.page import tables, verdict
from bonn_hw.report.page.curves import curves
from bonn_hw.report.page.markup import Markup, joined, tag
from bonn_hw.report.page.network import Network, network
from bonn_hw.report.page.picture import picture
from bonn_hw.report.page.waves import waves
from bonn_hw.report.page.whole import section, whole
from bonn_hw.report.values import LayerNote, Report

if TYPE_CHECKING:
    from bonn_hw.frontend.notes import Kind

NAME = "report.html"


def write(report: Report, design: FoldedDesign, title: str, path: Path) -> None:
    """Write a page; raises UserError if it cannot be written."""
    text = page(report, design, title)
    with files.fresh_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def page(report: Report, design: FoldedDesign, title: str) -> str:
    """A page about a build.

    Parameters
    ----------
    report, design
        Of the same build.
    title : str
        Its heading, such as the name of the build.

    Raises
    ------
    ValueError
        If they are of different builds.
    """
    drawn = network(design, report)
    return whole(title, _top(report, title), *_sections(report, drawn))


def _top(report: Report, title: str) -> Markup:
    target = report.target
    place = f"{target.board} ({target.part}) at {target.clock_mhz:g} MHz"
    return tag("header", tag("p", "bonn-hw report"), tag("h1", title), tag("p", place))


def _verdict(report: Report) -> Markup:
    state, sentence = verdict.headline(report)
    banner = tag(
        "div",
        tag("span", verdict.MARKS[state], class_="mark"),
        tag("div", tag("h2", sentence), [tag("p", one) for one in verdict.explanation(report)]),
        class_=f"banner {state.value}",
    )
    return joined(banner, verdict.tiles(report))


def _sections(report: Report, drawn: Network) -> list[Markup]:
    comparison, found = report.comparison, []
    first = None if comparison is None else comparison.first_difference
    found.append(tag("section", _verdict(report), verdict.verdicts(report)))
    if first is not None:
        found.append(
            section(
                "Where it first differs", verdict.difference(first), waves(first), class_="differs"
            )
        )
    accuracy = None if report.accuracy is None else tables.accuracy(report.accuracy)
    if accuracy is not None:
        found.append(section("Accuracy", accuracy))
    if report.training is not None and report.training.epochs:
        found.append(section("Training", *curves(report.training)))
    found.append(section("Board", tables.board(report), _boards(report)))
    found.append(
        section(
            "Network",
            tag(
                "p",
                "Rows are hardware units in the order of the data, with the layer of the model, "
                "its type, the shape of its output, its parallelism and its cycles per frame. "
                "Between them: the width of the stream (elements a beat × bits), an arrow for a "
                "width converter, and the depth of a FIFO in beats.",
                class_="lead",
            ),
            picture(drawn, first.stage if first is not None else ""),
        )
    )
    found.append(
        section(
            "Layers",
            tag(
                "p",
                "Width converters and FIFOs are counted with the layer behind them. A bar is the "
                "share of the largest in its column. The slowest layer sets the frame rate.",
                class_="lead",
            ),
            tables.layers(report, drawn),
        )
    )
    notes = _notes(report)
    if notes:
        found.append(section("Notes", *notes))
    found.append(section("Tools and hashes", _origins(report)))
    return found


def _boards(report: Report) -> Markup | None:
    holding = [name for name, fits in report.boards.items() if fits]
    if not report.boards:
        return None
    return tag("p", f"Predicted to fit: {', '.join(holding) or 'none of the boards known'}.")


def _notes(report: Report) -> list[Markup]:
    """Remarks by layer, then those about the whole design."""
    by_layer: dict[str, list[str]] = {}
    for note in report.layer_notes:
        by_layer.setdefault(note.layer, []).append(_text(note))
    told = {text for texts in by_layer.values() for text in texts}
    general = [text for text in (*report.notes, *report.findings) if text not in told]
    blocks = []
    for layer, texts in by_layer.items():
        items = [tag("li", text.removeprefix(f"{layer}: ")) for text in texts]
        blocks.append(tag("div", tag("h3", layer), tag("ul", *items), class_="note"))
    if general:
        items = [tag("li", text) for text in general]
        blocks.append(tag("div", tag("h3", "Whole design"), tag("ul", *items), class_="note"))
    return blocks


def _text(note: LayerNote) -> str:
    kind = cast("Kind", note.kind)  # a report keeps it as text
    return Note(note.layer, kind, note.channels, note.of, note.sums).text


def _origins(report: Report) -> Markup:
    values = {"Model, SHA-256": report.model.sha256}
    if report.model.dataset:
        values["Data set"] = report.model.dataset
    if report.model.transform:
        values["Transform"] = report.model.transform
    if report.comparison is not None and report.comparison.stall_seed is not None:
        values["Stalls, seed"] = str(report.comparison.stall_seed)
    if report.implementation is not None:
        timing = report.implementation.timing
        slack = f"{timing.wns_ns:g} ns at {timing.clock_mhz:g} MHz"
        values["Bitstream, worst slack"] = slack
        if timing.worst_path:
            values["Slowest path"] = timing.worst_path
    return tables.pairs({**values, **report.tools})
