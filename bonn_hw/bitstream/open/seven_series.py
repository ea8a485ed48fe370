# SPDX-License-Identifier: BSD-3-Clause
"""RTL with its shell or serial line -> bitstream of a 7-series device, with open tools only.

The chain is Yosys, nextpnr, our frame assembler with prjxray's database, and xc7frames2bit. Cells
with which it has known defects are avoided: no LUT memories, shift registers or DSP slices, no
cascaded block memories, and one clock. Every bitstream is decoded and compared with its FASM.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bonn_hw.bitstream.open import toolchain, xray
from bonn_hw.bitstream.open.fasm import FasmFault, Feature, read
from bonn_hw.bitstream.open.flow import (
    NETLIST,
    ROUTED,
    WORK,
    OpenPlan,
    Stopwatch,
    call,
    cells_of,
    device_of,
    publish,
    reading,
    route,
    sources_of,
    synthesise,
    timing_of,
    working,
)
from bonn_hw.bitstream.open.toolchain import Toolchain
from bonn_hw.bitstream.tool_runs import Result, earlier_bitstream
from bonn_hw.boards import check_clock
from bonn_hw.errors import UserError
from bonn_hw.ir.target import Board, OpenTools
from bonn_hw.progress import Progress, silent
from bonn_hw.report.figures import PerResource
from bonn_hw.report.section_values import Implemented, ImplementedAmount
from bonn_hw.report.values import Seconds
from bonn_hw.synth import yosys

SYNTHESIS = "synth_xilinx -family xc7 -flatten -abc9 -nolutram -nosrl -nodsp"
# The cells that the rest of the chain is known to implement correctly.
CELLS = re.compile(
    r"LUT[1-6]|INV|MUXF[78]|CARRY4|FD[RSCP]E|RAMB(18|36)E1|[IO]BUF|BUFG|PS7|GND|VCC|\$scopeinfo"
)
WIDTH = re.compile(r"(READ|WRITE)_WIDTH_[AB]")
NINE = 9  # the width of a port that takes the ninth bits of bytes too
ODD_WIDTHS = (1, NINE)  # of whole block memories: the router omits a feature for each such port
PLACED = "netlist.json.gz"  # what place and route was given
STAMP = {
    b"c\0\x0b": b"1970/01/01\0",
    b"d\0\x09": b"00:00:00\0",
}  # so that bitstreams are reproducible


@dataclass(frozen=True)
class Around:
    """What is around the accelerator in a device.

    Attributes
    ----------
    top : str
        The module of the whole device.
    files : tuple of Path
        The flow's own files.
    reads : tuple of str
        Yosys' commands that read them, and what was emitted as Verilog, in the build's ``rtl``.
    routing : tuple of str
        Further arguments of nextpnr.
    settings : mapping
        As `OpenPlan.settings`.
    """

    top: str
    files: tuple[Path, ...]
    reads: tuple[str, ...]
    routing: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SevenSeries:
    """The open flow of a family of the 7 series.

    Attributes
    ----------
    around : callable
        The board's names for the tools -> what is around the accelerator.
    address : int or None
        Of the registers, if there are any.
    """

    around: Callable[[OpenTools], Around]
    address: int | None = None

    def plan(self, system: Path, board: Board, clock_mhz: float, name: str) -> OpenPlan:
        """Plan the bitstream of RTL with a shell or a serial line in ``system/rtl``.

        Raises
        ------
        UserError
            If the board has no open flow, or does not have that clock.
        """
        check_clock(board, clock_mhz)
        around = self.around(device_of(board))
        sources = sources_of(system / "rtl", around.files)
        synthesis = f"{SYNTHESIS} -top {around.top}"
        return OpenPlan(
            board.name,
            board.part,
            clock_mhz,
            name,
            script=(
                reading(sources),
                *around.reads,
                # Some memories have ram_style distributed: there are no LUT memories here, so
                # drop it.
                f"{synthesis} -run begin:map_memory",
                "setattr -unset ram_style t:$mem_v2",
                f"{synthesis} -run map_memory:",
                "delete t:$scopeinfo",
                f"write_json ../{WORK}/{NETLIST}",
            ),
            command=(
                *(toolchain.ROUTER, "--device", board.part, "--json", NETLIST),
                *("--write", "placed.json", "-o", "fasm=routed.fasm", "--report", ROUTED),
                *("--freq", f"{clock_mhz:g}", "--timing-allow-fail", "--seed", "1"),
                *around.routing,
            ),
            sources=sources,
            settings=around.settings,
        )

    def make_bitstream(
        self, planned: OpenPlan, board: Board, system: Path, progress: Progress = silent
    ) -> Result:
        """Run a plan; this takes minutes for a small network, and longer for a large one.

        Raises
        ------
        ToolMissing
            If a program is missing; the plan is written nevertheless.
        UserError
            For a tool that is too old, a netlist that the chain may implement wrongly, a design
            that does not fit, missed timing, or a bitstream that differs from its FASM. The folder
            ``bitstream`` is not changed then.
        """
        device = device_of(board)
        with working(planned, system, self.around(device).files) as work:
            tools = toolchain.find(device.device, planned.part)
            versions = f"yosys {yosys.version()}, nextpnr {tools.version}"
            watch = Stopwatch()
            check_cells(synthesise(planned, work, progress, join_parity))
            synthesis_s = watch.lap()
            command = [str(tools.router), *planned.command[1:], "--chipdb", str(tools.chip)]
            report = route(command, work, progress)
            timing = timing_of(planned, report, work)
            route_s = watch.lap()
            progress("frames")
            _assemble(planned, tools, work)
            seconds = Seconds(synthesis=synthesis_s, place_and_route=route_s, frames=watch.lap())
            figures = Implemented(
                tool=versions,
                resources=use_of(report, (work / "routed.fasm").read_text()),
                timing=timing,
                seconds=seconds,
            )
            (work / PLACED).write_bytes(gzip.compress((work / NETLIST).read_bytes(), mtime=0))
            files = (f"{planned.name}.bit", f"{planned.name}.fasm", PLACED)
            return publish(planned, figures, work, files, address=self.address, baud=board.baud)


def database_of(board: Board) -> xray.Database:
    """Prjxray's database for a board; raises ToolMissing as `toolchain.find`."""
    return toolchain.find(device_of(board).device, board.part).database


def pins_of(board: Board) -> Path | None:
    """The constraints with a board's pads; None: the processing system is around the circuit."""
    files = device_of(board).files
    return files[1] if files else None


def check_cells(cells: Mapping[str, Any]) -> None:
    """Raise UserError for cells that the chain may implement wrongly."""
    kinds = Counter(cell["type"] for cell in cells.values())
    wrong = {kind: count for kind, count in kinds.items() if not CELLS.fullmatch(kind)}
    for cell in cells.values():
        extensions = [cell["parameters"].get(f"RAM_EXTENSION_{port}", "NONE") for port in "AB"]
        if cell["type"] == "RAMB36E1" and extensions != ["NONE", "NONE"]:
            wrong["cascaded RAMB36E1"] = wrong.get("cascaded RAMB36E1", 0) + 1
    if wrong:
        cells_text = ", ".join(f"{count} {kind}" for kind, count in sorted(wrong.items()))
        raise UserError(
            f"the open tools are not known to implement {cells_text} correctly: compile with "
            "another folding, or use --tool vivado"
        )


def use_of(report: Mapping[str, Any], fasm: str) -> PerResource[ImplementedAmount]:
    """The used resources."""
    used = {name: amounts["used"] for name, amounts in report["utilization"].items()}
    # The router counts both outputs of a LUT; a LUT with INIT is used.
    tables = set(re.findall(r"^(\w+\.SLICE\w+\.[A-D]LUT)\.INIT", fasm, re.MULTILINE))
    memories = used.get("RAMB36E1_RAMB36E1", 0) + used.get("RAMB18E1_RAMB18E1", 0) / 2
    amounts = (len(tables), used.get("SLICE_FFX", 0), memories, 0)
    return PerResource(*map(ImplementedAmount, amounts))


def missing_features(cells: Mapping[str, Any], database: xray.Database) -> list[Feature]:
    """Features that the router omits for 36 kbit block memories with ports of width 1 or 9."""
    tiles = {(tile["grid_x"], tile["grid_y"]): name for name, tile in database.tiles.items()}
    features = []
    for cell in cells.values():
        ports = odd_ports(cell) if cell["type"].startswith("RAMB36E1") else []
        if ports:
            place = re.match(r"X(\d+)Y(\d+)/", cell["attributes"]["NEXTPNR_BEL"])
            if place is None:
                raise FasmFault(f"a block memory lies at {cell['attributes']['NEXTPNR_BEL']}")
            tile = tiles[int(place[1]), int(place[2])]
            features += [Feature(tile, f"RAMB36.BRAM36_{port}_1") for port in ports]
    return features


def odd_ports(cell: Mapping[str, Any]) -> list[str]:
    """The parameters of a block memory that are widths of 1 or 9."""
    return [
        name
        for name, value in sorted(cell["parameters"].items())
        if WIDTH.fullmatch(name) and int(str(value), 2) in ODD_WIDTHS
    ]


def join_parity(cells: Mapping[str, Any]) -> None:
    """Give the ninth bit of written rows to both halves of whole block memories, in place.

    The half that the address names takes it from a pin of its own; the router joins such pins at
    width 1 only.
    """
    for cell in cells.values():
        if cell["type"] == "RAMB36E1":
            for port in "AB":
                if int(cell["parameters"].get(f"WRITE_WIDTH_{port}", "0"), 2) == NINE:
                    pins = cell["connections"][f"DIP{port}DIP"]
                    pins[1] = pins[0]


def _assemble(planned: OpenPlan, tools: Toolchain, work: Path) -> None:
    """FASM -> bitstream; decode it again and compare."""
    database = tools.database
    try:
        added = missing_features(cells_of(work / "placed.json"), database)
        whole = [(work / "routed.fasm").read_text(), *map(str, added), database.required]
        (work / f"{planned.name}.fasm").write_text("\n".join(whole))
        features = list(read("\n".join(whole)))
        (work / "frames.frm").write_text(xray.frames_text(xray.assemble(features, database)))
    except FasmFault as fault:
        raise UserError(
            f"nextpnr {tools.version} and prjxray's database do not fit together: {fault}; take "
            f"both from one source: {toolchain.REMEDY}{earlier_bitstream(work.parent)}"
        ) from None
    written = work / f"{planned.name}.bit"
    part = ("--part_file", str(database.part_file), "--part_name", planned.part)
    call(tools.packer, *part, "--frm_file", "frames.frm", "--output_file", written.name, at=work)
    written.write_bytes(with_fixed_date(written.read_bytes()))
    faults = decode_back(tools, written, features)
    if faults:
        raise UserError(
            f"the bitstream differs from its FASM: {'; '.join(faults[:3])}"
            f"{f'; {len(faults) - 3} more' if len(faults) > 3 else ''}; report this, with {work}"
            f"{earlier_bitstream(work.parent)}"
        )


def decode_back(tools: Toolchain, bitstream: Path, features: list[Feature]) -> list[str]:
    """The differences between a bitstream and its features."""
    decoded = bitstream.with_suffix(".bits").name
    part = ("--part_file", str(tools.database.part_file))
    call(tools.reader, *part, "-o", decoded, "-z", "-y", bitstream.name, at=bitstream.parent)
    bits = xray.read_bits((bitstream.parent / decoded).read_text())
    return xray.compare(features, bits, tools.database)


def with_fixed_date(bitstream: bytes) -> bytes:
    """The bitstream with a fixed date and time in its header."""
    end = bitstream.index(b"\xff" * 8)
    head = bitstream[:end]
    for key, value in STAMP.items():
        place = head.index(key) + len(key)
        head = head[:place] + value + head[place + len(value) :]
    return head + bitstream[end:]
