# SPDX-License-Identifier: BSD-3-Clause
"""From a build folder on: synthesis, bitstream, FINN's graph; the figures go into its report."""

from __future__ import annotations

import json
from pathlib import Path

from bonn_hw import files
from bonn_hw.bitstream import make
from bonn_hw.boards import board as find_board
from bonn_hw.boards import check_shell
from bonn_hw.build_folder import Build
from bonn_hw.emit.stored import read_project
from bonn_hw.errors import UserError
from bonn_hw.frontend.numpy_host import tail_of
from bonn_hw.interop import finn_writer
from bonn_hw.progress import Progress, silent
from bonn_hw.report import sections
from bonn_hw.report.page import beside
from bonn_hw.report.section_values import Synthesised
from bonn_hw.report.values import Report
from bonn_hw.synth import run as synth


def synthesise(
    build: Build,
    kernel: str | None = None,
    jobs: int = 1,
    progress: Progress = silent,
) -> Report:
    """Synthesise a build's RTL with Yosys: the whole design and all stages, or one stage.

    Returns the report with the new figures, which is also saved.
    """
    names = [stage.name for stage in build.design.stages]
    if kernel is not None and kernel not in names:
        raise UserError(f"synth: there is no stage {kernel!r}; the stages are {', '.join(names)}")
    target, top = build.report.target, read_project(build.rtl).top
    part, clock_mhz = target.part, target.clock_mhz
    progress("Yosys")
    if kernel is not None:
        whole, stages = (
            None,
            {kernel: synth.synthesise_stage(build.rtl, part, kernel, top, clock_mhz)},
        )
    else:
        whole, stages = synth.synthesise_all(build.rtl, part, names, jobs, top, clock_mhz)
    synthesised = Synthesised(whole=whole, stages=stages, tools={"pyosys": synth.version()})
    report = sections.add_synthesised(build.folder, build.identity, synthesised)
    beside.write_again(build.folder, build.design)
    return report


def bitstream_defaults(build: Build, board: str) -> tuple[str, float]:
    """The default tool and clock in MHz for a board.

    The tool is the board's usual one. The clock is the build's, unless the board has only one.
    UserError if the board has no shell.
    """
    chosen, clock_mhz = find_board(board, build.folder), build.report.target.clock_mhz
    check_shell(chosen)
    return chosen.tools[0], chosen.clock_mhz if chosen.clock.fixed else clock_mhz


def make_bitstream(
    build: Build,
    board: str,
    clock_mhz: float,
    tool: str = "vivado",
    progress: Progress = silent,
    prove: bool = True,
) -> Report:
    """Make the bitstream of a build and the folder that is copied to the board.

    Parameters
    ----------
    board : str
        Name of a board, which may be the build's own, or path of a board's file.
    prove : bool
        As for `bitstream.make.make`.

    Returns the report with the new figures, which is also saved. Raises the same errors as
    `bitstream.make.make`.
    """
    chosen = find_board(board, build.folder)
    implemented = make.make(
        build.folder,
        build.design,
        build.host,
        build.report,
        chosen,
        clock_mhz,
        tool,
        progress,
        prove,
    )
    report = sections.add_implemented(build.folder, build.identity, implemented)
    beside.write_again(build.folder, build.design)
    return report


def take_bitstream(
    build: Build,
    place: Path | None = None,
    board: str | None = None,
    clock_mhz: float | None = None,
    progress: Progress = silent,
) -> Report:
    """Check and pack the bitstream that a plan for Vivado has become on another machine.

    Parameters
    ----------
    place : Path or None
        Folder or archive of the results; None: the folder ``system/vivado`` of the build.
    board, clock_mhz
        Of the bitstream; None: as planned.

    Returns the report as `make_bitstream`. Raises the same errors as `bitstream.make.take`.
    """
    chosen = None if board is None else find_board(board, build.folder)
    implemented = make.take(
        build.folder, build.design, build.host, build.report, place, chosen, clock_mhz, progress
    )
    report = sections.add_implemented(build.folder, build.identity, implemented)
    beside.write_again(build.folder, build.design)
    return report


def board_ends_before(build: Build) -> str:
    """The operator behind the accelerator that the board's driver lacks; empty if it has all."""
    return tail_of(build.host, build.design.graph.tensors[build.design.graph.output]).ends_before


def export_finn(build: Build, out: Path) -> list[Path]:
    """Write a build as FINN's hardware graph, and its folding as FINN's folding file.

    Raises
    ------
    UnsupportedModel
        For a layer that FINN's nodes cannot express; nothing is written then.
    """
    graph = finn_writer.dataflow_graph(build.design, build.host)
    folding = {"Defaults": {}, **finn_writer.foldings(graph)}
    contents = {
        "hardware.onnx": graph.SerializeToString(deterministic=True),
        "folding.json": (json.dumps(folding, indent=1) + "\n").encode(),
    }
    for name, content in contents.items():
        with files.fresh_file(out / name) as partial:
            partial.write_bytes(content)
    return [out / name for name in contents]
