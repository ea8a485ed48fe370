# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw compile``: write the accelerator."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import add_json, count
from bonn_hw.cli.design import make_design
from bonn_hw.cli.target import add_target
from bonn_hw.cli.terminal import Terminal
from bonn_hw.cli.verdicts import add_verdicts

NAME = "compile"
HELP = "compile a QONNX model into an accelerator (RTL)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="QONNX file (.onnx)")
    add_target(parser)
    parser.add_argument(
        "--out", metavar="BUILD", type=Path, required=True, help="build folder to write"
    )
    parser.add_argument(
        "--top",
        metavar="NAME",
        help="name of the top module (default: the file's name and _top, such as digits_top)",
    )
    parser.add_argument(
        "--labels-on-chip",
        metavar="K",
        type=count,
        help="send the K best classes, the best first, instead of their scores",
    )
    ports = parser.add_argument_group("ports of the top module (docs/rtl.md)")
    ports.add_argument(
        "--tlast", action="store_true", help="mark the last beat of each output frame with tlast"
    )
    ports.add_argument(
        "--byte-aligned", action="store_true", help="make the widths of tdata multiples of 8"
    )
    ports.add_argument(
        "--aresetn", action="store_true", help="a reset aresetn, active low, instead of rst"
    )
    add_json(parser)
    add_verdicts(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write the accelerator."""
    from functools import partial

    from bonn_hw import pipeline
    from bonn_hw.emit.names import check_top
    from bonn_hw.ir.rtl import Interface

    top = None if options.top is None else check_top(options.top)
    interface = Interface(options.tlast, options.byte_aligned, options.aresetn)
    make = partial(
        pipeline.compile_model, top=top, labels=options.labels_on_chip, interface=interface
    )
    return make_design(options, terminal, make)
