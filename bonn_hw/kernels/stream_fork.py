# SPDX-License-Identifier: BSD-3-Clause
"""Fork: copy one stream to several stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Elementwise
from bonn_hw.ir.operation import Copies
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.tensor import Integers, TensorType


@dataclass(frozen=True, eq=False)
class StreamFork(Elementwise):
    """Send every beat to each of ``copies`` outputs, when that output is ready.

    The fork holds a beat until the last output has accepted it. If branches that join later differ
    in latency, a FIFO on the faster branch keeps the fork from stalling.
    """

    stem: ClassVar[str] = "stream_fork"

    input: TensorType
    copies: int

    def __post_init__(self) -> None:
        if self.copies < 2:
            raise ValueError(f"a fork has at least 2 copies, not {self.copies}")

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The tensor."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """The same tensor, ``copies`` times."""
        return (self.input,) * self.copies

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Repeat the frames."""
        return frames * self.copies

    def operation(self) -> Copies:
        """The frames, once for each output."""
        return Copies()

    def cycles(self, folding: Folding) -> int:
        """One beat per cycle."""
        return self.input.size // folding.pe

    def schedule(self, folding: Folding) -> Schedule:
        """One step per beat, which goes to every output."""
        return Schedule.elementwise(self.cycles(folding), latency=1)

    def resources(self, folding: Folding) -> Resources:
        """The data register, and a valid flag for each output."""
        data = folding.pe * self.input.element.bits
        return Resources(lut=1.5 * self.copies + 1, ff=data + self.copies)

    def rtl(self, folding: Folding) -> Instance:
        """``stream_fork.sv``."""
        width = folding.pe * self.input.element.bits
        return Instance("stream_fork", {"WIDTH": width, "COPIES": self.copies})
