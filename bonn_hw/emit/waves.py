# SPDX-License-Identifier: BSD-3-Clause
"""FoldedDesign -> a save file of GTKWave: the streams of the test bench, in named groups."""

from __future__ import annotations

from collections.abc import Iterator

from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.rtl import RtlProject

# Flags of GTKWave's save files.
BINARY, HEXADECIMAL, GROUP, CLOSED, END = "@28", "@22", "@800200", "@c00200", "@1000200"


def wave_file(project: RtlProject) -> str:
    """Name of the file that the test bench writes with +waves."""
    return f"{project.outer}_tb.vcd"


def save_file(project: RtlProject, design: FoldedDesign) -> str:
    """The text: clock, reset and both ends; then a closed group for each stream inside."""
    bench = f"{project.outer}_tb"
    inside = f"{bench}.accelerator" + ("" if project.interface.plain else ".core")
    lines = [f'[dumpfile] "{wave_file(project)}"', "[timestart] 0", BINARY]
    lines += [f"{bench}.clk", f"{bench}.rst"]
    for side, port in (("in", project.source), ("out", project.sink)):
        name = {"in": "input", "out": "output"}[side]
        lines += _group(name, GROUP, f"{bench}.{side}_t", port.width)
    for place, stream in enumerate(design.streams):
        name = f"{stream.source or 'input'} -> {stream.sink or 'output'}"
        lines += _group(name, CLOSED, f"{inside}.stream_{place}_t", stream.width)
    return "\n".join([*lines, ""])


def _group(name: str, begin: str, prefix: str, width: int) -> Iterator[str]:
    yield from (begin, f"-{name}", BINARY, f"{prefix}valid", f"{prefix}ready")
    yield from (HEXADECIMAL, f"{prefix}data[{width - 1}:0]", END, f"-{name}")
