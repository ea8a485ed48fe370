# SPDX-License-Identifier: BSD-3-Clause
"""The command ``bonn-hw``. What a user got wrong ends with one message and exit code 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from rich.console import Console

import bonn_hw
from bonn_hw.cli.table import COMMANDS
from bonn_hw.errors import Hang, UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns the exit code: 0 good, 1 mismatches found (by a witness: others than known defects) or
    designs of a sweep refused, 2 user error, 3 the RTL hangs (a bug of ours) or the bitstream's
    tool is not here, 130 interrupted.
    """
    options = make_parser().parse_args(arguments)
    notes = Console(stderr=True, highlight=False)
    command: Callable[[argparse.Namespace, Console], int] = options.command
    try:
        return command(options, notes)
    except UserError as error:
        print(f"bonn-hw: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "brevitas", "lightning", "matplotlib", "sklearn"):
            raise
        print(
            f"bonn-hw: {options.name} needs the package {error.name!r}, which is not installed: "
            "pip install 'bonn-hw[train]'",
            file=sys.stderr,
        )
        return 2
    except Hang as error:
        print(f"bonn-hw: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        kept = ", and keeps finished designs" if options.name == "sweep" else ""
        print(f"bonn-hw: interrupted; a rerun starts clean{kept}", file=sys.stderr)
        return 130


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line, with all commands."""
    parser = argparse.ArgumentParser(prog="bonn-hw", description=bonn_hw.__doc__)
    parser.add_argument("--version", action="version", version=bonn_hw.__version__)
    subparsers = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.NAME, help=command.HELP)
        command.add_arguments(subparser)
        subparser.set_defaults(command=command.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
