# SPDX-License-Identifier: BSD-3-Clause
"""A finished .bit, read back: it is the netlist that was placed, and the driver can use it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.bitstream.open.xray import Database
from bonn_hw.bitstream.readback import circuit, equality, features, frames, shell_registers
from bonn_hw.bitstream.readback import placed as placed_netlist
from bonn_hw.bitstream.readback.board import Boards
from bonn_hw.bitstream.readback.boundary import (
    PROCESSING_SYSTEM,
    Boundary,
    pads_of,
    ports_of,
)
from bonn_hw.bitstream.readback.frames import Frames, ReadbackFault
from bonn_hw.bitstream.readback.machine import LanesMachine
from bonn_hw.bitstream.readback.netlist import Netlist
from bonn_hw.bitstream.readback.placed import Placed
from bonn_hw.bitstream.readback.wiring import Wiring
from bonn_hw.driver import Accelerator, AcceleratorError
from bonn_hw.progress import Progress, silent


@dataclass(frozen=True)
class Proof:
    """What was read back and compared.

    Attributes
    ----------
    images : int
        Images whose answers were equal; 0: none were asked.
    tables, registers, memories : int
        Parts of the netlist; a memory has 18 kbit.
    cycles : int
        Simulated cycles, of every board.
    seconds : float
        Of reading back and simulating.
    """

    images: int
    tables: int
    registers: int
    memories: int
    cycles: int
    seconds: float

    def __str__(self) -> str:
        parts = (
            f"bits -> {self.tables} tables, {self.registers} registers, {self.memories} memories "
            "-> equal to what was placed"
        )
        return f"{self.images} images: {parts}, with the expected answers" if self.images else parts


def prove(
    bitstream: Path,
    database: Database,
    placed: Path,
    images: NDArray[np.float32],
    expected: NDArray[Any],
    progress: Progress = silent,
) -> Proof:
    """Show that a bitstream is the netlist that was placed, and answers images as expected.

    Parameters
    ----------
    bitstream : Path
        In a folder that `pack` wrote.
    placed : Path
        Yosys' netlist; `placed.read` says in which form.
    images, expected
        Inputs, and the answers of the model, float32.

    Raises
    ------
    ReadbackFault
        If it does not, with the reason.
    """
    start = time.perf_counter()
    asked, system = asked_on(database, placed, None)
    netlist = as_placed(bitstream, database, asked, system, progress)
    progress(f"simulating {len(netlist.tables)} tables that were read back")
    cycles = answer(netlist, bitstream, images, expected)
    return _proof(netlist, start, len(images), cycles)


def prove_at_pads(
    bitstream: Path, database: Database, placed: Path, pins: Path, progress: Progress = silent
) -> Proof:
    """Show that a bitstream is the netlist that was placed, between the pads of the package.

    Parameters
    ----------
    pins : Path
        The constraints (.xdc) with the pin of each port.

    The others, and the error, as `prove`.
    """
    start = time.perf_counter()
    asked, pads = asked_on(database, placed, pins)
    return _proof(as_placed(bitstream, database, asked, pads, progress), start)


def asked_on(database: Database, placed: Path, pins: Path | None) -> tuple[Placed, Boundary]:
    """The netlist that was placed, and where it begins and ends.

    Parameters
    ----------
    pins : Path or None
        The constraints (.xdc) with the pin of each port; None: it is at the processing system.
    """
    if pins is None:
        return placed_netlist.read(placed), PROCESSING_SYSTEM
    asked = placed_netlist.read(placed, ports_of(pins))
    if asked.clock is None:
        raise ReadbackFault("the netlist that was placed has no clock from a pad")
    return asked, pads_of(database, asked.netlist.outputs, asked.clock)


def _proof(netlist: Netlist, start: float, images: int = 0, cycles: int = 0) -> Proof:
    return Proof(
        images,
        len(netlist.tables),
        len(netlist.registers),
        len(netlist.memories),
        cycles,
        round(time.perf_counter() - start, 1),
    )


def as_placed(
    bitstream: Path,
    database: Database,
    asked: Placed,
    boundary: Boundary,
    progress: Progress = silent,
) -> Netlist:
    """Read a bitstream back; raises ReadbackFault if it is not the netlist that was placed."""
    progress("reading the bitstream back")
    read = frames.read(bitstream.read_bytes(), database.part_file.with_name("part.json"))
    netlist = netlist_of(read, Wiring(database), boundary)
    progress("comparing it with the netlist that was placed")
    told = equality.difference(netlist, asked)
    if told is not None:
        raise ReadbackFault(f"the bits are not the netlist that was placed: {told}")
    return netlist


def netlist_of(read: Frames, wiring: Wiring, boundary: Boundary = PROCESSING_SYSTEM) -> Netlist:
    """Frames -> netlist; raises ReadbackFault if they have none."""
    return circuit.read(features.decode(read, wiring.database), wiring, boundary)


def answer(
    netlist: Netlist, bitstream: Path, images: NDArray[np.float32], expected: NDArray[Any]
) -> int:
    """Ask a netlist through its registers and memory; returns the simulated cycles.

    Raises
    ------
    ReadbackFault
        If it does not do what the driver expects, or an answer differs.
    """
    facts = json.loads(bitstream.with_suffix(".json").read_text())
    sizes = (facts["input"]["frame_bytes"], facts["output"]["frame_bytes"])
    batch = max(len(images), len(np.load(bitstream.with_suffix(".npz"))["golden_images"]))
    with Boards(netlist, LanesMachine.memory(sizes, batch, 1)) as boards:
        shell_registers.check(boards)
        machine = LanesMachine(boards, sizes, facts["clock_mhz"])
        try:
            with Accelerator(bitstream, machine, batch=batch, check=False) as accelerator:
                found = accelerator.predict(images)
        except AcceleratorError as error:
            raise ReadbackFault(f"the driver says: {error}") from None
    wrong = np.flatnonzero((found != expected).reshape(len(images), -1).any(axis=1))
    if wrong.size:
        raise ReadbackFault(
            f"{wrong.size} of {len(images)} images are answered wrongly, the first is image "
            f"{wrong[0]}"
        )
    return machine.cycles
