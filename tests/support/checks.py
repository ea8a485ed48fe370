# SPDX-License-Identifier: BSD-3-Clause
"""Every stream of a design watched in simulation by hw_templates/check/stream_check.sv."""

from __future__ import annotations

from dataclasses import replace

from bonn_hw.emit.top import TOP
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.rtl import RtlProject, module_name

CHECK = "check/stream_check.sv"


def checked(project: RtlProject, design: FoldedDesign) -> RtlProject:
    """The same project, with a checker bound to each stream of the accelerator's top module."""
    lines = ["// SPDX-License-Identifier: CC0-1.0"]
    for place, stream in enumerate(design.streams):
        name = f"stream_{place}, {stream.source or 'input'} to {stream.sink or 'output'}"
        wires = (f".{port}(stream_{place}_{port})" for port in ("tdata", "tvalid", "tready"))
        lines += [
            f'bind {TOP} {module_name("stream_check")} #(.WIDTH({stream.width}), .NAME("{name}"))',
            f"  check_{place} (.clk(clk), .rst(rst), {', '.join(wires)});",
        ]
    files = {**project.files, "checks.sv": "\n".join([*lines, ""])}
    return replace(project, files=files, templates=tuple(sorted({*project.templates, CHECK})))
