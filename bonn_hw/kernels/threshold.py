# SPDX-License-Identifier: BSD-3-Clause
"""Threshold: integers to bits, one threshold per channel; used if no matrix unit precedes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Elementwise
from bonn_hw.ir.operation import Compare
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance, MemoryImage
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.stream import pack_bits
from bonn_hw.ir.tensor import BIPOLAR, Integers, TensorType
from bonn_hw.kernels.cost import compare, compare_constant, in_block, rom_sequence


@dataclass(frozen=True, eq=False)
class Threshold(Elementwise):
    """+1 where ``(x >= thresholds[c]) != inverted[c]``, else −1."""

    stem: ClassVar[str] = "threshold"

    input: TensorType
    thresholds: NDArray[np.int64]
    inverted: NDArray[np.bool_]
    in_block: bool | None = None
    """Whether thresholds are in block memory; None: where they cost less at a fixed price."""

    def __post_init__(self) -> None:
        channels = (self.input.shape[2],)
        if self.thresholds.shape != channels or self.inverted.shape != channels:
            raise ValueError(f"one threshold and one inversion for each of {channels[0]} channels")

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The integers."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """One bit per integer."""
        return (TensorType(self.input.shape, BIPOLAR),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Compare ``(N, H, W, C)`` with the thresholds."""
        above = (frames[0] >= self.thresholds) != self.inverted
        return (np.where(above, 1, -1).astype(np.int8),)

    def operation(self) -> Compare:
        """A comparison for each channel."""
        return Compare(self.thresholds, self.inverted)

    def cycles(self, folding: Folding) -> int:
        """One beat per cycle."""
        return self.input.size // folding.pe

    def schedule(self, folding: Folding) -> Schedule:
        """One step per beat, through two registers, or one if the thresholds are constants."""
        latency = 1 if self._folds(folding) == 1 else 2
        return Schedule.elementwise(self.cycles(folding), latency)

    def _folds(self, folding: Folding) -> int:
        return self.input.shape[2] // folding.pe

    @property
    def _fields(self) -> NDArray[np.uint8]:
        """Contents of the memory ``(C, bits + 1)``: a threshold and, as top bit, the inversion.

        Thresholds are clipped to the range of x. A threshold above the range is never reached: it
        becomes the lowest value, which is always reached, with the opposite inversion.
        """
        element = self.input.element
        never = self.thresholds > element.high
        clipped = np.where(never, element.low, np.maximum(self.thresholds, element.low))
        inverted = self.inverted != never
        return np.concatenate(
            [pack_bits(clipped, 1, element), inverted[:, None].astype(np.uint8)], axis=1
        )

    def placements(self) -> Iterator[Threshold]:
        """With the thresholds in LUT, and in block memory."""
        for block in (False, True):
            yield replace(self, in_block=block)

    def resources(self, folding: Folding) -> Resources:
        """Memory of thresholds, comparators, the register before them, the output."""
        folds, lanes, bits = self._folds(folding), folding.pe, self.input.element.bits
        width = lanes * (bits + 1)
        beat = lanes * bits + 1 if folds > 1 else 0
        each = compare(bits, folds) if folds > 1 else compare_constant(bits)
        use = Resources(lut=lanes * each + 2, ff=beat + lanes + 1)
        return use + rom_sequence(folds, width, self.in_block)

    def rtl(self, folding: Folding) -> Instance:
        """``threshold.sv``."""
        element, folds = self.input.element, self._folds(folding)
        return Instance(
            "threshold",
            {
                "LANES": folding.pe,
                "BITS": element.bits,
                "IS_SIGNED": int(element.signed),
                "FOLDS": folds,
                "LEVEL_BITS": element.bits,
                "BLOCK": int(in_block(folds, folding.pe * (element.bits + 1), self.in_block)),
            },
            {"LEVELS": MemoryImage(self._fields.reshape(folds, -1))},
            ("cells/counter.sv", "cells/rom.sv", "cells/rom_sequence.sv"),
        )
