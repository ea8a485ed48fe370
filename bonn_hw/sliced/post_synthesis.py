# SPDX-License-Identifier: BSD-3-Clause
"""The netlist that ``synth`` makes -> gates, registers and memories.

It is synthesised for the part and the clock of the build, and nothing is kept that a device would
not have. So there is no probe: the steps of stages are seen in the RTL alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bonn_hw.cache import entry
from bonn_hw.sliced import block_memories
from bonn_hw.sliced.block_memories import Column, Ports
from bonn_hw.sliced.netlist import Netlist
from bonn_hw.sliced.primitives import MAKERS, MODELLED, Bit, Cells, primitives
from bonn_hw.sliced.synthesis import gates
from bonn_hw.synth.cells import bits
from bonn_hw.synth.yosys import Job, run_script

NETLIST, CELLS = "netlist.json", "cells.json"
KEPT = "netlist"  # kind of the cache's entries
# Of DSP slices. Models carry checks of times, which are no function.
MODELS = (
    *("read_verilog -icells +/xilinx/cells_sim.v", "hierarchy -top top", "proc", "flatten"),
    *("delete t:$specify* t:$specrule", "opt_clean", "alumacc"),
)
COMMANDS = ("hierarchy -top top", "bmuxmap")


def synthesised(job: Job) -> dict[str, Any]:
    """The netlist of primitives of a job, from the cache if it was made before.

    Raises
    ------
    ToolMissing
        If Yosys is not installed.
    """

    def make(folder: Path) -> None:
        target = folder.resolve() / NETLIST
        run_script([*job.script, f"write_json {target}"], job.folder, folder / "log")
        for name in ("log", "log.ys"):
            (folder / name).unlink(missing_ok=True)

    path = entry(KEPT, job.key, make) / NETLIST
    found: dict[str, Any] = json.loads(path.read_text())["modules"]["top"]
    return found


def as_gates(module: Mapping[str, Any], folder: Path, fan_in: int = 2) -> Netlist:
    """A netlist of primitives, in Yosys' JSON form, as gates; a folder has the files in between.

    Parameters
    ----------
    fan_in : int
        The most inputs of a gate (`synthesis.gates`).

    Raises
    ------
    UserError
        If a primitive has a form that is not simulated.
    """
    path, made = folder.resolve() / CELLS, translated(module)
    path.write_text(json.dumps({"creator": "bonn_hw", "modules": {"top": made}}))
    modelled = any(cell["type"] in MODELLED for cell in made["cells"].values())
    commands = [f"read_json {path}", *(MODELS if modelled else ()), *COMMANDS]
    return gates(commands, folder, fan_in)


def translated(module: Mapping[str, Any]) -> dict[str, Any]:
    """A module of primitives as one of Yosys' own cells, in its JSON form."""
    ports = module["ports"]
    nets = {net for cell in module["cells"].values() for some in cell["connections"].values()
            for net in some}  # fmt: skip
    nets |= {net for one in (*ports.values(), *module["netnames"].values()) for net in one["bits"]}
    used: set[Bit] = {net for cell in module["cells"].values() for net in bits(cell, "input")}
    used |= {net for port in ports.values() for net in port["bits"]}
    out = Cells(ports["clk"]["bits"][0], 1 + max(net for net in nets if isinstance(net, int)))
    memories: dict[Ports, list[Column]] = {}
    for one in primitives(module):
        if one.kind in MAKERS:
            MAKERS[one.kind](out, one)
        elif block_memories.is_memory(one.kind):
            for shared, column in block_memories.columns(out, one, used):
                memories.setdefault(shared, []).append(column)
        elif one.kind in MODELLED:
            out.made[one.name] = dict(module["cells"][one.name])
        else:
            raise one.refuse("is a primitive")
    for shared, some in memories.items():
        block_memories.add(out, shared, some)
    names = {name: one for name, one in module["netnames"].items() if name != "probe"}
    names["$start"] = {
        "hide_name": 1,
        "bits": [*out.starts],
        "attributes": {"init": "".join(reversed([*out.starts.values()]))},
    }
    return {"attributes": {"top": 1}, "ports": ports, "cells": out.made, "netnames": names}
