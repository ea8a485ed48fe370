# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw compile``: write the accelerator."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from bonn_hw.cli.design import make_design
from bonn_hw.cli.target import add_target

NAME = "compile"
HELP = "make an accelerator of a QONNX model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("model", type=Path, help="the .onnx file")
    add_target(parser)
    parser.add_argument("--out", type=Path, required=True, help="build folder")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Write the accelerator."""
    from bonn_hw import pipeline

    return make_design(options, notes, pipeline.compile_model)
