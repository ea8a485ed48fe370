# SPDX-License-Identifier: BSD-3-Clause
"""Depthwise convolution behind a sliding window: sums over the taps of each channel alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.integers import divisors
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Instance, MemoryImage
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.stream import pack_bits
from bonn_hw.ir.tensor import Element, Integers, TensorType
from bonn_hw.kernels.cost import counter, in_block, lut_memory, multiplier, rom_sequence
from bonn_hw.kernels.mvu_sums import weight_element


@dataclass(frozen=True, eq=False)
class Depthwise(Kernel):
    """``sum over taps of weights[c, j, tap] * x[tap, c]`` at every pixel: FINN's VVAU.

    Parameters
    ----------
    pixels : (OH, OW)
        Windows per frame.
    element : Element
        Range of the inputs: bipolar, or integers.
    weights : int8 or int16 ``(C, M, KH * KW)``
        All ±1 (one bit each), or any integers. Output ``c * M + j`` is sum j of channel c; M is
        the channel multiplier, 1 as a rule.
    """

    stem: ClassVar[str] = "depthwise"

    pixels: tuple[int, int]
    element: Element
    weights: NDArray[np.int8 | np.int16]

    def __post_init__(self) -> None:
        if self.weights.ndim != 3 or not np.issubdtype(self.weights.dtype, np.signedinteger):
            raise ValueError(
                "weights are integers (channels, multiplier, taps), not "
                f"{self.weights.dtype} {self.weights.shape}"
            )

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """Windows ``(OH, OW, KH * KW * C)``: the channels of a tap, tap by tap."""
        channels, _, taps = self.weights.shape
        return (TensorType((*self.pixels, taps * channels), self.element),)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """Sums ``(OH, OW, C * M)``."""
        channels, multiples, _ = self.weights.shape
        return (TensorType((*self.pixels, channels * multiples), self._output),)

    @cached_property
    def _weight(self) -> Element:
        return weight_element(self.weights)

    @cached_property
    def _output(self) -> Element:
        """Range of the sums, zero included."""
        low, high = self.element.low, self.element.high
        ends = np.stack([self.weights.astype(np.int64) * low, self.weights.astype(np.int64) * high])
        return Element(
            min(int(ends.min(axis=0).sum(axis=2).min()), -1),
            max(int(ends.max(axis=0).sum(axis=2).max()), 0),
        )

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Compute ``(N, OH, OW, C * M)``."""
        channels, _, taps = self.weights.shape
        windows = frames[0].reshape(-1, *self.pixels, taps, channels).astype(np.int64)
        sums = np.einsum("nhwtc,cjt->nhwcj", windows, self.weights.astype(np.int64))
        return (sums.reshape(len(sums), *self.outputs[0].shape),)

    def foldings(self) -> Iterator[Folding]:
        """SIMD divides the channels; PE is its M-fold."""
        channels, multiples, _ = self.weights.shape
        for lanes in divisors(channels):
            yield Folding(lanes * multiples, lanes)

    def cycles(self, folding: Folding) -> int:
        """KH * KW * C/SIMD cycles per window."""
        return self.inputs[0].size // folding.simd

    def schedule(self, folding: Folding) -> Schedule:
        """One step per beat; those of the last tap emit."""
        folds = self._folds(folding)
        beats = np.arange(1, self._taps * folds + 1, dtype=np.int64)
        emit = beats > beats.size - folds
        return Schedule(beats, beats, emit, 3, repeats=self.pixels[0] * self.pixels[1])

    @property
    def _taps(self) -> int:
        return int(self.weights.shape[2])

    def _folds(self, folding: Folding) -> int:
        return int(self.weights.shape[0]) // folding.simd

    def _memory(self, folding: Folding) -> tuple[int, int]:
        """Words and bits of the memory of weights."""
        return self._taps * self._folds(folding), folding.pe * self._weight.bits

    def resources(self, folding: Folding) -> Resources:
        """Weights, products, adders, and the sums of all folds."""
        folds, bits = self._folds(folding), self._output.bits
        taken, held = self.element.bits, folding.simd * self.element.bits
        # A sum starts at its first product. Yosys chooses the first addend before the carry chain,
        # where that takes LUT of its own (measured).
        adder, several = Resources(lut=bits, ff=bits), folds > 1
        if self.element.bipolar and self._weight.bipolar:
            one = Resources(lut=1, ff=1)  # a product is odd: its lowest bit is a constant
        elif self.element.bipolar:
            one = Resources(lut=self._weight.bits + 2.6, ff=self._weight.bits + 1)
        elif self._weight.bipolar:  # the weight itself is the sign of an unsigned input's product
            one = Resources(lut=taken + 2.4, ff=taken + 1)
        else:
            one = multiplier(taken, self._weight.bits)
            if one.dsp:  # the slice contains adder and registers; sums in two banks have a choice
                held = 0
                adder = Resources(lut=1.2 * bits if folds > 64 else bits / 2, ff=bits * several)
            else:
                one += Resources(lut=2.8 * several, ff=taken + self._weight.bits)
        one += adder
        use = Resources(*(folding.pe * part for part in one.astuple()))
        use += rom_sequence(*self._memory(folding)) + counter(folds) + counter(self._taps)
        return (
            use + _sums(folds, folding.pe * bits) + Resources(lut=4, ff=3 + held + (self._taps > 1))
        )

    def rtl(self, folding: Folding) -> Instance:
        """``depthwise.sv``."""
        folds, (_, multiples, taps) = self._folds(folding), self.weights.shape
        ordered = self.weights.reshape(folds, folding.simd, multiples, taps).transpose(3, 0, 1, 2)
        return Instance(
            "depthwise",
            {
                "LANES": folding.simd,
                "MULTIPLIER": multiples,
                "IN_BITS": self.element.bits,
                "IN_KIND": 0 if self.element.bipolar else 2 if self.element.signed else 1,
                "WEIGHT_BITS": self._weight.bits,
                "TAPS": taps,
                "FOLDS": folds,
                "SUM_BITS": self._output.bits,
                "BLOCK": int(in_block(*self._memory(folding))),
            },
            {"WEIGHTS": MemoryImage(pack_bits(ordered, folding.pe, self._weight))},
            ("cells/counter.sv", "cells/rom.sv", "cells/rom_sequence.sv"),
        )


def _sums(folds: int, width: int) -> Resources:
    """The sums of all folds in LUT memory.

    Yosys reads it by a second register of the address, and so by a port of its own. Whether the
    fold is the last is a register, too.
    """
    if folds == 1:
        return Resources()
    return Resources(lut=lut_memory(folds, width), ff=(folds - 1).bit_length() + 1)
