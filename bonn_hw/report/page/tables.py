# SPDX-License-Identifier: BSD-3-Clause
"""Tables and bars of a page: the board, the layers, the accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bonn_hw.report.figures import Amount
from bonn_hw.report.page.markup import Markup, tag
from bonn_hw.report.page.network import Network, Unit
from bonn_hw.report.values import Accuracy, Report

RESOURCES = {"lut": "LUT", "ff": "Flip-flops", "bram36": "BRAM36", "dsp": "DSP"}
ACCURACY = {
    "pytorch": "PyTorch",
    "qonnx": "QONNX model",
    "integer": "Integer graph",
    "rtl": "RTL (hardware)",
    "board": "On the board",
    "expected": "Expected outputs",
}


def bar(share: float, kind: str = "") -> Markup:
    """A bar of a share of the whole width; more than the whole is marked."""
    over = " over" if share > 1 else ""
    filled = f"{100 * min(max(share, 0.0), 1.0):.4g}%"
    return tag("i", tag("i", style=f"width:{filled}"), class_=f"bar {kind}{over}".strip())


def board(report: Report) -> Markup:
    """Each resource against what the board has, by every source that is known."""
    rows = []
    for name, amount in report.resources.named.items():
        rows += list(_of_board(RESOURCES[name], amount))
    head = _head("Resource", "Used", "Board", "Share")
    return tag("div", tag("table", head, tag("tbody", *rows)), class_="wide")


def _of_board(name: str, amount: Amount) -> Iterator[Markup]:
    for place, (source, used) in enumerate(amount.known.items()):
        share = used / amount.available if amount.available else float(used > 0)
        yield tag(
            "tr",
            tag("th", name if place == 0 else "", tag("small", source)),
            tag("td", _number(used)),
            tag("td", _number(amount.available)),
            tag("td", tag("span", f"{share:.1%}"), bar(share), class_="barred"),
        )


def layers(report: Report, network: Network) -> Markup:
    """Cycles and resources of every unit; bars are shares of the largest in the column."""
    units = [unit for unit in network.units if unit.layer is not None or unit.before]
    used = [name for name in ("lut", "bram36", "dsp") if any(u.amount(name) for u in units)]
    most = {name: max(unit.amount(name) for unit in units) for name in used}
    simulated = any(u.layer and u.layer.cycles.simulated is not None for u in units)
    holds = report.resources.named
    headings = ["Layer", "Cycles per frame", *(["Simulated"] if simulated else [])]
    rows = []
    for unit in units:
        cells = [_cycles(unit, network.slowest)]
        if simulated:
            measured = None if unit.layer is None else unit.layer.cycles.simulated
            cells.append(tag("td", "–" if measured is None else f"{measured:,}"))
        for name in used:
            amount = unit.amount(name)
            share = amount / holds[name].available if holds[name].available else 0.0
            told = f"{share:.2%} of the board's {RESOURCES[name]}"
            number = tag("span", _number(amount) if amount else "–")
            column = bar(amount / most[name])
            cells.append(tag("td", number, column, class_="barred", title=told))
        rows.append(tag("tr", _name(unit), *cells))
    return tag(
        "div",
        tag("table", _head(*headings, *map(RESOURCES.get, used)), tag("tbody", *rows)),
        class_="wide",
    )


def _name(unit: Unit) -> Markup:
    if unit.layer is None:
        return tag("th", "output", tag("small", "converters and FIFOs"))
    small = f"{unit.layer.kernel.replace('_', ' ')}, PE {unit.layer.pe}, SIMD {unit.layer.simd}"
    return tag("th", unit.layer.origin or unit.name, tag("small", small), title=unit.name)


def _cycles(unit: Unit, slowest: int) -> Markup:
    kind = "slow" if unit.cycles == slowest else "time"
    number = tag("span", f"{unit.cycles:,}")
    return tag("td", number, bar(unit.cycles / slowest, kind), class_="barred")


def accuracy(found: Accuracy) -> Markup | None:
    """Accuracies in software and hardware; None if none is known."""
    rows = []
    for name, title in ACCURACY.items():
        share = getattr(found, name)
        if share is not None:
            cell = tag("td", tag("span", f"{share:.2%}"), bar(share, "good"), class_="barred")
            rows.append(tag("tr", tag("th", title), cell))
    if not rows:
        return None
    return tag("table", _head("Computed by", "Accuracy"), tag("tbody", *rows), class_="short")


def pairs(values: Mapping[str, str], **attributes: str) -> Markup:
    """A list of names and values."""
    items = [(tag("dt", name), tag("dd", value)) for name, value in values.items()]
    return tag("dl", *items, **attributes)


def _head(*headings: str | None) -> Markup:
    cells: Sequence[Markup] = [tag("th", heading) for heading in headings]
    return tag("thead", tag("tr", *cells))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:,.1f}"
