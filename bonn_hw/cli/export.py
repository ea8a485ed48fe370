# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw export``: write a run as QONNX."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.exit_codes import DONE
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import Terminal

NAME = "export"
HELP = "write a trained network as a QONNX file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("run", metavar="RUN", type=Path, help="run folder, from 'bonn-hw train'")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="QONNX file to write (.onnx)"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write a run as QONNX."""
    check_writable(options.out)
    from bonn_hw.nn.export import export

    export(options.run, options.out)
    terminal.note(f"wrote {options.out}")
    return DONE
