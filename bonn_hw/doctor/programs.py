# SPDX-License-Identifier: BSD-3-Clause
"""The programs that bonn-hw runs, and the environments and tool chains beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from bonn_hw import boards, extras, tools
from bonn_hw.bitstream.open import serial_boards, toolchain
from bonn_hw.bitstream.open.families import SERIAL
from bonn_hw.bitstream.open.serial_boards import Chain
from bonn_hw.doctor import packages
from bonn_hw.doctor.item import BASE, Item, State
from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.interop import finn_environment
from bonn_hw.sim import locate
from bonn_hw.timing import native

OPEN_BOARD = "pynq-z2"  # the board whose open tool chain is looked for
ANSWER_S = 60.0


def examine() -> Iterator[Item]:
    """One item a program."""
    yield verilator()
    yield compiler()
    for chain in SERIAL.values():
        yield from of_chain(chain)
    yield open_toolchain()
    yield vivado()
    yield finn()


def verilator() -> Item:
    """Verilator, which simulates the RTL."""
    try:
        found = locate.verilator()
    except ToolMissing as error:
        what, _, remedy = str(error).rpartition(": ")
        if what.startswith("Verilator was not found"):
            return Item("Verilator", State.MISSING, "", BASE, remedy)
        return Item("Verilator", State.WRONG, what, BASE, remedy)
    return Item("Verilator", State.OK, f"{found.version}, {found.binary}", BASE)


def compiler() -> Item:
    """The C++ compiler, which compiles simulators and the cycle model."""
    try:
        path = native.compiler()
    except ToolMissing:
        return Item("C++ compiler", State.MISSING, "", BASE, "apt install g++, or set CXX")
    try:
        done = tools.run([path, "--version"], timeout_s=ANSWER_S)
    except UserError as error:
        return Item("C++ compiler", State.WRONG, str(error), BASE, "set CXX to one that runs")
    first = (done.output.splitlines() or ["no version"])[0]
    if done.code:
        remedy = "set CXX to one that runs"
        return Item("C++ compiler", State.WRONG, f"{path}: {first}", BASE, remedy)
    return Item("C++ compiler", State.OK, f"{first}, {path}", BASE)


def open_toolchain() -> Item:
    """Place and route, packer and database for the 7 series."""
    name, purpose = "open Xilinx tools", "bitstream --tool open on PYNQ-Z1 and -Z2"
    board = boards.board(OPEN_BOARD)
    if board.open_tools is None:
        raise ToolMissing(f"{board.name}: its file names no open tools")
    try:
        found = toolchain.find(board.open_tools.device, board.part)
    except UserError as error:
        what, _, remedy = str(error).partition(": ")
        state = State.MISSING if isinstance(error, ToolMissing) else State.WRONG
        return Item(name, state, what, purpose, remedy)
    return Item(name, State.OK, f"nextpnr {found.version}, {found.router}", purpose)


def vivado() -> Item:
    """AMD's Vivado; it is asked for no version, since it takes seconds to start."""
    path = shutil.which("vivado")
    if path is not None:
        return Item("Vivado", State.OK, path, "bitstream")
    remedy = "install it from AMD and put it on PATH; without it, the plan is written for another "
    return Item("Vivado", State.MISSING, "", "bitstream", remedy + "machine")


def finn() -> Item:
    """FINN's own environment."""
    name, purpose = "FINN environment", "witness"
    try:
        python = finn_environment.python()
    except ToolMissing:
        return Item(name, State.MISSING, "", purpose, "bonn-hw setup finn")
    return Item(name, State.OK, str(python), purpose)


def of_chain(chain: Chain) -> Iterator[Item]:
    """The programs for boards with a serial line; they come from PyPI."""
    for name, package in chain.packages.items():
        path = serial_boards.program(name)
        purpose = packages.PURPOSES[extras.EXTRAS[package]]
        if path is None:
            yield Item(name, State.MISSING, "", purpose, extras.install(package))
        else:
            yield Item(name, State.OK, path, purpose)
