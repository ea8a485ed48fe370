# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw compile``: write the accelerator."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import add_json
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
    add_json(parser)
    add_verdicts(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write the accelerator."""
    from bonn_hw import pipeline

    return make_design(options, terminal, pipeline.compile_model)
