# SPDX-License-Identifier: BSD-3-Clause
"""Further readers of the RTL, beside Verilator and slang: both of Yosys, on a whole design.

The design has every kernel, behind the bus and behind the serial line. `check` looks for nets with
two drivers or none, and for loops.
"""

import re

import pytest

from bonn_hw.emit.serial import emit_serial
from bonn_hw.emit.system import emit_system
from bonn_hw.emit.write import templates_folder, write
from tests.support import yosys
from tests.support.every_kernel import design

pytestmark = pytest.mark.rtl
READERS = {
    "read_verilog": ("read_verilog -sv -defer {files}", "hierarchy -check -top {top}"),
    "read_slang": ("read_slang --top {top} {files}",),
}
TWO_DRIVERS = """module twice(input logic a, input logic b, output logic z);
  assign z = a;
  assign z = b;
endmodule
"""


@pytest.mark.parametrize("reader", READERS)
def test_a_design_of_every_kernel_is_read(reader, tmp_path):
    lines = []
    for emitted, top in ((emit_system, "system"), (emit_serial, "serial_system")):
        project = emitted(design(), 100.0)
        write(project, tmp_path)
        files = " ".join([*project.templates, "top.v", f"{top}.v"])
        lines += ["design -reset", *(line.format(files=files, top=top) for line in READERS[reader])]
        lines += ["proc", "check -assert"]
    done = yosys.run(tmp_path, *lines)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    assert done.stdout.count("Found and reported 0 problems.") == 2


@pytest.mark.parametrize("reader", READERS)
def test_a_net_of_two_drivers_is_found(reader, tmp_path):
    (tmp_path / "twice.sv").write_text(TWO_DRIVERS)
    read = [line.format(files="twice.sv", top="twice") for line in READERS[reader]]
    done = yosys.run(tmp_path, *read, "proc", "check -assert")
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert "multiple conflicting drivers" in told or "multiple continuous assignments" in told


def test_no_operator_takes_a_cast():
    """Yosys 0.70 takes ``~Bits'(1)`` and ``-Bits'(1)`` at 32 bits, others at Bits: name them.

    ``Bits'(~x)`` it inverts at Bits, others at the width of x.
    """
    operators = re.compile(r"~\w+'\(|[=(?:,&|]\s*-\s*\w+'\(|'\(~\w+")
    assert operators.search("a == ~Bits'(1)") and operators.search("a ? b : -Bits'(1)")
    found = {
        f"{path.name}: {text}"
        for path in templates_folder().rglob("*.sv")
        for text in operators.findall(re.sub("//.*", "", path.read_text()))
    }
    assert not found
