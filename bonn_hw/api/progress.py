# SPDX-License-Identifier: BSD-3-Clause
"""Progress of a long call: a line with its time, or the user's own function."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bonn_hw.console import progress_line
from bonn_hw.progress import Progress, silent

# None: a line on a terminal, nothing elsewhere; True: a line, elsewhere one a minute; False:
# nothing; or a function, which is called with the text of each step.
Shown = Callable[[str], None] | bool | None


@contextmanager
def shown(what: str, progress: Shown) -> Iterator[Progress]:
    """Yield a function that shows the current step of a call."""
    if callable(progress):
        yield progress
        return
    if progress is False or (progress is None and not sys.stderr.isatty()):
        yield silent
        return
    with progress_line(sys.stderr, what) as step:
        yield step
