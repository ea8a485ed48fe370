# SPDX-License-Identifier: BSD-3-Clause
"""Build -> bitstream and the folder that is copied to the board.

The build's folder ``system`` has the RTL with the shell, the plan and its results. The folder
``board`` has the driver, its metadata and, when it is made, the bitstream.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bonn_hw.bitstream.open import seven_series
from bonn_hw.bitstream.open.families import FLOWS
from bonn_hw.bitstream.pack import bitstream_in, pack
from bonn_hw.bitstream.readback import proof
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.tool_runs import Result
from bonn_hw.bitstream.vivado import flow as vivado
from bonn_hw.bitstream.vivado import plan as vivado_plan
from bonn_hw.bitstream.vivado.portable import results_in
from bonn_hw.bitstream.vivado.results import Built
from bonn_hw.bitstream.vivado.timing_missed import stages_of
from bonn_hw.boards import board as find_board
from bonn_hw.boards import check_clock, check_tool
from bonn_hw.emit.serial import emit_serial
from bonn_hw.emit.system import emit_system
from bonn_hw.emit.write import write
from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.files import MARK, fresh_folder, scratch
from bonn_hw.frontend import Host
from bonn_hw.frontend.numpy_host import tail_of
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.target import Board
from bonn_hw.progress import Progress, silent
from bonn_hw.report.merge import with_implemented
from bonn_hw.report.section_values import Implemented
from bonn_hw.report.values import Bitstream, Report

SYSTEM, BOARD = "system", "board"
NAME = "accelerator"
# The families whose bitstreams can be read back.
READ_BACK = ("zynq-7000", "artix-7")
PROOF_IMAGES = 256  # as many as are simulated at once


def make(
    folder: Path,
    design: FoldedDesign,
    host: Host,
    report: Report,
    board: Board,
    clock_mhz: float,
    tool: str,
    progress: Progress = silent,
    prove: bool = True,
) -> Implemented:
    """Make the bitstream of a build.

    Parameters
    ----------
    folder : Path
        The build's folder.
    report : Report
        The build's report.
    tool : str
        ``vivado`` or ``open``.
    prove : bool
        Read the bitstream of an open flow back to a netlist, which must be the one that was placed;
        on a Zynq-7000 compare its answers with the integer graph's too. This is possible for the
        7 series.

    Returns
    -------
    Implemented
        The figures for the report.

    Raises
    ------
    ToolMissing
        If the tool is not installed. The plan is written nevertheless, and also the folder for the
        board, unless it already has a bitstream.
    UserError
        As `vivado.make_bitstream` and `SevenSeries.make_bitstream`, or if the proof fails; an
        earlier bitstream in the folder for the board is unchanged.
    """
    system, target = folder / SYSTEM, folder / BOARD
    check_tool(board, tool)
    check_clock(board, clock_mhz)
    if tool == "vivado":
        vivado_plan.keep_untaken(system)
    progress("RTL")
    write_system(design, system, board, clock_mhz)
    flow = _flow(tool, system, board, clock_mhz)
    report = _retargeted(report, board, clock_mhz)
    try:
        made = flow(progress)
    except ToolMissing:
        if bitstream_in(target, NAME) is None:
            pack(design, host, report, target, NAME)
        raise
    if prove and tool == "open" and board.family in READ_BACK:
        with _refusing(board, made.folder):
            found = _proof(made, design, host, report, board, progress)
        progress(f"proved from its bits: {found}")
    return _packed(made, design, host, report, board, folder)


@contextmanager
def _refusing(board: Board, folder: Path) -> Iterator[None]:
    """A bitstream that is not proved is a UserError, with the folder that shows it."""
    try:
        yield
    except ReadbackFault as fault:
        raise UserError(
            f"the bitstream for {board.name} is not proved from its bits: {fault}; report this, "
            f"with {folder}; --no-proof packs it nevertheless"
        ) from None


def _proof(
    made: Result,
    design: FoldedDesign,
    host: Host,
    report: Report,
    board: Board,
    progress: Progress,
) -> proof.Proof:
    database, placed = seven_series.database_of(board), made.folder / seven_series.PLACED
    if (pins := seven_series.pins_of(board)) is not None:
        return proof.prove_at_pads(made.folder / f"{NAME}.bit", database, placed, pins, progress)
    images = host.random_frames(PROOF_IMAGES)
    tail = tail_of(host, design.graph.tensors[design.graph.output])
    expected = tail.host.decode(design.graph.run(host.encode(images)))
    with scratch() as folder:
        packed = folder / BOARD
        pack(design, host, report, packed, NAME, made.folder, made.address, made.baud)
        bitstream = packed / f"{NAME}.bit"
        return proof.prove(bitstream, database, placed, images, expected, progress)


def take(
    folder: Path,
    design: FoldedDesign,
    host: Host,
    report: Report,
    place: Path | None = None,
    board: Board | None = None,
    clock_mhz: float | None = None,
    progress: Progress = silent,
) -> Implemented:
    """Take the results of a Vivado plan that was run by hand or on another machine.

    Parameters
    ----------
    place : Path or None
        Folder or archive with the results; None: the build's own folder of the plan.
    board, clock_mhz
        Of the bitstream; None: those of the plan that was run.

    Other parameters, and what is returned, as `make`.

    Raises
    ------
    UserError
        If the results are not those of this build's plan, or not complete, or if timing is missed;
        an earlier bitstream is unchanged.
    """
    system = folder / SYSTEM
    names = (vivado_plan.PLAN, *vivado_plan.results_of(NAME))
    with results_in(place or system / vivado_plan.WORK, names) as results, scratch() as fresh:
        taken = vivado_plan.read_plan(results / vivado_plan.PLAN)
        board = board or find_board(taken.board, folder)
        clock_mhz = clock_mhz or taken.clock_mhz
        check_clock(board, clock_mhz)
        progress("RTL")
        write_system(design, fresh, board, clock_mhz)
        planned = vivado_plan.plan(fresh, board, clock_mhz, NAME)
        progress("checking the results")
        built = vivado.take_results(planned, system, results, stages_of(fresh / "rtl"))
    return _packed(
        _result(built, board), design, host, _retargeted(report, board, clock_mhz), board, folder
    )


def _packed(
    made: Result, design: FoldedDesign, host: Host, report: Report, board: Board, folder: Path
) -> Implemented:
    """Write the folder for the board; returns the figures."""
    figures = replace(made.figures, bitstream=Bitstream(board.name, board.part))
    report = with_implemented(report, figures)
    pack(design, host, report, folder / BOARD, NAME, made.folder, made.address, made.baud)
    return figures


def _flow(tool: str, system: Path, board: Board, clock_mhz: float) -> Callable[[Progress], Result]:
    """The function that makes the bitstream."""
    if tool == "open":
        which = FLOWS[board.family]
        planned = which.plan(system, board, clock_mhz, NAME)
        return lambda progress: which.make_bitstream(planned, board, system, progress)
    vivado_planned = vivado_plan.plan(system, board, clock_mhz, NAME)

    def run(progress: Progress) -> Result:
        progress("Vivado")
        built = vivado.make_bitstream(vivado_planned, system, progress)
        return _result(built, board)

    return run


def _result(built: Built, board: Board) -> Result:
    address = vivado_plan.ADDRESSES.get(board.family)
    return Result(built.folder, built.figures, address=address)


def write_system(design: FoldedDesign, system: Path, board: Board, clock_mhz: float) -> None:
    """Write the accelerator with its shell or serial line to the folder ``rtl``, atomically."""
    with fresh_folder(system / "rtl") as fresh:
        if board.baud is None:
            project = emit_system(design, clock_mhz)
        else:
            project = emit_serial(design, clock_mhz, board.baud)
        write(project, fresh)
        (fresh / MARK).write_text(json.dumps({"top": project.top}) + "\n")


def _retargeted(report: Report, board: Board, clock_mhz: float) -> Report:
    """The report for another board and clock than the build's."""
    target = replace(report.target, board=board.name, part=board.part, clock_mhz=clock_mhz)
    rate = round(clock_mhz * 1e6 / report.cycles_per_frame.predicted, 1)
    rates = replace(report.frames_per_second, predicted=rate)
    return replace(report, target=target, frames_per_second=rates)
