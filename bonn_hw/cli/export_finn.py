# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw export-finn``: write a build as FINN's hardware graph."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import add_trust
from bonn_hw.cli.exit_codes import DONE
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import Terminal

NAME = "export-finn"
HELP = "write a build as a hardware graph for FINN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "build", metavar="BUILD", type=Path, help="build folder, from 'bonn-hw compile'"
    )
    add_trust(parser)
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, help="default: the folder finn in the build"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write a build as FINN's hardware graph."""
    from bonn_hw import after_build, pipeline

    build = pipeline.Build.load(options.build, options.trust)
    out = options.out or options.build / "finn"
    check_writable(out, "folder")
    for path in after_build.export_finn(build, out):
        terminal.note(f"wrote {path}")
    return DONE
