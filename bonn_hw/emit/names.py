# SPDX-License-Identifier: BSD-3-Clause
"""Names of top modules: one for each design, so that several networks fit into one project."""

from __future__ import annotations

import re
from pathlib import Path

from bonn_hw.emit.top import TOP
from bonn_hw.errors import UserError
from bonn_hw.ir.rtl import PREFIX

LONGEST = 64
# Of IEEE 1800-2017 and 1364-2001, without their underscores.
WORDS = """
acceptson alias always alwayscomb alwaysff alwayslatch and assert assign assume automatic before
begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker
class clocking cmos config const constraint context continue cover covergroup coverpoint cross
deassign default defparam design disable dist do edge else end endcase endchecker endclass
endclocking endconfig endfunction endgenerate endgroup endinterface endmodule endpackage
endprimitive endprogram endproperty endspecify endsequence endtable endtask enum event eventually
expect export extends extern final firstmatch for force foreach forever fork forkjoin function
generate genvar global highz0 highz1 if iff ifnone ignorebins illegalbins implements implies
import incdir include initial inout input inside instance int integer interconnect interface
intersect join joinany joinnone large let liblist library local localparam logic longint
macromodule matches medium modport module nand negedge nettype new nexttime nmos nor
noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive
priority program property protected pull0 pull1 pulldown pullup pulsestyleondetect
pulsestyleonevent pure rand randc randcase randsequence rcmos real realtime ref reg rejecton
release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1 salways scalared seventually
snexttime suntil suntilwith sequence shortint shortreal showcancelled signed small soft solve
specify specparam static string strong strong0 strong1 struct super supply0 supply1 syncaccepton
syncrejecton table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1
tri tri0 tri1 triand trior trireg type typedef union unique unique0 unsigned until untilwith
untyped use uwire var vectored virtual void wait waitorder wand weak weak0 weak1 while wildcard
wire with within wor xnor xor
"""
KEYWORDS = frozenset(WORDS.split())


def default_top(model: Path) -> str:
    """The name for a model's file: its stem and ``_top``; for ``model.onnx`` that of its folder."""
    stem = model.stem if model.stem != "model" else model.resolve().parent.name
    words = re.sub("[^a-z0-9]+", "_", stem.lower()).strip("_")[:40].strip("_")
    name = f"{words or 'network'}_top"
    return name if name[0].isalpha() and not name.startswith(PREFIX) else f"net_{name}"


def check_top(name: str) -> str:
    """Return a user's name of a top module.

    Raises
    ------
    UserError
        If a module cannot have this name, or one of ours could.
    """
    if not re.fullmatch("[A-Za-z](_?[A-Za-z0-9])*", name) or len(name) > LONGEST:
        raise UserError(
            f"--top {name!r} cannot be the name of a module: take up to {LONGEST} letters, digits "
            "and single _, a letter first and no _ last"
        )
    if name.lower().replace("_", "") in KEYWORDS:
        raise UserError(f"--top {name}: this is a keyword of SystemVerilog: add a word, {name}_top")
    if name.lower() == TOP:
        raise UserError(f"--top {name}: this is its name in a bitstream: add a word, my_{name}")
    if name.lower().startswith(PREFIX):
        raise UserError(f"--top {name}: names that begin with {PREFIX} are those of the kernels")
    return name
