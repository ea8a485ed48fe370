# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw explore``: search the network for a board."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.arguments import add_jobs, add_json, count, positive
from bonn_hw.cli.exit_codes import DONE, MISMATCH
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import Terminal
from bonn_hw.errors import UserError

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
    what.add_argument(
        "--out",
        metavar="STUDY",
        type=Path,
        help="folder of the search; a search that is there already goes on",
    )
    parser.add_argument(
        "--finish",
        metavar="POINT",
        type=count,
        help="do not search: train, export, compile and simulate this point of the front in STUDY",
    )
    parser.add_argument(
        "--gates",
        metavar="STRENGTH",
        type=positive,
        help="with --finish: train gates over the channels of the point with the cost's gradient, "
        "and narrow it; STRENGTH is the loss that the whole hardware is worth, such as 0.5",
    )
    parser.add_argument(
        "--count",
        metavar="N",
        type=count,
        help=f"candidates that --dry-run folds (default: {LISTED}), or test images that --finish "
        "simulates (default: all)",
    )
    parser.add_argument(
        "--sampler",
        choices=("nsga2", "tpe", "random"),
        help="who chooses, instead of the file's; random is the baseline",
    )
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="database of the study, such as postgresql://...; default: SQLite in STUDY",
    )
    add_jobs(parser)
    parser.add_argument(
        "--cluster", metavar="ADDRESS", help="train on the Dask workers of this scheduler"
    )
    add_json(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Search, list or finish."""
    if options.out is not None:
        check_writable(options.out, "folder")
    check_writable(options.json)
    if options.gates is not None and options.finish is None:
        raise UserError("explore: --gates narrows a point of the front: add --finish POINT")
    if options.dry_run:
        return _list(options, terminal)
    if options.finish is not None:
        return _finish(options, terminal)
    return _search(options, terminal)


def _list(options: argparse.Namespace, terminal: Terminal) -> int:
    from bonn_hw.explore import listing, tables
    from bonn_hw.explore.space_file import read_space

    space = read_space(options.file)
    with terminal.progress(NAME) as progress:
        candidates = listing.sample(space, options.count or LISTED)
        listed = listing.fold_all(space, candidates, options.jobs, progress)
    listing.refuse_if_none_fits(listed, space, str(options.file))
    written = [one.row.json() for one in listed]
    terminal.report(written, lambda console: tables.show_listing(listed, space, console))
    return DONE


def _search(options: argparse.Namespace, terminal: Terminal) -> int:
    from bonn_hw.explore import result, show
    from bonn_hw.explore.run import explore

    with terminal.progress(NAME) as progress:
        found = explore(
            options.file,
            options.out,
            options.jobs,
            options.cluster,
            options.sampler,
            options.storage,
            progress,
        )
    written = result.front_row(found).json()
    terminal.report(written, lambda console: show.show_front(found, options.out, console))
    return DONE


def _finish(options: argparse.Namespace, terminal: Terminal) -> int:
    from bonn_hw.explore.finish import finish
    from bonn_hw.explore.space_file import read_space
    from bonn_hw.report import store, tables

    goal = read_space(options.file).goal
    with terminal.progress(NAME) as progress:
        outcome = finish(
            options.out,
            options.finish,
            goal,
            options.count,
            options.jobs,
            progress,
            options.gates,
        )
    report = outcome.report
    terminal.report_text(store.to_json(report), lambda console: tables.show(report, console))
    return DONE if outcome.equal else MISMATCH
