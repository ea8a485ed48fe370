# SPDX-License-Identifier: BSD-3-Clause
"""How a command ends that did not get to its end: the exit code and the message."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from bonn_hw import extras
from bonn_hw.cli.exit_codes import BAD_INPUT, BUG, INTERRUPTED, TERMINATED
from bonn_hw.cli.signals import Terminated
from bonn_hw.errors import Interrupted, UserError

# Errors of the machine that can come from any line.
MACHINE = frozenset(
    (
        *(errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS),
        *(errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    )
)


def ending(
    error: BaseException, command: str, words: Sequence[str], debug: bool
) -> tuple[int, str]:
    """The exit code and the message for what ended a command.

    Parameters
    ----------
    words
        The command line, for the log of a bug.
    debug
        Print the traceback instead of writing it into a log file.
    """
    from bonn_hw.cli import bug_report  # what it needs need not be loaded for ``--help``

    if debug:
        bug_report.print_traceback(error)
    kept = ", and keeps finished designs" if command == "sweep" else ""
    if isinstance(error, Interrupted):
        return TERMINATED if _by_signal(error) else INTERRUPTED, str(error)
    if isinstance(error, UserError):
        return BAD_INPUT, str(error)
    if isinstance(error, Terminated):
        return TERMINATED, f"ended by SIGTERM; a rerun starts clean{kept}"
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, f"interrupted; a rerun starts clean{kept}"
    if isinstance(error, ModuleNotFoundError) and error.name and extras.known(error.name):
        return BAD_INPUT, extras.missing(command, error.name)
    if isinstance(error, MemoryError):
        return BAD_INPUT, f"{command}: the memory is full: try fewer --jobs or a smaller --count"
    if isinstance(error, OSError) and error.errno in MACHINE:
        place = error.filename or "the output"
        return BAD_INPUT, f"{command}: {place}: {error.strerror}: mend this and run it again"
    log = None if debug else bug_report.write_log(error, words)
    return BUG, bug_report.sentence(error, log)


def _by_signal(error: BaseException | None) -> bool:
    """Whether SIGTERM is what an error comes from; Lightning may stand between."""
    while error is not None:
        if isinstance(error, Terminated):
            return True
        error = error.__cause__ or error.__context__
    return False
