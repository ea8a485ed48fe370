# SPDX-License-Identifier: BSD-3-Clause
"""The netlist that Yosys makes of a whole design, in four states: no X comes out after a reset.

Registers without an initial value wake as X in the models of Xilinx primitives. The test bench that
comes with the RTL compares every beat with the golden vectors, and X with nothing.
"""

import re
import shutil

import pytest

import bonn_hw
from bonn_hw.files import shipped
from bonn_hw.synth.yosys import Job
from tests.support import event_simulators
from tests.synth.test_netlists import PRIMITIVES, yosys

pytestmark = [pytest.mark.rtl, pytest.mark.large]


def netlist_beside_bench(rtl, top, folder):
    """A copy of ``rtl/`` whose sources are one file: the netlist and its primitives."""
    shutil.copytree(rtl, folder)
    *reading, synthesis = Job(folder, "xc7", top=top).script
    yosys(folder, *reading, f"{synthesis} -nobram", "write_verilog netlist.v")
    text, found = re.subn(
        r"\bmodule top\(", f'module {top} #(parameter MEMORIES = "") (',
        (folder / "netlist.v").read_text(),
    )  # fmt: skip
    assert found == 1 and "FDRE" in text and "RAMB" not in text and "bonn_" not in text
    (folder / f"{top}.v").write_text(text)
    shutil.copyfile(PRIMITIVES, folder / "primitives.v")
    (folder / f"{top}.f").write_text(f"primitives.v\n{top}.v\n")
    return folder


def test_the_digits_network_in_four_states(tmp_path, debian_verilator):
    assert event_simulators.icarus(), "bonn-hw setup open-toolchain fetches Icarus Verilog"
    model = bonn_hw.Model.from_run(shipped("zoo") / "digits")
    build = model.compile("pynq-z2", 50_000.0, out=tmp_path / "build", progress=False)
    rtl = netlist_beside_bench(build.folder / "rtl", "digits_top", tmp_path / "netlist")
    (tmp_path / "work").mkdir()
    bench = event_simulators.compiled(
        "icarus", "digits_top", rtl, tmp_path / "work", debian_verilator
    )
    well, told = bench.run(tmp_path, seconds=3600)
    assert well and "PASSED: all 30 output beats of 3 frames, 2 times" in told, told
