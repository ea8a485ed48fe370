# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw synth``: synthesise a build."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.console import Console

from bonn_hw.cli.arguments import count

NAME = "synth"
HELP = "synthesise a build with an open tool"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("build", type=Path, help="build folder")
    parser.add_argument("--kernel", metavar="NAME", help="this stage alone")
    parser.add_argument("--tool", choices=("yosys",), default="yosys", help="default: %(default)s")
    parser.add_argument("--jobs", type=count, default=os.cpu_count(), help="processes")


def run(options: argparse.Namespace, notes: Console) -> int:
    """Synthesise a build."""
    from bonn_hw import pipeline
    from bonn_hw.report import tables

    build = pipeline.Build.load(options.build)
    with notes.status("") as status:
        report = pipeline.synthesise(
            build,
            options.kernel,
            options.jobs,
            lambda text: status.update(f"synth: {text}"),
        )
    tables.show(report, Console(highlight=False))
    return 0
