# SPDX-License-Identifier: BSD-3-Clause
"""Progress of a long step: it calls a function with one line of text."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]


def silent(text: str) -> None:
    """A Progress that shows nothing."""
