# SPDX-License-Identifier: BSD-3-Clause
"""Suggestions for a command or an option that does not exist."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from bonn_hw.errors import near


def check_spelling(
    words: Sequence[str],
    parser: argparse.ArgumentParser,
    subparsers: Mapping[str, argparse.ArgumentParser],
) -> None:
    """End with a usage error, exit code 2, that names the nearest command or option.

    argparse itself would first ask for the arguments that are missing.
    """
    place = next((i for i, word in enumerate(words) if not word.startswith("-")), None)
    if place is None:
        return
    command = words[place]
    if command not in subparsers:
        parser.error(
            f"there is no command {command!r}{near(command, subparsers)}; "
            f"the commands are {', '.join(subparsers)}"
        )
    subparser = subparsers[command]
    # argparse has no public list of a parser's options.
    options = [name for name in subparser._option_string_actions if name.startswith("--")]
    for word in words[place + 1 :]:
        if word == "--":
            return
        name = word.split("=")[0]
        if word.startswith("--") and not any(option.startswith(name) for option in options):
            subparser.error(f"there is no option {name}{near(name, options)}")
