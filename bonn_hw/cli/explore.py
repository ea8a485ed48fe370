# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw explore``: search the network for a board."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import add_jobs, add_json, count
from bonn_hw.cli.exit_codes import DONE
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import Terminal

NAME = "explore"
HELP = "search the network that fits a board and is most accurate"
LISTED = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("file", metavar="SPACE", type=Path, help="space file (.toml)")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--dry-run", action="store_true", help="list what fits the target, and train nothing"
    )
    parser.add_argument(
        "--count",
        metavar="N",
        type=count,
        default=LISTED,
        help="candidates that --dry-run folds; default: %(default)s",
    )
    add_jobs(parser)
    add_json(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Search, list or finish."""
    check_writable(options.json)
    return _list(options, terminal)


def _list(options: argparse.Namespace, terminal: Terminal) -> int:
    from bonn_hw.explore import listing, tables
    from bonn_hw.explore.space_file import read_space

    space = read_space(options.file)
    with terminal.progress(NAME) as progress:
        candidates = listing.sample(space, options.count)
        listed = listing.fold_all(space, candidates, options.jobs, progress)
    listing.refuse_if_none_fits(listed, space, str(options.file))
    written = [tables.row(one) for one in listed]
    terminal.report(written, lambda console: tables.show_listing(listed, space, console))
    return DONE
