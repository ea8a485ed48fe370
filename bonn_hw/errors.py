# SPDX-License-Identifier: BSD-3-Clause
"""The errors that a user can cause and can fix; the command line ends with exit code 2 on them."""

from collections.abc import Iterable


class UserError(Exception):
    """An error with one message that names the thing, the value, the rule and the remedy.

    Every error that the user's input causes (a file, an option, a missing tool) is raised as this
    type or a subclass, before anything is written. Other exceptions are bugs: the command line
    ends with exit code 70 on them and keeps their traceback in a log file.
    """


class ToolMissing(UserError):
    """A program or package that a step needs is not installed."""


class Interrupted(UserError):
    """Ctrl-C or SIGTERM ended the work; the message says what was saved and how to continue."""


class Hang(Exception):
    """A bug: the RTL stopped. The message has the cycle, the streams and their counts."""


class InternalError(Exception):
    """A bug in bonn-hw, whatever the input of the user."""


class UnsupportedModel(UserError):
    """A model is outside the supported set; the message names the layer and the remedy."""


def near(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean ...?)"`` if `word` is close to one of the `known`, else nothing."""
    import difflib  # here, since most runs name everything rightly

    matches = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
