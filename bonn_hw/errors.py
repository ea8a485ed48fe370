# SPDX-License-Identifier: BSD-3-Clause
"""The errors that a user can cause and can mend; the command line ends with exit code 2 on them."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """One message that names the thing, the value, the rule and the remedy.

    Every error that comes from what a user gave (a file, a flag, a missing tool) is raised as this
    type or a subclass, before anything is written. Other exceptions are bugs: the command line
    ends with exit code 70 on them and keeps their traceback in a log file.
    """


class ToolMissing(UserError):
    """A program or package that a step needs is not installed."""


class Interrupted(UserError):
    """Ctrl-C or SIGTERM ended the work; the message says what was kept and how to go on."""


class Hang(Exception):
    """The RTL stopped: the message gives the cycle, the streams and their counts. A bug of ours."""


class InternalError(Exception):
    """What we promise does not hold: a bug of ours, whatever the user gave."""


class UnsupportedModel(UserError):
    """A model is outside the supported set; the message names the layer and the remedy."""


def near(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean ...?)"`` if `word` is close to one of the `known`, else nothing."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""
