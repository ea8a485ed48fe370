# SPDX-License-Identifier: BSD-3-Clause
"""Limits for CI (``--min-accuracy``, ``--max-lut``, ...) and the file of verdicts."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bonn_hw.cli.arguments import count, fraction, positive
from bonn_hw.cli.exit_codes import DONE, MISMATCH
from bonn_hw.cli.terminal import Terminal

if TYPE_CHECKING:
    from bonn_hw.report.verdicts import Limit, Thresholds, Verdict

BEGIN = time.monotonic()  # this module is imported when the program starts


def add_verdicts(
    parser: argparse.ArgumentParser,
    accuracy: bool = False,
    rate: bool = True,
    depth: bool = False,
) -> None:
    """Add the options for limits, and ``--junit``."""
    group = parser.add_argument_group("for CI", "exit code 1 if a limit is not met")
    if accuracy:
        group.add_argument(
            "--min-accuracy",
            metavar="SHARE",
            type=share,
            help="least accuracy of the RTL, such as 0.97 or 97%%; needs labels",
        )
    group.add_argument(
        "--max-lut",
        metavar="N",
        type=limit,
        help="most LUTs, such as 20000, or 40%% of the board's",
    )
    if rate:
        group.add_argument(
            "--min-fps", metavar="N", type=positive, help="least frames per second at the clock"
        )
    if depth:
        group.add_argument(
            "--max-depth",
            metavar="N",
            type=count,
            help="most LUTs between two registers; the first carry chain of a path is free",
        )
    group.add_argument(
        "--junit", metavar="FILE", type=Path, help="write the verdicts to this JUnit file (.xml)"
    )


def share(text: str) -> float:
    """A number above 0 and at most 1, or a percentage."""
    if text.endswith("%"):
        with suppress(ValueError):
            text = f"{float(text[:-1]) / 100}"
    return fraction(text)


def limit(text: str) -> Limit:
    """A positive number, or a percentage."""
    from bonn_hw.report.verdicts import Limit

    number = text.removesuffix("%")
    try:
        value = positive(number)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f"{text} is not a positive number or a percentage"
        ) from error
    return Limit(value / 100, share=True) if text.endswith("%") else Limit(value)


def thresholds(options: argparse.Namespace) -> Thresholds:
    """The limits that the options state."""
    from bonn_hw.report.verdicts import Thresholds

    return Thresholds(
        accuracy=getattr(options, "min_accuracy", None),
        lut=options.max_lut,
        fps=getattr(options, "min_fps", None),
        depth=getattr(options, "max_depth", None),
    )


def conclude(
    options: argparse.Namespace, subject: Path, verdicts: Sequence[Verdict], terminal: Terminal
) -> int:
    """Write the JUnit file, print what failed, one sentence each, and return the exit code."""
    if options.junit is not None:
        from bonn_hw import files
        from bonn_hw.report.junit import to_junit

        seconds = time.monotonic() - BEGIN
        text = to_junit(f"bonn-hw {options.name}", subject.name, verdicts, seconds)
        with files.fresh_file(options.junit) as partial:
            partial.write_text(text, encoding="utf-8")
    failed = [one for one in verdicts if one.failed]
    for one in failed:
        terminal.error(f"bonn-hw: {options.name}: {one.text}")
    return MISMATCH if failed else DONE
