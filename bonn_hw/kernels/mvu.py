# SPDX-License-Identifier: BSD-3-Clause
"""Matrix-vector unit: 1-bit weights and inputs (XNOR-popcount), or few-bit ones."""

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
from bonn_hw.ir.operation import Product
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.rtl import Bits, Instance, MemoryImage
from bonn_hw.ir.schedule import Schedule
from bonn_hw.ir.stream import pack_bits
from bonn_hw.ir.tensor import BIPOLAR, Element, Integers, TensorType
from bonn_hw.kernels.cost import (
    adder_tree,
    adder_tree_depth,
    counter,
    in_block,
    lut_memory,
    multiplier,
    rom,
    rom_sequence,
)

SOURCES = tuple(
    f"cells/{cell}.sv"
    for cell in ("adder_tree", "counter", "delay", "popcount", "rom", "rom_sequence")
)


@dataclass(frozen=True, eq=False)
class Mvu(Kernel):
    """``weights @ x`` at every pixel, then a threshold or an offset.

    Parameters
    ----------
    pixels : (OH, OW)
        Vectors per frame.
    element : Element
        Range of the inputs ``x``: bipolar, or integers.
    weights : int8 or int16 ``(MH, MW)``
        All ±1 (one bit each), or any integers (two's complement).
    thresholds : int64 ``(classes, MH)`` or None
        The output is bipolar: +1 where ``weights @ x >= threshold``.
    offsets : int64 ``(classes, MH)`` or None
        The output is the integer ``weights @ x + offset``. Exactly one of the two is given.
    rows, columns : tuples of OH and OW classes
        The border class of pixel (y, x) is ``rows[y] * (max(columns) + 1) + columns[x]``. A true
        zero of padding is streamed as −1; the thresholds or offsets of the class correct for it.
        Both tuples start at 0 and rise by at most 1. For a 3x3 window with pads of 1 over 4x4
        pixels both are (0, 1, 1, 2), which makes nine classes.
    """

    stem: ClassVar[str] = "mvu"

    pixels: tuple[int, int]
    element: Element
    weights: NDArray[np.int8 | np.int16]
    thresholds: NDArray[np.int64] | None
    offsets: NDArray[np.int64] | None
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    def __post_init__(self) -> None:
        if not np.issubdtype(self.weights.dtype, np.signedinteger):
            raise ValueError(f"weights must be integers, not {self.weights.dtype}")
        if (self.thresholds is None) == (self.offsets is None):
            raise ValueError("either thresholds or offsets must be given")
        for classes, extent in zip((self.rows, self.columns), self.pixels, strict=True):
            rises = np.diff(classes)
            if len(classes) != extent or classes[0] != 0 or not np.isin(rises, (0, 1)).all():
                raise ValueError(f"border classes {classes} must rise from 0 by steps of 1")
        shape = (self.classes, self.weights.shape[0])
        if self.thresholds_or_offsets.shape != shape:
            raise ValueError(f"thresholds or offsets must have the shape {shape}")

    @property
    def thresholds_or_offsets(self) -> NDArray[np.int64]:
        """Thresholds or offsets, ``(classes, MH)``."""
        chosen = self.thresholds if self.offsets is None else self.offsets
        assert chosen is not None  # noqa: S101  # narrows: the constructor refuses both None
        return chosen

    @property
    def classes(self) -> int:
        """Number of border classes."""
        return (self.rows[-1] + 1) * (self.columns[-1] + 1)

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """Vectors ``(OH, OW, MW)``."""
        return (TensorType((*self.pixels, self.weights.shape[1]), self.element),)

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """Vectors ``(OH, OW, MH)``."""
        return (TensorType((*self.pixels, self.weights.shape[0]), self._output_element),)

    @cached_property
    def _weight(self) -> Element:
        """Range of the weights."""
        return weight_element(self.weights)

    @property
    def _counts(self) -> bool:
        """Whether weights and inputs are 1-bit: the unit is an XNOR-popcount."""
        return self.element.bipolar and self._weight.bipolar

    @cached_property
    def _sums(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Smallest and largest ``weights @ x``, ``(MH,)`` each."""
        low, high = self.element.low, self.element.high
        positive = np.maximum(self.weights, 0).sum(axis=1, dtype=np.int64)
        negative = positive - self.weights.sum(axis=1, dtype=np.int64)
        return positive * low - negative * high, positive * high - negative * low

    @property
    def _bounds(self) -> tuple[int, int]:
        """Smallest and largest ``weights @ x`` of any neuron."""
        low, high = self._sums
        return int(low.min()), int(high.max())

    @cached_property
    def _adds(self) -> tuple[int, NDArray[np.int64]]:
        """Scale and shift from the RTL's sum h: ``weights @ x = scale * h - shift``.

        ========  =======  ========================================  =====  =======================
        weights   inputs   h                                         scale  shift
        ========  =======  ========================================  =====  =======================
        1-bit     1-bit    number of pairs that agree (popcount)     2      MW
        few-bit   1-bit    sum of the weights where the input is +1  2      sum of the weights
        1-bit     few-bit  sum of x, inverted (−x − 1) at weight −1  1      −(number of weights −1)
        few-bit   few-bit  ``weights @ x``                           1      0
        ========  =======  ========================================  =====  =======================

        For example, weights (+1, −1, +1) and bits (+1, +1, +1) agree twice: 2 * 2 − 3 = 1.
        """
        high, wide = self.weights.shape
        if self._counts:
            return 2, np.full(high, wide)
        if self.element.bipolar:
            return 2, self.weights.sum(axis=1, dtype=np.int64)
        if self._weight.bipolar:
            return 1, -(self.weights < 0).sum(axis=1, dtype=np.int64)
        return 1, np.zeros(high, np.int64)

    @cached_property
    def _output_element(self) -> Element:
        if self.offsets is None:
            return BIPOLAR
        low, high = self._bounds
        return Element(low + int(self.offsets.min()), high + int(self.offsets.max()))

    @cached_property
    def _transposed(self) -> NDArray[np.floating]:
        # Sums of integers below 2**24 are exact in float32 in any order, and BLAS is fast. Partial
        # sums may be larger than any complete sum, so `_bounds` is not enough here.
        largest = max(abs(self.element.low), abs(self.element.high))
        reach = int(np.abs(self.weights.astype(np.int64)).sum(axis=1).max()) * largest
        return self.weights.T.astype(np.float32 if reach < 2**24 else np.float64)

    def reference(self, *frames: Integers) -> tuple[Integers, ...]:
        """Compute ``(N, OH, OW, MH)``."""
        weights = self._transposed
        vectors = frames[0].reshape(-1, weights.shape[0]).astype(weights.dtype)
        sums = (vectors @ weights).reshape(-1, *self.outputs[0].shape)
        constants = self.thresholds_or_offsets
        constants = constants[self._class_of_pixel] if self.classes > 1 else constants[0]
        if self.offsets is None:
            # A threshold outside the range of sums means never or always; clipping keeps that.
            low, high = self._bounds
            above = sums >= np.clip(constants, low, high + 1).astype(weights.dtype)
            return (above.astype(np.int8) * np.int8(2) - np.int8(1),)
        return (sums.astype(np.int32 if weights.dtype == np.float32 else np.int64) + constants,)

    def operation(self) -> Product:
        """The product with a threshold or an offset."""
        constants, compares = self.thresholds_or_offsets, self.offsets is None
        return Product(self.weights, constants, compares, self._class_of_pixel)

    @property
    def _class_of_pixel(self) -> NDArray[np.int64]:
        """Border class of each pixel, ``(OH, OW)``."""
        rows, columns = np.array(self.rows), np.array(self.columns)
        classes: NDArray[np.int64] = rows[:, None] * (self.columns[-1] + 1) + columns
        return classes

    def foldings(self) -> Iterator[Folding]:
        """PE divides MH, SIMD divides MW."""
        high, wide = self.weights.shape
        for pe in divisors(high):
            for simd in divisors(wide):
                yield Folding(pe, simd)

    def folds(self, folding: Folding) -> tuple[int, int]:
        """Neuron folds NF = MH/PE and synapse folds SF = MW/SIMD."""
        high, wide = self.weights.shape
        return high // folding.pe, wide // folding.simd

    def cycles(self, folding: Folding) -> int:
        """NF * SF cycles per vector."""
        neuron_folds, synapse_folds = self.folds(folding)
        return self.pixels[0] * self.pixels[1] * neuron_folds * synapse_folds

    def depth(self, folding: Folding) -> int:
        """Beats of the input buffer: 0 if every beat is used only once."""
        neuron_folds, synapse_folds = self.folds(folding)
        return 0 if neuron_folds == 1 else max(2, synapse_folds)

    def schedule(self, folding: Folding) -> Schedule:
        """One step per neuron fold and synapse fold; the first neuron fold waits for its beats."""
        neuron_folds, synapse_folds = self.folds(folding)
        synapse = np.arange(synapse_folds, dtype=np.int64)
        need = np.full((neuron_folds, synapse_folds), synapse_folds, np.int64)
        need[0] = synapse + 1
        release = np.zeros_like(need)
        release[-1] = synapse + 1
        emit = np.zeros(need.shape, np.bool_)
        emit[:, -1] = True
        vectors = np.arange(self.pixels[0] * self.pixels[1], dtype=np.int64) * synapse_folds
        return Schedule(
            np.add.outer(vectors, need.reshape(-1)).reshape(-1),
            np.add.outer(vectors, release.reshape(-1)).reshape(-1),
            np.tile(emit.reshape(-1), vectors.size),
            latency=2 + self.cuts(folding),
            capacity=self.depth(folding),
        )

    def cuts(self, folding: Folding) -> int:
        """Pipeline registers inside the sum of a beat, for a logic depth of at most five."""
        numbers = -(-folding.simd // 3) if self._counts else folding.simd
        return (adder_tree_depth(numbers) + 2) // 3

    @cached_property
    def _level(self) -> tuple[Element, NDArray[np.int64]]:
        """Contents of the memory LEVELS of mvu.sv: their range and values ``(classes, MH)``.

        With thresholds the RTL tests ``h + level >= 0``, so a level is the negated threshold on h.
        Otherwise it adds the level to the sum.
        """
        scale, shift = self._adds
        if self.thresholds is not None:
            low, high = self._sums
            clipped = np.clip(self.thresholds, low, high + 1)  # always and never are kept
            levels = (-clipped - shift) // scale  # scale * h >= t + shift <=> h >= -level
            return Element(min(int(levels.min()), -1), max(int(levels.max()), 0)), levels
        assert self.offsets is not None  # noqa: S101  # narrows: the constructor refuses both None
        # Sums are taken modulo 2**bits of the output, so offsets may be as well.
        last = (1 << self._output_element.bits) - 1
        return Element(0, last), self.offsets - shift & last

    @cached_property
    def _sum_bits(self) -> int:
        """Bits of a neuron's accumulator, which starts at its level."""
        scale, shift = self._adds
        if self.thresholds is None:
            return self._output_element.bits - (scale == 2)
        low, high = self._sums
        levels = self._level[1]
        smallest = ((low + shift) // scale + levels).min()
        largest = ((high + shift) // scale + levels).max()
        return Element(min(int(smallest), -1), max(int(largest), 0)).bits

    @cached_property
    def _level_bits(self) -> int:
        """Memory bits per level; bits that are constant or equal to another bit need none."""
        element, levels = self._level
        columns = levels.reshape(-1, 1) >> np.arange(element.bits) & 1
        varying = columns[:, (columns != columns[0]).any(axis=0)]
        return int(np.unique(varying, axis=1).shape[1])

    def _memories(self, folding: Folding) -> tuple[tuple[int, int], tuple[int, int]]:
        """Words and bits per word of the two memories, weights and levels."""
        neuron_folds, synapse_folds = self.folds(folding)
        weights = neuron_folds * synapse_folds, folding.parallelism * self._weight.bits
        return weights, (self.classes * neuron_folds, folding.pe * self._level_bits)

    def _sum(self, folding: Folding) -> Resources:
        """Resources of the sum of a beat for one neuron, without its register."""
        simd, cuts = folding.simd, self.cuts(folding)
        bits, weight_bits = self.element.bits, self._weight.bits
        if self._counts:
            groups = -(-simd // 3)
            # The popcount of three pairs is two LUT of six inputs; fewer pairs share one LUT.
            pairs = Resources(lut=2 * (simd // 3) + (simd % 3 > 0))
            return pairs + adder_tree(groups, 2, False, cuts)
        dsp = 0.0
        if self.element.bipolar:
            terms, lut = weight_bits, simd * weight_bits / 4
        elif self._weight.bipolar:
            terms = bits + (not self.element.signed)
            lut = simd * bits * min(0.375, bits / 16)
        else:
            terms = bits + weight_bits
            product = multiplier(bits, weight_bits)
            lut, dsp = simd * product.lut, simd * product.dsp
        return Resources(lut=lut, dsp=dsp) + adder_tree(simd, terms, True, cuts)

    def resources(self, folding: Folding) -> Resources:
        """Sums, memories and control logic."""
        neuron_folds, synapse_folds = self.folds(folding)
        weights, levels = self._memories(folding)
        bits, cuts = folding.simd * self.element.bits, self.cuts(folding)
        one = self._sum(folding) + Resources(lut=self._sum_bits, ff=self._sum_bits)
        one += Resources(ff=self._output_element.bits)
        use = Resources(*(folding.pe * part for part in one.astuple()))
        use += rom_sequence(*weights) + rom(*levels)
        use += counter(synapse_folds) + counter(neuron_folds)
        use += Resources(lut=6, ff=bits + 4 + cuts * (3 + (levels[0] - 1).bit_length()))
        if self.classes > 1:
            pixels = counter(self.pixels[0]) + counter(self.pixels[1])
            address = (levels[0] - 1).bit_length()
            use += pixels + Resources(lut=8 * address + 5, ff=2 * address)
        if depth := self.depth(folding):
            pointer = depth.bit_length() - 1
            ring = Resources(lut=lut_memory(depth, bits))
            use += ring + Resources(lut=5 * pointer + 8, ff=4 * pointer + 2)
        return use

    def rtl(self, folding: Folding) -> Instance:
        """``mvu.sv``."""
        neuron_folds, synapse_folds = self.folds(folding)
        high, wide = self.weights.shape
        level, values = self._level
        memories = self._memories(folding)
        # Word nf * SF + sf, from bit (pe * SIMD + simd) * WEIGHT_BITS is the weight of neuron
        # nf * PE + pe and input sf * SIMD + simd; levels: word class * NF + nf, from bit
        # pe * LEVEL_BITS.
        shape = (neuron_folds, folding.pe, synapse_folds, folding.simd)
        ordered = self.weights.reshape(shape).transpose(0, 2, 1, 3)
        weights = pack_bits(ordered, folding.parallelism, self._weight)
        level_bits = pack_bits(values, 1, level)
        return Instance(
            "mvu",
            {
                "MH": high,
                "MW": wide,
                "PE": folding.pe,
                "SIMD": folding.simd,
                "WEIGHT_BITS": self._weight.bits,
                "IN_BITS": self.element.bits,
                "IN_KIND": 0 if self.element.bipolar else 2 if self.element.signed else 1,
                "SUM_BITS": self._sum_bits,
                "HAS_THRESHOLDS": int(self.thresholds is not None),
                "OUT_BITS": self._output_element.bits,
                "LEVEL_BITS": level.bits,
                "CUTS": self.cuts(folding),
                "WEIGHTS_IN_BLOCK": int(in_block(*memories[0])),
                "LEVELS_IN_BLOCK": int(in_block(*memories[1])),
                "ROWS": self.pixels[0],
                "COLS": self.pixels[1],
                "ROW_STEPS": _rises(self.rows),
                "COL_STEPS": _rises(self.columns),
                "ROW_CLASSES": self.rows[-1] + 1,
                "COL_CLASSES": self.columns[-1] + 1,
            },
            {
                "WEIGHTS": MemoryImage(weights),
                "LEVELS": MemoryImage(level_bits.reshape(self.classes * neuron_folds, -1)),
            },
            SOURCES,
        )


def weight_element(weights: NDArray[np.int8 | np.int16]) -> Element:
    """Range of weights: bipolar if all are ±1, otherwise of two bits at least."""
    if (np.abs(weights) == 1).all():
        return BIPOLAR
    return Element(min(int(weights.min()), -2), max(int(weights.max()), 1))


def _rises(classes: tuple[int, ...]) -> Bits:
    """Bit i is set where the class of i + 1 is one more than the class of i."""
    value = sum(1 << i for i in range(len(classes) - 1) if classes[i + 1] > classes[i])
    return Bits(len(classes), value)
