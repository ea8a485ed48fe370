# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw synth``: synthesise a build."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import add_jobs, add_json, add_trust
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import Terminal
from bonn_hw.cli.verdicts import add_verdicts, conclude, thresholds

NAME = "synth"
HELP = "synthesise a build with Yosys and count its resources"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "build", metavar="BUILD", type=Path, help="build folder, from 'bonn-hw compile'"
    )
    add_trust(parser)
    parser.add_argument(
        "--kernel", metavar="NAME", help="this stage only; default: the design and all its stages"
    )
    add_jobs(parser)
    add_json(parser)
    add_verdicts(parser, rate=False, depth=True)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Synthesise a build."""
    from bonn_hw import after_build, pipeline
    from bonn_hw.report import store, tables, verdicts

    build = pipeline.Build.load(options.build, options.trust)
    check_writable(options.build, "folder")
    check_writable(options.json)
    check_writable(options.junit)
    with terminal.progress("synth") as progress:
        report = after_build.synthesise(build, options.kernel, options.jobs, progress)
    terminal.report_text(store.to_json(report), lambda console: tables.show(report, console))
    found = verdicts.of_thresholds(report, thresholds(options))
    return conclude(options, options.build, found, terminal)
