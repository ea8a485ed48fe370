# SPDX-License-Identifier: BSD-3-Clause
"""RTL with its shell -> bitstream of a Zynq-7020 by open tools alone.

Yosys, nextpnr, our assembler of frames over prjxray's database, xc7frames2bit. The chain's known
defects are kept away from: no LUT memories, shift registers or DSP, no cascaded block memories, the
processing system's clock. Every bitstream is decoded and compared with what it was made of.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bonn_hw.artifacts import MARK, fresh_folder, writing
from bonn_hw.boards import board as find_board
from bonn_hw.build import open_tools, xray
from bonn_hw.build.fasm import FasmFault, Feature, read
from bonn_hw.build.open_tools import Toolchain
from bonn_hw.build.work import TARGET, Progress, Result, alone, left, run
from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.synth import yosys

BOARDS = ("pynq-z1", "pynq-z2")
DEVICE = "xc7z020"
ADDRESS = 0x40000000  # of the registers: where M_AXI_GP0 begins
WORK = "open"
TEMPLATES = ("gp_port.sv", "zynq.v")
SYNTHESIS = "synth_xilinx -family xc7 -flatten -abc9 -nolutram -nosrl -nodsp -top zynq"
# What the rest of the chain is known to do right.
CELLS = re.compile(
    r"LUT[1-6]|INV|MUXF[78]|CARRY4|FD[RSCP]E|RAMB(18|36)E1|BUFG|PS7|GND|VCC|\$scopeinfo"
)
# Written by hand: the router leaves these out for ports of width 1 and 9 of a whole block memory.
NARROW = ("RAMB36.BRAM36_READ_WIDTH_B_1", "RAMB36.BRAM36_WRITE_WIDTH_A_1")
STAMP = {b"c\0\x0b": b"1970/01/01\0", b"d\0\x09": b"00:00:00\0"}  # the same input, the same bytes


@dataclass(frozen=True)
class OpenPlan:
    """What will be run on what; it names no folder of a machine.

    Attributes
    ----------
    script : tuple of str
        Yosys' commands, run in ``rtl``.
    command : tuple of str
        nextpnr and its arguments, run in ``open``; the device's data are added where it runs.
    sources : mapping
        Files under ``rtl`` and of ours: relative name to SHA-256.
    """

    board: str
    part: str
    clock_mhz: float
    name: str
    script: tuple[str, ...]
    command: tuple[str, ...]
    sources: Mapping[str, str]
    tool: str = "open"

    def json(self) -> str:
        """The plan as text."""
        return json.dumps({"schema": 1} | asdict(self), indent=2, sort_keys=True) + "\n"


def templates_folder() -> Path:
    """The folder of the flow's own RTL: in the package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "flows" / "open"
    return inside if inside.is_dir() else package.parent / "flows" / "open"


def plan(system: Path, board: str, clock_mhz: float, name: str = "accelerator") -> OpenPlan:
    """Plan the bitstream of RTL with a shell in ``system/rtl``.

    Raises
    ------
    UserError
        If the open flow has no such board, or the clock is none that the board can give.
    """
    if board not in BOARDS:
        raise UserError(
            f"board {board!r} has no open flow; choose one of {', '.join(BOARDS)}, or --tool vivado"
        )
    if not 10 <= clock_mhz <= 250:
        raise UserError(f"clock {clock_mhz:g} MHz is not possible: choose one from 10 to 250 MHz")
    rtl, part = system / "rtl", find_board(board).part
    files = sorted(path for path in rtl.rglob("*") if path.suffix in (".sv", ".v", ".hex"))
    sources = {path.relative_to(rtl).as_posix(): _digest(path) for path in files}
    sources |= {f"open/{one}": _digest(templates_folder() / one) for one in TEMPLATES}
    modules = [one for one in sources if one.endswith(".sv") and not one.startswith("open/")]
    return OpenPlan(
        board,
        part,
        clock_mhz,
        name,
        script=(
            f"read_verilog -sv -defer {' '.join(modules)} ../{WORK}/gp_port.sv",
            f"read_verilog top.v system.v ../{WORK}/zynq.v",
            # Rings that ask for LUT memory are left to the tool's choice: there is none here.
            f"{SYNTHESIS} -run begin:map_memory",
            "setattr -unset ram_style t:$mem_v2",
            f"{SYNTHESIS} -run map_memory:",
            "delete t:$scopeinfo",
            f"write_json ../{WORK}/netlist.json",
        ),
        command=(
            *(open_tools.ROUTER, "--device", part, "--json", "netlist.json"),
            *("--write", "placed.json", "-o", "fasm=routed.fasm", "--report", "routed.json"),
            *("--freq", f"{clock_mhz:g}", "--timing-allow-fail", "--seed", "1"),
        ),
        sources=sources,
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_bitstream(
    planned: OpenPlan, system: Path, progress: Progress = lambda text: None
) -> Result:
    """Run a plan; minutes for a small network, and many for a large one.

    Raises
    ------
    ToolMissing
        If a program is missing; the plan is written all the same.
    UserError
        For a version of a tool that is too old, a netlist that the chain does not build right, a
        design that does not fit, missed timing, or a bitstream that is not what it was made of.
        What was in ``bitstream`` stays there.
    """
    with alone(system):
        work = system / WORK
        with writing(work):
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            for name in TEMPLATES:
                shutil.copyfile(templates_folder() / name, work / name)
            (work / "plan.json").write_text(planned.json())
        try:
            tools = open_tools.find(DEVICE, planned.part)
            synthesiser = yosys.version()
        except ToolMissing as error:
            raise ToolMissing(f"{error}; the plan is written: {work / 'plan.json'}") from None
        begin = time.perf_counter()
        progress("synthesis (Yosys)")
        yosys.run_script(planned.script, system / "rtl", work / "yosys.log")
        synthesised = time.perf_counter()
        cells = netlist_of(work / "netlist.json")
        refuse(cells)
        _route(planned, tools, system, progress)
        routed = time.perf_counter()
        figures = figures_of(planned, work, system)
        progress("frames")
        _assemble(planned, tools, work, system)
        figures |= {
            "tool": f"yosys {synthesiser}, nextpnr {tools.version}",
            "seconds": {
                "synthesis": round(synthesised - begin, 1),
                "place_and_route": round(routed - synthesised, 1),
                "frames": round(time.perf_counter() - routed, 1),
            },
        }
        return _settle(planned, figures, work, system)


def netlist_of(file: Path) -> Mapping[str, Any]:
    """Cells of the top, which has the most, of a netlist as Yosys or nextpnr writes it."""
    modules = json.loads(file.read_text())["modules"].values()
    return max((module.get("cells", {}) for module in modules), key=len)


def refuse(cells: Mapping[str, Any]) -> None:
    """Raise UserError for cells that the chain is not known to build right."""
    kinds = Counter(cell["type"] for cell in cells.values())
    wrong = {kind: count for kind, count in kinds.items() if not CELLS.fullmatch(kind)}
    for cell in cells.values():
        extensions = [cell["parameters"].get(f"RAM_EXTENSION_{port}", "NONE") for port in "AB"]
        if cell["type"] == "RAMB36E1" and extensions != ["NONE", "NONE"]:
            wrong["cascaded RAMB36E1"] = wrong.get("cascaded RAMB36E1", 0) + 1
    if wrong:
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(wrong.items()))
        raise UserError(
            f"the open tools are not known to build {told} right: compile with another folding, or "
            "use --tool vivado"
        )


def narrow(cells: Mapping[str, Any], database: xray.Database) -> list[Feature]:
    """What is missing in the router's FASM for whole block memories with ports of width 1 or 9."""
    tiles = {(tile["grid_x"], tile["grid_y"]): name for name, tile in database.tiles.items()}
    found = []
    for cell in cells.values():
        widths = {
            int(str(value), 2)
            for name, value in cell["parameters"].items()
            if re.fullmatch(r"(READ|WRITE)_WIDTH_[AB]", name)
        }
        if cell["type"].startswith("RAMB36E1") and widths & {1, 9}:
            place = re.match(r"X(\d+)Y(\d+)/", cell["attributes"]["NEXTPNR_BEL"])
            assert place is not None, cell["attributes"]
            tile = tiles[int(place[1]), int(place[2])]
            found += [Feature(tile, name) for name in NARROW]
    return found


def _route(planned: OpenPlan, tools: Toolchain, system: Path, progress: Progress) -> None:
    work = system / WORK
    command = [str(tools.router), *planned.command[1:], "--chipdb", str(tools.chip)]
    code = run(command, work, work / "nextpnr.log", _teller(progress))
    if code:
        lines = (work / "nextpnr.log").read_text().splitlines()
        faults = [line for line in lines if line.startswith("ERROR:")] or lines[-1:] or [""]
        raise UserError(
            f"nextpnr failed (exit code {code}): {faults[0].strip()}; see {work / 'nextpnr.log'}: "
            f"compile for fewer frames per second if it does not fit{left(system)}"
        )


def _teller(progress: Progress) -> Callable[[str], None]:
    def tell(line: str) -> None:
        found = re.search(r"Running router2|iter=(\d+) .*overused=(\d+)|HeAP Placer", line)
        if line.startswith("Info: Packing"):
            progress("placement (nextpnr)")
        elif found and found[1]:
            progress(f"routing (nextpnr): round {found[1]}, {found[2]} wires with two signals")
        elif found:
            progress("routing (nextpnr); minutes")

    return tell


def figures_of(planned: OpenPlan, work: Path, system: Path) -> dict[str, Any]:
    """Use and timing by the router's results; raises UserError where timing is missed."""
    report = json.loads((work / "routed.json").read_text())
    fasm = (work / "routed.fasm").read_text()
    used = {name: amounts["used"] for name, amounts in report["utilization"].items()}
    clocks = [one["achieved"] for one in report["fmax"].values()]
    reached = min(clocks) if clocks else planned.clock_mhz
    path = worst_path(report)
    if reached < planned.clock_mhz:
        raise UserError(
            f"timing is missed on {planned.board} at {planned.clock_mhz:g} MHz: this placement "
            f"reaches {reached:.1f} MHz, worst path {path}; build again with --clock-mhz "
            f"{int(reached // 5 * 5)}, or compile with smaller SIMD; reports are in {work}"
            f"{left(system)}"
        )
    # The router counts both outputs of a table; a table with contents is one that is used.
    luts = len(set(re.findall(r"^(\w+\.SLICE\w+\.[A-D]LUT)\.INIT", fasm, re.MULTILINE)))
    memories = used.get("RAMB36E1_RAMB36E1", 0) + used.get("RAMB18E1_RAMB18E1", 0) / 2
    return {
        "resources": {
            "lut": {"implemented": luts},
            "ff": {"implemented": used.get("SLICE_FFX", 0)},
            "bram36": {"implemented": memories},
            "dsp": {"implemented": 0},
        },
        "timing": {
            "wns_ns": round(1e3 / planned.clock_mhz - 1e3 / reached, 3),
            "whs_ns": None,
            "clock_mhz": planned.clock_mhz,
            "fmax_mhz": round(reached, 1),
            "worst_path": path,
        },
    }


def worst_path(report: Mapping[str, Any]) -> str | None:
    """The named nets of the slowest path, with where they are declared."""
    if not report["critical_paths"]:
        return None
    hops = [hop for hop in report["critical_paths"][0]["path"] if hop["type"] == "routing"]
    named = [hop for hop in hops if "$" not in hop["net"]] or hops
    ends = dict.fromkeys(hop["net"] for hop in (named[0], named[-1]))
    return f"through {' to '.join(ends)} ({len(hops)} nets)"


def _assemble(planned: OpenPlan, tools: Toolchain, work: Path, system: Path) -> None:
    """FASM to bitstream, and back."""
    database = tools.database
    try:
        added = narrow(netlist_of(work / "placed.json"), database)
        whole = [(work / "routed.fasm").read_text(), *map(str, added), database.required]
        (work / f"{planned.name}.fasm").write_text("\n".join(whole))
        features = list(read("\n".join(whole)))
        (work / "frames.frm").write_text(xray.frames_text(xray.assemble(features, database)))
    except FasmFault as fault:
        raise UserError(
            f"nextpnr {tools.version} and prjxray's database do not fit together: {fault}; take "
            f"both from one source: {open_tools.REMEDY}{left(system)}"
        ) from None
    written = work / f"{planned.name}.bit"
    part = ("--part_file", str(database.part_file), "--part_name", planned.part)
    _call(tools.packer, *part, "--frm_file", "frames.frm", "--output_file", written.name, at=work)
    written.write_bytes(stamped(written.read_bytes()))
    faults = decode_back(tools, written, features)
    if faults:
        raise UserError(
            f"the bitstream is not what it was made of: {'; '.join(faults[:3])}"
            f"{f'; {len(faults) - 3} more' if len(faults) > 3 else ''}; report this, with {work}"
            f"{left(system)}"
        )


def decode_back(tools: Toolchain, bitstream: Path, features: list[Feature]) -> list[str]:
    """What differs between a bitstream and the features that it was made of."""
    told = bitstream.with_suffix(".bits").name
    part = ("--part_file", str(tools.database.part_file))
    _call(tools.reader, *part, "-o", told, "-z", "-y", bitstream.name, at=bitstream.parent)
    bits = xray.read_bits((bitstream.parent / told).read_text())
    return xray.compare(features, bits, tools.database)


def stamped(bitstream: bytes) -> bytes:
    """A bitstream whose header tells no time of day."""
    end = bitstream.index(b"\xff" * 8)
    head = bitstream[:end]
    for key, value in STAMP.items():
        place = head.index(key) + len(key)
        head = head[:place] + value + head[place + len(value) :]
    return head + bitstream[end:]


def _call(program: Path, *arguments: str, at: Path) -> None:
    done = subprocess.run([program, *arguments], cwd=at, capture_output=True, text=True)
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
        raise UserError(f"{program.name} failed (exit code {done.returncode}): {told[0]}")


def _settle(planned: OpenPlan, figures: dict[str, Any], work: Path, system: Path) -> Result:
    """Move results into a fresh folder that replaces the last one."""
    target = system / TARGET
    with fresh_folder(target) as folder:
        for name in (f"{planned.name}.bit", f"{planned.name}.fasm", "routed.json", "plan.json"):
            shutil.copyfile(work / name, folder / name)
        (folder / MARK).write_text(json.dumps(figures, indent=2) + "\n")
    shutil.rmtree(work, ignore_errors=True)
    return Result(target, figures, ADDRESS)
