# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw report``: print a report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import STDOUT, Terminal
from bonn_hw.cli.verdicts import add_verdicts, conclude, thresholds
from bonn_hw.errors import UserError

if TYPE_CHECKING:
    from bonn_hw.report.values import Front, Report

NAME = "report"
HELP = "show the report of a build or of foldings"
BESIDE = Path("report.html")  # of the build


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "build", metavar="BUILD", type=Path, nargs="?", help="folder from 'bonn-hw compile' or fold"
    )
    parser.add_argument(
        "--json",
        metavar="FILE",
        type=Path,
        nargs="?",
        const=STDOUT,
        help="write the report as JSON to this file; without a file or with -: to stdout",
    )
    parser.add_argument(
        "--html",
        metavar="FILE",
        type=Path,
        nargs="?",
        const=BESIDE,
        help="write the report as one page to look at, to this file; without a file: report.html "
        "of the build",
    )
    add_verdicts(parser, accuracy=True)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Print a report."""
    from bonn_hw.report import store, tables, verdicts
    from bonn_hw.report.values import Front

    if options.build is None and options.json not in (None, STDOUT):
        options.build, terminal.json = options.json, STDOUT  # ``report --json BUILD``
    if options.build is None and options.html not in (None, BESIDE):
        options.build, options.html = options.html, BESIDE  # ``report --html BUILD``
    if options.build is None:
        raise UserError("report: name the build: bonn-hw report BUILD")
    check_writable(terminal.json)
    check_writable(options.junit)
    page = options.build / BESIDE if options.html is BESIDE else options.html
    check_writable(page)
    report = store.load_build(options.build)
    terminal.report_text(store.to_json(report), lambda console: tables.show(report, console))
    if page is not None:
        _write_page(options.build, report, page, terminal)
    found: tuple[verdicts.Verdict, ...] = ()
    if not isinstance(report, Front):
        limits = thresholds(options)
        if options.junit is not None or limits != verdicts.Thresholds():
            found = (
                *verdicts.of_simulation(report),
                *verdicts.of_thresholds(report, limits),
            )
    return conclude(options, options.build, found, terminal)


def _write_page(build: Path, report: Report | Front, page: Path, terminal: Terminal) -> None:
    from bonn_hw import files
    from bonn_hw.report.page import trades
    from bonn_hw.report.page.beside import page_of
    from bonn_hw.report.values import Front

    if isinstance(report, Front):
        text = trades.front_page(report, build.resolve().name)
    else:
        text = page_of(build)
    with files.fresh_file(page) as partial:
        partial.write_text(text, encoding="utf-8")
    terminal.note(f"page: {page}")
