# SPDX-License-Identifier: BSD-3-Clause
"""Target boards: one TOML file per board, in this package or the user's own (docs/boards.md)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from bonn_hw.boards.read import read
from bonn_hw.errors import UserError, near
from bonn_hw.ir.target import Board

PACKAGE = Path(__file__).resolve().parent
BOARDS: Mapping[str, Board] = {one.name: one for one in map(read, sorted(PACKAGE.glob("*.toml")))}
COPIES = "board_file"  # folder in a build with a copy of the user's board file
TITLES = {"vivado": "Vivado", "open": "open"}


def board(name: str, build: Path | None = None) -> Board:
    """Look a board up.

    Parameters
    ----------
    name : str
        Name of a board of the package, or path of a board's file, which ends with .toml.
    build : Path or None
        Folder of a build, where `keep` may have put the file of a user's board.

    Raises
    ------
    UserError
        If there is no such board; the message lists all boards.
    """
    if name.endswith(".toml"):
        return read(Path(name))
    if build is not None and (build / COPIES / f"{name}.toml").is_file():
        return read(build / COPIES / f"{name}.toml")
    if name not in BOARDS:
        raise UserError(
            f"board {name!r} is not known; choose one of {', '.join(BOARDS)}, or give the path of "
            f"a board's file, NAME.toml{near(name, BOARDS)}"
        )
    return BOARDS[name]


def keep(chosen: Board, build: Path) -> None:
    """Copy the file of a user's board, and the files that it names, into a build's folder."""
    if chosen.file.parent == PACKAGE:
        return
    (build / COPIES).mkdir()
    own = chosen.open_tools.files if chosen.open_tools else ()
    for file in (chosen.file, *own):
        shutil.copyfile(file, build / COPIES / file.name)


def check_shell(chosen: Board) -> None:
    """Raise UserError if no bitstreams are made for a board."""
    if not chosen.tools:
        raise UserError(
            f"board {chosen.name!r} has no shell, and so no bitstream and no driver: place the "
            "folder rtl of the build into a design of your own (docs/rtl.md), or choose --board "
            f"{', '.join(name for name, one in BOARDS.items() if one.tools)}"
        )


def check_tool(chosen: Board, tool: str) -> None:
    """Raise UserError if a tool cannot make bitstreams for a board."""
    check_shell(chosen)
    if tool not in chosen.tools:
        names = ", ".join(name for name, one in BOARDS.items() if tool in one.tools)
        raise UserError(
            f"board {chosen.name!r} has no {TITLES[tool]} flow; choose one of {names}, or --tool "
            f"{chosen.tools[0]}"
        )


def check_clock(chosen: Board, clock_mhz: float) -> None:
    """Raise UserError if a board does not have a clock."""
    clock = chosen.clock
    if clock.allows(clock_mhz):
        return
    if clock.source == "oscillator":
        raise UserError(
            f"board {chosen.name!r} at {clock_mhz:g} MHz: {chosen.name} runs at "
            f"{clock.default_mhz:g} MHz, by its oscillator; leave --clock-mhz out"
        )
    raise UserError(
        f"clock {clock_mhz:g} MHz is not possible: choose one from {clock.lowest_mhz:g} to "
        f"{clock.highest_mhz:g} MHz"
    )
