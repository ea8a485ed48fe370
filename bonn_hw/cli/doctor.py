# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw doctor``: what is installed, what is missing, and how to get it."""

from __future__ import annotations

import argparse

from bonn_hw.cli.arguments import add_json
from bonn_hw.cli.exit_codes import BAD_INPUT, DONE
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import Terminal

NAME = "doctor"
HELP = "show what is installed, what is missing, and how to get it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_json(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Examine the installation."""
    check_writable(terminal.json)
    from bonn_hw.doctor.examination import examine

    found = examine()
    # Without rich, which may be what is missing.
    terminal.report_lines(found.document, [*map(str, found.items), found.verdict])
    return BAD_INPUT if found.lacking else DONE
