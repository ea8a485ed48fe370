# SPDX-License-Identifier: BSD-3-Clause
"""Copy channels: every output channel is a copy of one input channel, of the same pixel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.integers import divisors, power_of_two
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance, MemoryImage
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.stream import pack_bits
from bonn_hw.ir.tensor import Element, Integers, TensorType
from bonn_hw.kernels.cost import counter, in_block, lut_memory, rom_sequence


@dataclass(frozen=True, eq=False)
class CopyChannels(Kernel):
    """Pixels of K channels to pixels of C channels: channel i is channel ``index[i]``.

    A pruned layer computes K filters, and a shortcut needs C channels: copying the results costs
    a pixel's memory instead of C - K filters.

    Parameters
    ----------
    index : int64 ``(C,)``
        From 0 to K - 1, in any order and with any repetition.
    """

    stem: ClassVar[str] = "copy_channels"

    input: TensorType
    index: NDArray[np.int64]

    def __post_init__(self) -> None:
        channels = self.input.shape[2]
        if self.index.ndim != 1 or not self.index.size:
            raise ValueError(f"an index has one dimension, not the shape {self.index.shape}")
        if not 0 <= self.index.min() <= self.index.max() < channels:
            raise ValueError(
                f"indices from {self.index.min()} to {self.index.max()} are not all among "
                f"{channels} channels"
            )

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The frame."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """The frame with the copied channels."""
        height, width, _ = self.input.shape
        return (TensorType((height, width, self.index.size), self.input.element),)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Copy channels of ``(N, H, W, K)``."""
        return (frames[0][..., self.index],)

    def foldings(self) -> Iterator[Folding]:
        """Output lanes that divide C and input lanes that divide K."""
        for pe in divisors(self.index.size):
            for simd in divisors(self.input.shape[2]):
                yield Folding(pe, simd)

    def folds(self, folding: Folding) -> tuple[int, int]:
        """Output and input beats of a pixel."""
        return self.index.size // folding.pe, self.input.shape[2] // folding.simd

    def cycles(self, folding: Folding) -> int:
        """One beat per cycle on the side with more beats: one pixel arrives while one is sent."""
        return self.input.shape[0] * self.input.shape[1] * max(self.folds(folding))

    def schedule(self, folding: Folding) -> Schedule:
        """One step per output beat; all steps of a pixel wait for it, the last one frees it."""
        output_folds, input_folds = self.folds(folding)
        need, release = np.full(output_folds, input_folds), np.zeros(output_folds, np.int64)
        release[-1] = input_folds
        return Schedule(
            need,
            release,
            np.ones(output_folds, np.bool_),
            latency=1,
            capacity=2 * input_folds,
            repeats=self.input.shape[0] * self.input.shape[1],
        )

    def _index_bits(self, folding: Folding) -> int:
        """Bits of an index: a beat of the pixel above, a lane of the beat below."""
        _, input_folds = self.folds(folding)
        return max(1, (input_folds - 1).bit_length() + (folding.simd - 1).bit_length())

    def _index_memory(self, folding: Folding) -> tuple[int, int]:
        """Words and bits per word: the indices of all output lanes, and the mark of the last."""
        return self.folds(folding)[0], folding.pe * self._index_bits(folding) + 1

    def resources(self, folding: Folding) -> Resources:
        """Two pixels in LUT memory for every output lane, lane multiplexers, indices, control."""
        _, input_folds = self.folds(folding)
        bits, beat = self.input.element.bits, folding.simd * self.input.element.bits
        depth = 2 * power_of_two(input_folds)
        banks = -(-depth // 64)
        multiplexer = 0.0 if banks == 1 else 3 + banks / 2 + beat * banks / 4
        chosen = 0.0 if folding.simd == 1 else bits * max(0.5, folding.simd / 4)
        lane = Resources(lut=lut_memory(depth, beat) + multiplexer + chosen, ff=bits)
        lanes = Resources(*(folding.pe * part for part in lane.astuple()))
        control = counter(input_folds) + Resources(lut=7, ff=6)
        return lanes + rom_sequence(*self._index_memory(folding)) + control

    def rtl(self, folding: Folding) -> Instance:
        """``copy_channels.sv``."""
        output_folds, input_folds = self.folds(folding)
        beats, lanes = np.divmod(self.index, folding.simd)
        places = beats << (folding.simd - 1).bit_length() | lanes
        element = Element(0, (1 << self._index_bits(folding)) - 1)
        # Word fold: the index of lane l of the beat from bit l * INDEX_BITS; on top, the last beat.
        words = pack_bits(places, folding.pe, element)
        last = np.zeros((output_folds, 1), np.uint8)
        last[-1] = 1
        return Instance(
            "copy_channels",
            {
                "IN_LANES": folding.simd,
                "OUT_LANES": folding.pe,
                "BITS": self.input.element.bits,
                "IN_FOLDS": input_folds,
                "OUT_FOLDS": output_folds,
                "BLOCK": int(in_block(*self._index_memory(folding))),
            },
            {"INDICES": MemoryImage(np.concatenate([words, last], axis=1))},
            ("cells/counter.sv", "cells/rom.sv", "cells/rom_sequence.sv"),
        )
