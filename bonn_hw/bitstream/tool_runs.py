# SPDX-License-Identifier: BSD-3-Clause
"""Common parts of all bitstream flows: a lock for each build, and results."""

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
        Folder of the tool's results.
    figures : Implemented
        The figures for the build's report.
    address : int or None
        Address of the registers; None: it is in the hardware description next to the bitstream.
    baud : int or None
        Bits per second of a board's serial line; None: it has a processing system.
    """

    folder: Path
    figures: Implemented
    address: int | None = None
    baud: int | None = None


@contextmanager
def exclusive(build: Path) -> Iterator[None]:
    """Lock a build, so that no other run makes a bitstream of it at the same time.

    Raises UserError if there is another run, or if ``bitstream`` must not be replaced.
    """
    target = build / TARGET
    if target.exists() and not (target / MARK).is_file():
        raise UserError(
            f"{target} exists and is not a bitstream folder of bonn-hw (it has no {MARK}): "
            "move it away"
        )
    with ExitStack() as stack:
        try:
            stack.enter_context(lock(target, patience_s=0))
        except UserError:
            raise UserError(f"another run makes a bitstream of {build}: wait for its end") from None
        yield


def earlier_bitstream(build: Path) -> str:
    """The end of an error message: whether there is an earlier bitstream."""
    if (build / TARGET).exists():
        return f"; the bitstream of an earlier build is unchanged: {build / TARGET}"
    return "; there is no bitstream"
