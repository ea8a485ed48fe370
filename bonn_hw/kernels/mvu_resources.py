# SPDX-License-Identifier: BSD-3-Clause
"""Resources of a matrix unit (`mvu.sv`), from its sizes."""

from __future__ import annotations

from dataclasses import dataclass

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.tensor import BIPOLAR, Element
from bonn_hw.kernels.cost import (
    adder_tree,
    counter,
    kept,
    lut_memory,
    multiplier,
    rom,
    rom_sequence,
)
from bonn_hw.kernels.placement import Placement, slices


def with_parities(folding: Folding, cuts: int) -> bool:
    """Whether a unit of 1-bit weights and inputs is smaller if it stores parities.

    Most neurons are smaller then, and share the parities of the inputs. A LUT counts as four
    flip-flops, as slices have twice as many of these and designs fewer. What the neurons save must
    be twice the cost: smaller gains are within the error of the formulas.
    """
    simd = folding.simd
    shared, stored = _shared_parities(simd), _pairs(simd, cuts)
    plain = _beat(simd, BIPOLAR, BIPOLAR, cuts)
    saved = 4 * (plain.lut - stored.lut) + plain.ff - stored.ff
    return 2 * (4 * shared.lut + shared.ff) < folding.pe * saved


@dataclass(frozen=True)
class MatrixUnit:
    """The sizes of a folded matrix unit.

    Attributes
    ----------
    element, weight, output : Element
        Ranges of inputs, weights and outputs.
    neuron_folds, synapse_folds : int
    pixels : (OH, OW)
    classes : int
        Border classes.
    sum_bits, level_bits : int
        Bits of an accumulator, and of a level in its memory.
    depth : int
        Beats of the input buffer.
    cuts : int
        Pipeline registers inside the sum of a beat.
    parities : bool
        Every third weight is stored as a parity.
    """

    folding: Folding
    element: Element
    weight: Element
    output: Element
    neuron_folds: int
    synapse_folds: int
    pixels: tuple[int, int]
    classes: int
    sum_bits: int
    level_bits: int
    depth: int
    cuts: int
    parities: bool
    placement: Placement

    @property
    def weight_memory(self) -> tuple[int, int]:
        """Words of the weights, and bits of a word."""
        return (
            self.neuron_folds * self.synapse_folds,
            self.folding.parallelism * self.weight.bits,
        )

    @property
    def level_memory(self) -> tuple[int, int]:
        """Words of the levels, and bits of a word."""
        return self.classes * self.neuron_folds, self.folding.pe * self.level_bits

    @property
    def resources(self) -> Resources:
        """Sums, memories and control logic."""
        bits, levels = self.folding.simd * self.element.bits, self.level_memory
        pe, one = self.folding.pe, self._sum
        address = (self.neuron_folds - 1).bit_length()
        parts = [
            Resources(pe * one.lut, pe * one.ff, pe * one.bram36, pe * one.dsp),
            self._accumulators,
            _memories(*self.weight_memory, *levels, self.placement),
            _counters(self.synapse_folds, self.neuron_folds),
            _registers(6, bits + 4 + self.cuts * (3 + address)),
        ]
        if self.parities:
            parts.append(_shared_parities(self.folding.simd))
        if self.classes > 1:
            parts.append(_counters(*self.pixels))
            parts.append(_border_class(self.classes, self.neuron_folds))
        if self.depth:
            parts.append(_ring(self.depth, bits))
        return Resources.total(*parts)

    @property
    def _accumulators(self) -> Resources:
        """The running sums, which are the outputs too but for the lowest bit of 2 h + level."""
        lanes, low = self.folding.pe, self.output.bits - self.sum_bits
        apart = Resources(ff=lanes * max(0, low) * (not self.output.bipolar))
        if self.placement.sums_in_dsp:
            return apart + Resources(dsp=slices(lanes, self.sum_bits))
        return apart + Resources(lut=lanes * self.sum_bits, ff=lanes * self.sum_bits)

    @property
    def _sum(self) -> Resources:
        """The sum of a beat for one neuron, without its register."""
        if self.parities:
            return _pairs(self.folding.simd, self.cuts)
        return _beat(self.folding.simd, self.element, self.weight, self.cuts)


@kept
def _beat(simd: int, element: Element, weight: Element, cuts: int) -> Resources:
    """The sum of `simd` products."""
    bits, weight_bits = element.bits, weight.bits
    if element.bipolar and weight.bipolar:
        # The popcount of three pairs is two LUT of six inputs; fewer pairs share one LUT.
        pairs = Resources(lut=2 * (simd // 3) + (simd % 3 > 0))
        return pairs + adder_tree(-(-simd // 3), 2, False, cuts)
    dsp = 0.0
    if element.bipolar:
        terms, lut = weight_bits, simd * weight_bits / 4
    elif weight.bipolar:
        terms = bits + (not element.signed)
        lut = simd * bits * min(0.375, bits / 16)
    else:
        terms = bits + weight_bits
        product = multiplier(bits, weight_bits)
        lut, dsp = simd * product.lut, simd * product.dsp
    return Resources(lut=lut, dsp=dsp) + adder_tree(simd, terms, True, cuts)


@kept
def _shared_parities(simd: int) -> Resources:
    """The parities of the inputs of all neurons (`parities.sv`)."""
    return Resources(lut=simd // 2, ff=simd // 2)


@kept
def _pairs(simd: int, cuts: int) -> Resources:
    """The same of pairs of bits with stored parities (`xnor_popcount.sv`)."""
    adders = simd // 2
    groups, last = divmod(adders, 6)
    count = 3 * groups + (0, 0, 1, 2, 3, 3)[last]  # LUT that count the carries, of six inputs
    bits = 3 * groups + last.bit_length() + 1  # of the counts, and the last pair
    parities = adders - simd // 3  # of the weights, beyond those in the memory
    tree = adder_tree(max(1, -(-adders // 6)), 3, False, max(0, cuts - 1))
    merged = min(2, count) if adders <= 12 else 0  # the accumulator adds the counts of two groups
    lut = max(2, adders + parities + count - merged)
    return Resources(lut=lut, ff=bits * (cuts > 0)) + tree


@kept
def _memories(
    words: int, width: int, level_words: int, level_width: int, placement: Placement
) -> Resources:
    """Weights and levels."""
    weights = rom_sequence(words, width, placement.weights_in_block)
    return weights + rom(level_words, level_width, placement.levels_in_block)


@kept
def _counters(one: int, other: int) -> Resources:
    return counter(one) + counter(other)


@kept
def _registers(lut: int, ff: int) -> Resources:
    return Resources(lut=lut, ff=ff)


@kept
def _border_class(classes: int, neuron_folds: int) -> Resources:
    """`border_class.sv` without its counters, and what the neuron adds to its number."""
    number = (classes - 1).bit_length()
    adder = (classes * neuron_folds - 1).bit_length() if neuron_folds & (neuron_folds - 1) else 0
    return Resources(lut=2 * number + 4 + adder, ff=number)


@kept
def _ring(depth: int, bits: int) -> Resources:
    """The input buffer, and its pointers."""
    pointer = depth.bit_length() - 1
    ring = Resources(lut=lut_memory(depth, bits))
    return ring + Resources(lut=5 * pointer + 8, ff=4 * pointer + 2)
