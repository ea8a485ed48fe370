# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw export-finn``: write a build in FINN's form."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

NAME = "export-finn"
HELP = "write a build as FINN's graph"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("build", type=Path, help="build folder")
    parser.add_argument("--out", type=Path, help="folder; default: finn in the build")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Write a build in FINN's form."""
    from bonn_hw import pipeline

    build = pipeline.Build.load(options.build)
    for path in pipeline.export_finn(build, options.out or options.build / "finn"):
        notes.print(f"wrote {path}", soft_wrap=True)
    return 0
