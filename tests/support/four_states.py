# SPDX-License-Identifier: BSD-3-Clause
"""Netlists of Xilinx primitives in four states: what is unknown stays unknown (Icarus Verilog).

Models of the primitives are Yosys' own; those of block memories, which it has none of, are in
`block_memories.sv`.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bonn_hw.pipeline import Build
from bonn_hw.sliced.post_synthesis import synthesised
from bonn_hw.synth import cells
from bonn_hw.verification import netlist_job
from tests.support.event_simulators import Compiled, icarus

MEMORIES = Path(__file__).with_name("block_memories.sv")


def models() -> str:
    """The text of all models."""
    package = Path(find_spec("pyosys").origin or "").parent
    text = (package / "share" / "xilinx" / "cells_sim.v").read_text()
    for kind in ("RAMB18E1", "RAMB36E1"):  # ports without contents
        text, found = re.subn(rf"^module {kind} .*?^endmodule", "", text, flags=re.M | re.S)
        assert found == 1
    return text + MEMORIES.read_text()


def structural(module: Mapping[str, Any], name: str, head: str = "") -> str:
    """A netlist in Yosys' JSON form as a Verilog module of instances.

    Parameters
    ----------
    head : str
        Parameters of the module, which nothing reads.
    """
    ports = module["ports"]
    lines = [f"module {name} {head} ({', '.join(ports)});"]
    for port, one in ports.items():
        lines.append(f"  {one['direction']} [{len(one['bits']) - 1}:0] {port};")
    used = {net for cell in module["cells"].values() for nets in cell["connections"].values()
            for net in nets}  # fmt: skip
    used |= {net for one in ports.values() for net in one["bits"]}
    nets = sorted(net for net in used if isinstance(net, int))
    lines.append(f"  wire {', '.join(map(_name, nets))};")
    for port, one in ports.items():
        to, source = (_joined(one["bits"]), port)[:: 1 if one["direction"] == "input" else -1]
        lines.append(f"  assign {to} = {source};")
    for place, cell in enumerate(module["cells"].values()):
        if cell["type"] not in cells.IGNORED:
            lines += _instance(f"c{place}", cell)
    return "\n".join([*lines, "endmodule", ""])


def _instance(name: str, cell: Mapping[str, Any]) -> Iterator[str]:
    """A cell; bits of outputs that nothing reads get a wire of their own."""
    values = [f".{key}({_value(text)})" for key, text in cell["parameters"].items()]
    pins = []
    for pin, bits in cell["connections"].items():
        shown = _joined(bits)
        if cell["port_directions"][pin] == "output":
            shown = _joined([bit if isinstance(bit, int) else f"{name}_{pin}" for bit in bits])
            if f"{name}_{pin}" in shown:
                yield f"  wire {name}_{pin};"
        pins.append(f".{pin}({shown})")
    parameters = f"#({', '.join(values)}) " if values else ""
    yield f"  {cell['type']} {parameters}{name} ({', '.join(pins)});"


def _name(bit: int | str) -> str:
    if isinstance(bit, int):
        return f"n{bit}"
    return f"1'b{bit}" if len(bit) == 1 else bit


def _joined(bits: Sequence[int | str]) -> str:
    """The last bit of a list in the JSON form is the highest."""
    return f"{{{', '.join(map(_name, reversed(bits)))}}}"


def _value(text: str | int) -> str:
    if isinstance(text, str) and re.fullmatch("[01xz]+", text):
        return f"{len(text)}'b{text}"
    return f'"{text.strip()}"' if isinstance(text, str) else str(text)


def bench(
    build: Build, work: Path, change: Callable[[dict[str, Any]], None] | None = None
) -> Compiled:
    """The test bench of a build's RTL, with the netlist of its synthesis in place of the RTL.

    Parameters
    ----------
    change : function or None
        Plants a fault in the netlist.
    """
    rtl = build.folder / "rtl"
    (top,) = (path.stem for path in rtl.glob("*_top.v"))
    module = synthesised(netlist_job(build))
    if change is not None:
        change(module)
    work.mkdir()
    (work / "models.sv").write_text(models())
    (work / "netlist.v").write_text(structural(module, top, '#(parameter MEMORIES = "")'))
    sources = [work / "models.sv", work / "netlist.v"]
    sources += [rtl / name for name in (rtl / f"{top}_tb.f").read_text().split()]
    return compiled(sources, f"{top}_tb", work, f'-P{top}_tb.FOLDER="{rtl}"')


def compiled(sources: list[Path], top: str, work: Path, *options: str) -> Compiled:
    """Compile with Icarus Verilog."""
    found = icarus()
    assert found, "bonn-hw setup open-toolchain fetches Icarus Verilog"
    made = work / top
    command = [found[0], "-g2012", "-s", top, *options, "-o", str(made), *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return Compiled([found[1], "-n", str(made)])
