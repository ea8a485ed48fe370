# SPDX-License-Identifier: BSD-3-Clause
"""What all flows to a bitstream share: one run at a time, and results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bonn_hw.errors import UserError
from bonn_hw.files import MARK, lock
from bonn_hw.report.section_values import Implemented

TARGET = "bitstream"


@dataclass(frozen=True)
class Result:
    """A bitstream that meets its timing.

    Attributes
    ----------
    folder : Path
        What the tool has made.
    figures : Implemented
        What goes into the build's report.
    address : int or None
        Of the registers; None: the hardware description beside the bitstream tells it.
    baud : int or None
        Bits a second of a board's serial line; None: it has a processing system.
    """

    folder: Path
    figures: Implemented
    address: int | None = None
    baud: int | None = None


@contextmanager
def alone(build: Path) -> Iterator[None]:
    """Keep a second run from a build.

    Raises UserError if there is one, or if ``bitstream`` could not be replaced at the end.
    """
    target = build / TARGET
    if target.exists() and not (target / MARK).is_file():
        raise UserError(
            f"{target} exists and holds no bitstream of ours (it has no {MARK}): move it away"
        )
    with ExitStack() as stack:
        try:
            stack.enter_context(lock(target, patience_s=0))
        except UserError:
            raise UserError(f"another run makes a bitstream of {build}: wait for its end") from None
        yield


def left(build: Path) -> str:
    """What a message about a failure says of the bitstream of an earlier build."""
    if (build / TARGET).exists():
        return f"; the bitstream of an earlier build is unchanged: {build / TARGET}"
    return "; there is no bitstream"
