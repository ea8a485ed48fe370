# SPDX-License-Identifier: BSD-3-Clause
"""RtlProject -> netlist of gates of two or three inputs, with Yosys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bonn_hw.ir.rtl import RtlProject
from bonn_hw.sliced.netlist import Netlist, read
from bonn_hw.synth.yosys import Job, run_script

CARRIES = Path(__file__).with_name("ripple.v")
NETLIST = "netlist.json"
GATES = ("AND", "NAND", "OR", "NOR", "XOR", "XNOR", "ANDNOT", "ORNOT")  # and NOT, always
TO_FAN_IN = {2: f"abc -g {','.join(GATES)}", 3: "abc -lut 3"}
# Words -> gates.
TO_GATES = (
    f"techmap -map +/techmap.v -map {CARRIES}",
    *("opt_expr", "simplemap", "opt_merge", "opt_clean"),
    *("dfflegalize -cell $_DFFE_PP_ 01 -cell $_DFF_P_ 01", "opt_merge", "opt_clean"),
)
# Memories stay memories. Registers have an enable at most, which says when they need a new value.
# The sums of DSP slices are logic: their text is equal, and a slice is no gate.
DEFINES = "verilog_defines -DBONN_NO_DSP48"
COMMANDS = (
    "setattr -set keep 1 top/w:probe",
    *("proc", "flatten", "opt_expr", "opt_clean", "opt_muxtree", "opt_reduce", "opt_merge"),
    *("opt_dff", "opt_clean", "wreduce", "opt_clean", "alumacc", "memory -nomap", "opt_clean"),
)


def synthesise(project: RtlProject, folder: Path, fan_in: int = 2) -> Netlist:
    """Synthesise a project that is written in a folder, into gates of so many inputs.

    Raises
    ------
    ToolMissing
        If Yosys is not installed.
    UserError
        If a memory has a form that is not simulated here.
    """
    *reading, _ = Job(folder, "xc7", top=project.top).script
    return gates([DEFINES, *reading, *COMMANDS], folder, fan_in)


def gates(commands: Sequence[str], folder: Path, fan_in: int = 2) -> Netlist:
    """The gates of the module ``top``, which some commands give Yosys.

    Parameters
    ----------
    fan_in : int
        The most inputs of a gate: 2, or 3 where a processor has all functions of three.

    Raises
    ------
    UserError
        If a memory has a form that is not simulated here.
    """
    written = folder.resolve() / NETLIST
    script = [*commands, *TO_GATES, TO_FAN_IN[fan_in], "opt_clean", f"write_json {written}"]
    run_script(script, folder, folder / "yosys.log")
    return read(json.loads(written.read_text())["modules"]["top"])
