# SPDX-License-Identifier: BSD-3-Clause
"""The command ``bonn-hw``: reads the command line, runs a command, turns errors into exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress

import bonn_hw
from bonn_hw.cli import exit_codes
from bonn_hw.cli.spelling import check_spelling
from bonn_hw.cli.table import COMMANDS
from bonn_hw.cli.terminal import Terminal
from bonn_hw.console import discard

EPILOG = "exit codes:\n" + "\n".join(
    f"  {code:3}  {meaning}" for code, meaning in exit_codes.MEANING.items()
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code (see `exit_codes`)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # a stream of tests
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        options = _parse(words)  # `--help` ends here, before slow imports
        from bonn_hw import tools

        with tools.ended_by_signals():
            return _run(options, words)
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:  # its reader is gone (`| head`), or its disk is full
                discard(stream)


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser, subparsers = make_parsers(words)
    check_spelling(words, parser, subparsers)
    return parser.parse_args(words)


def _run(options: argparse.Namespace, words: Sequence[str]) -> int:
    from bonn_hw import files
    from bonn_hw.cli import endings

    terminal = Terminal(options.quiet, getattr(options, "json", None))
    try:
        # While this command uses a build, no other command may replace it.
        build = getattr(options, "build", None)
        with files.reading(build) if build is not None else nullcontext():
            code: int = options.command(options, terminal)
    except BaseException as error:
        debug = options.debug or os.environ.get("BONN_HW_DEBUG", "0") not in ("", "0")
        code, text = endings.ending(error, options.name, words, debug)
        terminal.error(f"bonn-hw: {text}")
    return code


def make_parsers(
    words: Sequence[str] | None = None,
) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of the command line, and those of the commands by their names.

    Parameters
    ----------
    words
        The command line: only commands that it names get their arguments; None: all get them.
    """
    parser = argparse.ArgumentParser(
        prog="bonn-hw",
        description=bonn_hw.__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="show program's version number and exit"
    )
    _add_common(parser, default=False)
    choices = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    subparsers = {}
    for command in COMMANDS:
        subparser = choices.add_parser(
            command.NAME, help=command.HELP, description=f"{command.HELP}."
        )
        if words is None or command.NAME in words:
            command.add_arguments(subparser)
            # A default would reset the option given before the command.
            _add_common(subparser, default=argparse.SUPPRESS)
            subparser.set_defaults(command=command.run)
        subparsers[command.NAME] = subparser
    return parser, subparsers


class _Version(argparse.Action):
    """Print the version, which is only read then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(bonn_hw.__version__)
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    return make_parsers()[0]


def _add_common(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument(
        "--quiet",
        action="store_true",
        default=default,
        help="print only errors, and the report if --json - is given",
    )
    parser.add_argument(
        "--debug",
        action="store_true",
        default=default,
        help="show the traceback of an error (also: BONN_HW_DEBUG=1)",
    )


if __name__ == "__main__":
    sys.exit(main())
