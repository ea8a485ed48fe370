# SPDX-License-Identifier: BSD-3-Clause
"""The exit code and the message of a command that was ended by an exception."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from bonn_hw import extras
from bonn_hw.cli.exit_codes import BAD_INPUT, BUG, INTERRUPTED, TERMINATED
from bonn_hw.errors import Interrupted, UserError
from bonn_hw.tools import Terminated

# Errors of the machine (disk full, no permission, ...) that any line can raise.
MACHINE = frozenset(
    (
        *(errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS),
        *(errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENAMETOOLONG, errno.ELOOP),
    )
)

KEPT = {"sweep": "finished designs", "explore": "what is trained"}
LONGEST = 3000  # characters of a message


def ending(
    error: BaseException, command: str, words: Sequence[str], debug: bool
) -> tuple[int, str]:
    """The exit code and the message for the exception that ended a command.

    Parameters
    ----------
    words
        The command line, for the log of a bug.
    debug
        Print the traceback instead of writing it into a log file.
    """
    from bonn_hw.cli import bug_report  # imported here, so that ``--help`` is fast

    if debug:
        bug_report.print_traceback(error)
    rest = f", and keeps {KEPT[command]}" if command in KEPT else ""
    if isinstance(error, Interrupted):
        return TERMINATED if _by_signal(error) else INTERRUPTED, str(error)
    if isinstance(error, UserError):
        return BAD_INPUT, readable(str(error))
    if isinstance(error, Terminated):
        return error.status, f"ended by {error.name}; a rerun starts clean{rest}"
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, f"interrupted; a rerun starts clean{rest}"
    if isinstance(error, ModuleNotFoundError) and error.name and extras.known(error.name):
        return BAD_INPUT, extras.missing(command, error.name)
    if isinstance(error, MemoryError):
        return BAD_INPUT, f"{command}: the memory is full: try fewer --jobs or a smaller --count"
    if isinstance(error, OSError) and error.errno in MACHINE:
        place = error.filename or "the output"
        said = f"{command}: {place}: {error.strerror}: fix this and run it again"
        return BAD_INPUT, readable(said)
    log = None if debug else bug_report.write_log(error, words)
    return BUG, bug_report.sentence(error, log)


def readable(text: str) -> str:
    """A message that is safe to print: names in files may be very long, or control the terminal."""
    plain = "".join(one if one.isprintable() or one == "\n" else _escaped(one) for one in text)
    if len(plain) <= LONGEST:
        return plain
    return f"{plain[: LONGEST // 2]} ... {plain[-LONGEST // 2 :]}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _by_signal(error: BaseException | None) -> bool:
    """Whether SIGTERM caused an error, directly or through an exception of Lightning."""
    while error is not None:
        if isinstance(error, Terminated):
            return True
        error = error.__cause__ or error.__context__
    return False
