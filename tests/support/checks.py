# SPDX-License-Identifier: BSD-3-Clause
"""Every stream of a design watched in simulation by hw_templates/check/stream_check.sv."""

from __future__ import annotations

from dataclasses import replace

from bonn_hw.emit.top import TOP
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.rtl import RtlProject, module_name

CHECK = "check/stream_check.sv"


def checked(project: RtlProject, design: FoldedDesign) -> RtlProject:
    """The same project, with a checker bound to the streams of the accelerator's top module.

    A message names streams by a bit for each, stream 0 on the right, as in the text of the top.
    """
    streams = design.streams
    widths = sum(stream.width << 32 * place for place, stream in enumerate(streams))
    parameters = {
        "STREAMS": len(streams),
        "WIDTHS": f"{32 * len(streams)}'h{widths:x}",
        "WIDTH": sum(stream.width for stream in streams),
    }
    given = ", ".join(f".{name}({value})" for name, value in parameters.items())
    lines = [f"bind {TOP} {module_name('stream_check')} #({given}) stream_check ("]
    for port in ("tdata", "tvalid", "tready"):
        wires = ", ".join(f"stream_{place}_{port}" for place in reversed(range(len(streams))))
        lines.append(f"  .{port}({{{wires}}}),")
    text = "\n".join(
        ["// SPDX-License-Identifier: CC0-1.0", *lines, "  .clk(clk), .rst(rst)", ");", ""]
    )
    files = {**project.files, "checks.sv": text}
    return replace(project, files=files, templates=tuple(sorted({*project.templates, CHECK})))
