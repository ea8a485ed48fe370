# SPDX-License-Identifier: BSD-3-Clause
"""What the shell takes of a device, by synthesis."""

import shutil

import pytest

from bonn_hw.emit.system import BUS
from bonn_hw.emit.write import templates_folder
from bonn_hw.synth.yosys import Job, synthesise

# As around a CNV: 24 bits a pixel in 4 bytes, 16 bits a class out, 30 streams.
PARAMETERS = {
    "IN_BITS": 24, "IN_SLOT": 4, "IN_BEATS": 1024, "IN_WORDS": 512,
    "OUT_BITS": 16, "OUT_SLOT": 2, "OUT_BEATS": 10, "OUT_WORDS": 3,
    "STREAMS": 30, "HASH": "128'h0123456789abcdef0123456789abcdef",
}  # fmt: skip
MORE = (
    *(("aclk", "input", 1), ("aresetn", "input", 1), ("interrupt_out", "output", 1)),
    *(("accelerator_rst", "output", 1), ("in_tdata", "output", 24), ("in_tvalid", "output", 1)),
    *(("in_tready", "input", 1), ("out_tdata", "input", 16), ("out_tvalid", "input", 1)),
    *(("out_tready", "output", 1), ("watch_valid", "input", 30), ("watch_ready", "input", 30)),
)


@pytest.mark.large
def test_the_shell_is_small(tmp_path):
    for source in (templates_folder() / "shell").glob("*.sv"):
        shutil.copy(source, tmp_path)
    (tmp_path / "cells").mkdir()
    shutil.copy(templates_folder() / "cells" / "counter.sv", tmp_path / "cells")
    ports = [*BUS, *MORE]
    values = ", ".join(f".{name}({value})" for name, value in PARAMETERS.items())
    lines = [
        "(* keep_hierarchy *) module wrapper (",
        ",\n".join(f"  {direction} [{bits - 1}:0] {name}" for name, direction, bits in ports),
        ");",
        f"  bonn_shell #({values}) shell (",
        ",\n".join(f"    .{name}({name})" for name, _, _ in ports),
        "  );",
        "endmodule",
        "module top; (* keep *) wrapper only (); endmodule",
    ]
    (tmp_path / "top.v").write_text("\n".join(lines))
    use = synthesise(Job(tmp_path, "xc7"))["only"]
    assert use.lut < 1500, use
    assert (use.bram36, use.dsp) == (0, 0)
    assert use.depth <= 10
