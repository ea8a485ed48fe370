# SPDX-License-Identifier: BSD-3-Clause
"""RtlProject -> netlist of gates of two inputs, with Yosys."""

from __future__ import annotations

import json
from pathlib import Path

from bonn_hw.ir.rtl import RtlProject
from bonn_hw.sliced.netlist import Netlist, read
from bonn_hw.synth.yosys import Job, run_script

CARRIES = Path(__file__).with_name("ripple.v")
NETLIST = "netlist.json"
GATES = ("AND", "NAND", "OR", "NOR", "XOR", "XNOR", "ANDNOT", "ORNOT")  # and NOT, always
# Memories stay memories. Registers have an enable at most, which says when they need a new value.
# The sums of DSP slices are logic: their text is equal, and a slice is no gate.
DEFINES = "verilog_defines -DBONN_NO_DSP48"
COMMANDS = (
    "setattr -set keep 1 top/w:probe",
    *("proc", "flatten", "opt_expr", "opt_clean", "opt_muxtree", "opt_reduce", "opt_merge"),
    *("opt_dff", "opt_clean", "wreduce", "opt_clean", "alumacc", "memory -nomap", "opt_clean"),
    *("techmap -map +/techmap.v -map {carries}", "opt_expr", "simplemap", "opt_merge", "opt_clean"),
    *("dfflegalize -cell $_DFFE_PP_ 01 -cell $_DFF_P_ 01", "opt_merge", "opt_clean"),
    *("abc -g {gates}", "opt_clean", "write_json {netlist}"),
)


def synthesise(project: RtlProject, folder: Path) -> Netlist:
    """Synthesise a project that is written in a folder.

    Raises
    ------
    ToolMissing
        If Yosys is not installed.
    UserError
        If a memory has a form that is not simulated here.
    """
    *reading, _ = Job(folder, "xc7", top=project.top).script
    written = folder.resolve() / NETLIST
    names = {"carries": CARRIES, "gates": ",".join(GATES), "netlist": written}
    commands = [line.format(**names) for line in COMMANDS]
    run_script([DEFINES, *reading, *commands], folder, folder / "yosys.log")
    return read(json.loads(written.read_text())["modules"]["top"])
