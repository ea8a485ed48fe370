# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw export``: write a run as QONNX."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

NAME = "export"
HELP = "write a run as QONNX"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("--out", type=Path, required=True, help="the .onnx file")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Write a run as QONNX."""
    from bonn_hw.nn.export import export

    export(options.run, options.out)
    notes.print(f"wrote {options.out}")
    return 0
