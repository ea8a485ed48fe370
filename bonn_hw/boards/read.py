# SPDX-License-Identifier: BSD-3-Clause
"""A board's file (TOML; docs/boards.md) -> Board."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from bonn_hw.boards.table import Table
from bonn_hw.errors import UserError
from bonn_hw.files import shipped
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.target import PREDICTED_INPUTS, Board, Clock, OpenTools

TOOLS = ("vivado", "open")
# By family: regular expression of its parts, its shell, and the tools with a flow for it. Without a
# shell there is a stream accelerator to place into a design of the user's own.
FAMILIES = {
    "zynq-7000": ("xc7z", "axi", TOOLS),
    "zynq-ultrascale-plus": ("xc(zu|k)", "axi", ("vivado",)),
    "artix-7": ("xc7a", "serial", ("open",)),
    "virtex-ultrascale-plus": ("xc(vu|u)", "none", ()),
    "ecp5": ("LFE5", "serial", ("open",)),
    "ice40": ("iCE40", "serial", ("open",)),
    "gowin": ("GW", "serial", ("open",)),
}
# Of families with a serial line: further names of the device in [open], and the suffix of the file
# with the pins.
DEVICES = {
    "artix-7": ((), "xdc"),
    "ecp5": (("package", "speed"), "lpf"),
    "ice40": (("package",), "pcf"),
    "gowin": ((), "cst"),
}
# Settings of the processing system for Vivado's scripts, by family: clocks in MHz, and MIO pins.
FREQUENCIES = {
    "zynq-7000": ("reference_mhz", "pll_mhz", "cpu_mhz", "ddr_mhz"),
    "zynq-ultrascale-plus": ("reference_mhz", "pll_mhz"),
}
PINS = {"zynq-7000": ("ethernet_mio", "sd_mio"), "zynq-ultrascale-plus": ()}
CLOCKS = ("processing-system", "oscillator", "platform")
FEWEST_CYCLES = 4  # clock cycles per bit of the serial line


def read(file: Path) -> Board:
    """Read a board's file; the name of the file is the board's.

    Raises
    ------
    UserError
        With the file, the key, the value and the rule, for the first thing that is wrong.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", file.stem):
        raise UserError(
            f"board file {file}: its name is the board's: letters, digits, _ and - before .toml"
        )
    try:
        document = tomllib.loads(file.read_text())
    except OSError as error:
        raise UserError(f"board file {file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"board file {file} is not TOML: {error}") from error
    return _board(Table(file.resolve(), "", document))


def _board(whole: Table) -> Board:
    family = whole.choice("family", tuple(FAMILIES))
    prefix, shell, possible = FAMILIES[family]
    part = whole.text("part", f"a device of the family {family}", f"{prefix}.+")
    whole.choice("shell", (shell,))
    tools = whole.choices("tools", TOOLS) if possible else ()
    for tool in tools:
        if tool not in possible:
            raise whole.error("tools", f"has {tool!r}, which has no flow for {family}: remove it")
    device_lut, lut_inputs, holds = _resources(whole.table("resources", "every board"))
    clock = _clock(whole.table("clock", "every board"))
    settings = _processing_system(whole, family) if shell == "axi" else {}
    board = Board(
        name=whole.file.stem,
        part=part,
        family=family,
        clock=clock,
        holds=holds,
        device_lut=device_lut,
        lut_inputs=lut_inputs,
        shell=shell,
        tools=tools,
        processing_system=tuple(settings.items()),
        open_tools=_open_tools(whole, family) if "open" in tools else None,
        baud=_baud(whole, clock) if shell == "serial" else None,
        file=whole.file,
    )
    whole.done()
    return board


def _resources(table: Table) -> tuple[int, int, Resources]:
    """LUTs of the device, their inputs, and its resources in the units of the predictions."""
    lut, inputs = table.count("lut"), table.count("lut_inputs", (4, 6))
    lut_per_predicted = (
        1.0 if inputs == PREDICTED_INPUTS else table.number("lut_for_each_predicted")
    )
    ff, bram36, dsp = table.count("ff"), table.count("bram36"), table.count("dsp")
    table.text("source", "the data sheet that these are from")
    table.done()
    return lut, inputs, Resources(lut=int(lut / lut_per_predicted), ff=ff, bram36=bram36, dsp=dsp)


def _clock(table: Table) -> Clock:
    clock = Clock(
        table.number("default_mhz"),
        table.number("lowest_mhz"),
        table.number("highest_mhz"),
        table.choice("from", CLOCKS),
    )
    table.text("source", "the data sheet that these are from")
    if not clock.allows(clock.default_mhz):
        raise table.error(
            "default_mhz",
            f"must lie from lowest_mhz ({clock.lowest_mhz:g}) to highest_mhz "
            f"({clock.highest_mhz:g}), not {clock.default_mhz:g}",
        )
    if clock.source == "oscillator" and not clock.fixed:
        raise table.error("from", "is 'oscillator': lowest_mhz and highest_mhz must be equal")
    table.done()
    return clock


def _processing_system(whole: Table, family: str) -> dict[str, str]:
    table = whole.table("processing_system", f"the family {family}")
    settings = {key: f"{table.number(key):.10g}" for key in FREQUENCIES[family]}
    for key in PINS[family]:
        settings[key] = table.text(key, 'pins such as "16..27"', r"\d+\.\.\d+")
    table.text("source", "where these are from")
    table.done()
    return settings


def _open_tools(whole: Table, family: str) -> OpenTools:
    table = whole.table("open", "the tool 'open'")
    device = table.text("device", "the tools' name of the device", r"[\w-]+")
    if family not in DEVICES:
        table.done()
        return OpenTools(device)
    keys, suffix = DEVICES[family]
    names = {key: table.text(key, f"nextpnr's name of the {key}", r"\w+") for key in keys}
    top = table.text("top", "the name of the top module", r"[A-Za-z_]\w*")
    files = (_file(table, "verilog", "v"), _file(table, "pins", suffix))
    table.done()
    return OpenTools(device, **names, top=top, files=files)


def _file(table: Table, key: str, suffix: str) -> Path:
    """A file next to the board's file, or one of the package."""
    name = table.text(key, f"the name of a .{suffix} file", rf"[\w.-]+\.{suffix}")
    places = (table.file.parent, shipped("flows", "scripts", "open"))
    path = next((place / name for place in places if (place / name).is_file()), None)
    if path is None:
        raise table.error(key, f"is {name!r}: there is no such file in {table.file.parent}")
    return path


def _baud(whole: Table, clock: Clock) -> int:
    table = whole.table("serial", "the shell 'serial'")
    baud = table.count("baud")
    table.done()
    cycles, remainder = divmod(clock.default_mhz * 1e6, baud)
    if remainder or cycles < FEWEST_CYCLES:
        raise table.error(
            "baud",
            f"must divide the clock of {clock.default_mhz:g} MHz by a whole number of at least "
            f"{FEWEST_CYCLES}, not {baud}",
        )
    return baud
