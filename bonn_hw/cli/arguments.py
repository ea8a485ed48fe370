# SPDX-License-Identifier: BSD-3-Clause
"""Argument types, and arguments that several commands share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def positive(text: str) -> float:
    """A positive, finite number."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def fraction(text: str) -> float:
    """A number above 0 and at most 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0 and at most 1")
    return value


def count(text: str) -> int:
    """A positive whole number."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return value


def seed(text: str) -> int:
    """A whole number, 0 or larger."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 0")
    return value


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers separated by commas."""
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a list of numbers like 2,8,14") from error


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``, for a command that prints a report."""
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write the report as JSON to this file; -: to stdout, instead of the tables",
    )


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add ``--jobs``, for a command that runs parallel processes."""
    parser.add_argument(
        "--jobs",
        type=count,
        metavar="N",
        default=os.cpu_count(),
        help="parallel processes; default: one for each CPU core",
    )


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust``, for a command that reads a build."""
    parser.add_argument(
        "--trust",
        action="store_true",
        help="use a build that was changed by hand or comes from another version; a build can "
        "contain code that runs on this machine",
    )


def add_external_data(parser: argparse.ArgumentParser) -> None:
    """Add the folder of weights that are not in the model file."""
    parser.add_argument(
        "--external-data",
        metavar="FOLDER",
        type=Path,
        help="folder with the files in which the model keeps its weights; nothing else is read",
    )
