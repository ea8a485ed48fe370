# SPDX-License-Identifier: BSD-3-Clause
"""Matrix-vector unit: 1-bit weights and inputs (XNOR-popcount), or few-bit ones."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
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
from bonn_hw.ir.tensor import Element, Integers, TensorType
from bonn_hw.kernels.cost import adder_tree_depth, in_block
from bonn_hw.kernels.mvu_resources import MatrixUnit, with_parities
from bonn_hw.kernels.mvu_sums import Sums
from bonn_hw.kernels.placement import ACCUMULATORS, BY_PRICE, Placement

CELLS = (
    *("accumulators", "adder_tree", "axis_class", "beat_sum", "border_class", "counter", "delay"),
    *("parities", "popcount", "rom", "rom_sequence", "vector_buffer", "xnor_popcount"),
)
SOURCES = tuple(f"cells/{cell}.sv" for cell in CELLS)


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
    placement : Placement
        What the unit is made of; it changes no value and no cycle.
    """

    stem: ClassVar[str] = "mvu"

    pixels: tuple[int, int]
    element: Element
    weights: NDArray[np.int8 | np.int16]
    thresholds: NDArray[np.int64] | None
    offsets: NDArray[np.int64] | None
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    placement: Placement = BY_PRICE

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
        return (TensorType((*self.pixels, self.weights.shape[0]), self._sums.output),)

    @cached_property
    def _sums(self) -> Sums:
        """What is added up, and how wide it is."""
        return Sums(self.element, self.weights, self.thresholds, self.offsets)

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
            low, high = self._sums.bounds
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
        return Schedule(
            need.reshape(-1),
            release.reshape(-1),
            emit.reshape(-1),
            latency=2 + self.cuts(folding),
            capacity=self.depth(folding),
            repeats=self.pixels[0] * self.pixels[1],
        )

    def cuts(self, folding: Folding) -> int:
        """Pipeline registers inside the sum of a beat, for a logic depth of at most five."""
        numbers = -(-folding.simd // 3) if self._sums.counts else folding.simd
        return (adder_tree_depth(numbers) + 2) // 3

    def _unit(self, folding: Folding) -> MatrixUnit:
        """The sizes of the unit with a folding."""
        neuron_folds, synapse_folds = self.folds(folding)
        return MatrixUnit(
            folding=folding,
            element=self.element,
            weight=self._sums.weight,
            output=self._sums.output,
            neuron_folds=neuron_folds,
            synapse_folds=synapse_folds,
            pixels=self.pixels,
            classes=self.classes,
            sum_bits=self._sums.sum_bits,
            level_bits=self._sums.level_bits,
            depth=self.depth(folding),
            cuts=self.cuts(folding),
            parities=self.parities(folding),
            placement=self.placement,
        )

    def parities(self, folding: Folding) -> bool:
        """Whether every third weight is stored as a parity (`cells/xnor_popcount.sv`)."""
        if not self._sums.counts:
            return False
        chosen = self.placement.parities
        return with_parities(folding, self.cuts(folding)) if chosen is None else chosen

    def resources(self, folding: Folding) -> Resources:
        """Sums, memories and control logic."""
        return self._unit(folding).resources

    def alternatives(self, dsp48: bool) -> Iterator[Mvu]:
        """The unit with weights in LUT or in block memory, and with sums in LUT or DSP slices."""
        _ = self._sums.sum_bits, self._sums.level_bits  # computed once, for all copies
        slices = dsp48 and self._sums.sum_bits <= ACCUMULATORS[-1][0]
        for weights, sums in product((False, True), (False, True)[: 1 + slices]):
            yield self._placed(Placement(weights, sums))

    def placements(self) -> Iterator[Mvu]:
        """The unit with its levels in LUT, and in block memory."""
        for levels in (False, True):
            yield self._placed(replace(self.placement, levels_in_block=levels))

    def _placed(self, placement: Placement) -> Mvu:
        other = copy(self)  # keeps what is cached
        object.__setattr__(other, "placement", placement)
        return other

    def rtl(self, folding: Folding) -> Instance:
        """``mvu.sv``."""
        neuron_folds, synapse_folds = self.folds(folding)
        high, wide = self.weights.shape
        level, values = self._sums.level
        unit = self._unit(folding)
        # Word nf * SF + sf, from bit (pe * SIMD + simd) * WEIGHT_BITS is the weight of neuron
        # nf * PE + pe and input sf * SIMD + simd; levels: word class * NF + nf, from bit
        # pe * LEVEL_BITS.
        shape = (neuron_folds, folding.pe, synapse_folds, folding.simd)
        ordered = self.weights.reshape(shape).transpose(0, 2, 1, 3)
        weights = pack_bits(ordered, folding.parallelism, self._sums.weight)
        if self.parities(folding):
            weights = _with_parities(weights.reshape(-1, folding.simd)).reshape(weights.shape)
        level_bits = pack_bits(values, 1, level)
        return Instance(
            "mvu",
            {
                "MH": high,
                "MW": wide,
                "PE": folding.pe,
                "SIMD": folding.simd,
                "WEIGHT_BITS": self._sums.weight.bits,
                "IN_BITS": self.element.bits,
                "IN_KIND": 0 if self.element.bipolar else 2 if self.element.signed else 1,
                "SUM_BITS": self._sums.sum_bits,
                "HAS_THRESHOLDS": int(self.thresholds is not None),
                "OUT_BITS": self._sums.output.bits,
                "LEVEL_BITS": level.bits,
                "PARITIES": int(self.parities(folding)),
                "CUTS": self.cuts(folding),
                "WEIGHTS_IN_BLOCK": int(
                    in_block(*unit.weight_memory, self.placement.weights_in_block)
                ),
                "LEVELS_IN_BLOCK": int(
                    in_block(*unit.level_memory, self.placement.levels_in_block)
                ),
                "SUMS_IN_DSP": int(self.placement.sums_in_dsp),
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


def _with_parities(weights: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bits of weights, with the parity of three in the place of every third (xnor_popcount.sv)."""
    stored = weights.copy()
    thirds = weights[:, 2::3]
    count = thirds.shape[1]
    stored[:, 2::3] = thirds ^ weights[:, 1::3][:, :count] ^ weights[:, ::3][:, :count]
    return stored


def _rises(classes: tuple[int, ...]) -> Bits:
    """Bit i is set where the class of i + 1 is one more than the class of i."""
    value = sum(1 << i for i in range(len(classes) - 1) if classes[i + 1] > classes[i])
    return Bits(len(classes), value)
