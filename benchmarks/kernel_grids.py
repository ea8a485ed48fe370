# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of many shapes and foldings, to be synthesised one by one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.add import Add
from bonn_hw.kernels.average_pool import AveragePool
from bonn_hw.kernels.fifo import Fifo
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.requantize import Requantize
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.kernels.stream_fork import StreamFork
from bonn_hw.kernels.threshold import Threshold
from bonn_hw.kernels.width_converter import WidthConverter
from bonn_hw.synth.netlist import Use

Point = tuple[Kernel, Folding]


def unsigned(bits: int) -> Element:
    """From 0, of so many bits."""
    return Element(0, (1 << bits) - 1)


def signed(bits: int) -> Element:
    """Two's complement of so many bits."""
    return Element(-(1 << bits - 1), (1 << bits - 1) - 1)


def even(lanes: int) -> Folding:
    """As many lanes in as out."""
    return Folding(lanes, lanes)


def close(predicted: Resources, use: Use, part: float = 0.05, few: int = 20) -> bool:
    """LUT and flip-flops to 5 % or 20 of them; block memories and DSP slices exactly."""
    logic = ((predicted.lut, use.lut), (predicted.ff, use.ff))
    near = all(abs(said - done) <= max(few, part * done) for said, done in logic)
    return near and (predicted.bram36, predicted.dsp) == (use.bram36, use.dsp)


def adds() -> Iterator[Point]:
    """Kinds alike, of other widths, and a constant."""
    for left, right in (
        *((signed(bits), signed(bits)) for bits in (1, 2, 4, 8, 16)),
        *((unsigned(bits), unsigned(bits)) for bits in (1, 3, 8)),
        *((signed(4), signed(12)), (unsigned(4), signed(9)), (signed(8), unsigned(2))),
        (signed(8), Element(100, 100)),
    ):
        for lanes in (1, 4, 16, 64):
            yield Add(TensorType((2, 2, 64), left), TensorType((2, 2, 64), right)), even(lanes)


FRAMES = ((4, 4), (5, 7), (8, 8), (32, 32), (28, 28), (56, 112))


def max_pools() -> Iterator[Point]:
    """Frames with and without a remainder, other windows, rows of one pixel."""
    for (height, width), element in product(FRAMES, (BIPOLAR, unsigned(2), signed(4), unsigned(8))):
        for lanes in (1, 4, 16, 64):
            yield MaxPool(TensorType((height, width, 64), element), (2, 2)), even(lanes)
    for kernel in ((3, 3), (4, 2), (8, 8), (1, 1)):
        for lanes in (2, 64):
            yield MaxPool(TensorType((8, 8, 64), BIPOLAR), kernel), even(lanes)
            yield MaxPool(TensorType((8, 8, 96), signed(4)), kernel), even(lanes // 2)
    for lanes in (1, 64):  # overlapping windows, in rows of one pixel
        yield MaxPool(TensorType((15 * 15 * 9, 1, 64), BIPOLAR), (9, 1)), even(lanes)
        yield MaxPool(TensorType((15 * 15 * 9, 1, 64), signed(4)), (9, 1)), even(lanes)


def average_pools() -> Iterator[Point]:
    """As they end networks, and smaller ones."""
    for element in (unsigned(1), unsigned(4), signed(8)):
        for kernel, (height, width) in (
            ((2, 2), (8, 8)),
            ((2, 3), (5, 7)),
            ((8, 8), (8, 8)),
            ((7, 7), (7, 7)),
            ((4, 4), (32, 32)),
        ):
            for lanes in (1, 4, 16, 64):
                kind = TensorType((height, width, 64), element)
                yield AveragePool(kind, kernel), even(lanes)


def fifos() -> Iterator[Point]:
    """All depths at which the style changes."""
    depths = (1, 2, 3, 4, 8, 15, 16, 17, 24, 32, 33, 48, 64, 65, 100, 128, 200, 256, 400, 512)
    for depth, width in product((*depths, 1000, 1024, 2048, 5000), (1, 4, 18, 36, 64, 128)):
        if depth * width <= 40_000:
            yield Fifo(TensorType((1, 1, width), BIPOLAR), depth), even(width)


def pads() -> Iterator[Point]:
    """Borders all round and on some sides."""
    for (height, width), element in product(FRAMES, (BIPOLAR, signed(4), unsigned(8))):
        for lanes in (1, 16, 64):
            kind = TensorType((height, width, 64), element)
            yield Pad(kind, (1, 1, 1, 1), element.low), even(lanes)
    for pads in ((0, 1, 2, 0), (2, 2, 2, 2), (3, 3, 3, 3), (0, 0, 1, 1), (1, 0, 0, 0)):
        for lanes in (1, 16, 64):
            yield Pad(TensorType((16, 16, 64), BIPOLAR), pads, 1), even(lanes)
            yield Pad(TensorType((16, 16, 64), signed(4)), pads, 3), even(lanes)


def forks() -> Iterator[Point]:
    """Up to seven branches."""
    for element, copies in product((BIPOLAR, signed(4), unsigned(8)), (2, 3, 4, 7)):
        for lanes in (1, 16, 64):
            yield StreamFork(TensorType((2, 2, 64), element), copies), even(lanes)


def thresholds() -> Iterator[Point]:
    """Random levels, some of them out of reach."""
    rng = np.random.default_rng(0)
    for channels, element in product(
        (16, 64, 256, 512), (signed(2), unsigned(3), signed(5), unsigned(8), signed(12), signed(16))
    ):
        levels = rng.integers(element.low, element.high + 2, channels)
        kernel = Threshold(
            TensorType((2, 2, channels), element), levels, rng.random(channels) < 0.5
        )
        for lanes in (1, 4, 16, 64):
            if lanes <= channels:
                yield kernel, even(lanes)


def converters() -> Iterator[Point]:
    """Up and down."""
    for bits in (1, 4, 8):
        kind = TensorType((1, 1, 192), unsigned(bits))
        for narrow, ratio in product((1, 3, 8, 16, 32, 64), (2, 3, 4, 6, 8, 16, 64)):
            if 192 % (narrow * ratio) == 0:
                yield WidthConverter(kind), Folding(narrow * ratio, narrow)
                yield WidthConverter(kind), Folding(narrow, narrow * ratio)


def lines(
    taken: Element,
    given: Element,
    channels: int,
    rows: int,
    slope_bits: int,
    shift: int,
    segment_bits: int = 0,
    ties: bool = False,
    seed: int = 0,
) -> Requantize:
    """Random lines: `rows` 1 or as many as channels; slopes of so many bits, 0: all are one."""
    rng = np.random.default_rng(seed)
    shape = (rows, 1 << segment_bits)
    slopes = (
        rng.integers(-(1 << slope_bits - 1), 1 << slope_bits - 1, shape)
        if slope_bits
        else np.ones(shape, np.int64)
    )
    if segment_bits == taken.bits:
        offsets = rng.integers(given.low, given.high + 1, shape)
    else:
        offsets = rng.integers(-(1 << taken.bits + shift - 1), 1 << taken.bits + shift - 1, shape)
    kind = TensorType((2, 2, channels), taken)
    return Requantize(
        kind, given, slopes.astype(np.int64), offsets.astype(np.int64), shift, ties, segment_bits
    )


def requantizes() -> Iterator[Point]:
    """Lines of one, of channels, of segments; tables."""
    for lanes in (1, 4, 16):
        for kernel in (
            lines(signed(8), signed(4), 64, 1, 0, 3, ties=True),
            lines(signed(12), unsigned(4), 64, 1, 0, 6, ties=True),
            lines(signed(16), signed(8), 64, 1, 0, 8),
            lines(signed(8), signed(4), 64, 64, 0, 3, ties=True),
            lines(signed(12), unsigned(4), 256, 256, 3, 6),
            lines(signed(12), unsigned(4), 64, 64, 8, 8),
            lines(signed(12), signed(8), 256, 256, 10, 9, ties=True),
            lines(signed(16), signed(8), 512, 512, 12, 12),
            lines(unsigned(8), signed(4), 64, 1, 6, 6),
            lines(signed(8), signed(6), 64, 64, 5, 4, segment_bits=1),
            lines(signed(12), signed(4), 64, 1, 4, 6, segment_bits=2),
            lines(signed(12), unsigned(4), 64, 64, 3, 6, segment_bits=3),
            lines(signed(6), unsigned(4), 64, 1, 1, 0, segment_bits=6),
            lines(signed(8), unsigned(4), 32, 32, 1, 0, segment_bits=8),
            lines(signed(10), signed(4), 16, 16, 7, 6, segment_bits=4, ties=True),
        ):
            yield kernel, even(lanes)


def unit(
    element: Element,
    high: int,
    wide: int,
    pixels: tuple[int, int] = (4, 4),
    weight_bits: int = 1,
    offsets: bool = False,
    classes: int = 1,
) -> Mvu:
    """A matrix unit of random weights; levels where the sums are, `classes` squared of them."""
    rng = np.random.default_rng(3)
    values = [-1, 1] if weight_bits == 1 else range(-(1 << weight_bits - 1), 1 << weight_bits - 1)
    weights = rng.choice(values, (high, wide)).astype(np.int8)
    reach = int(2 * wide**0.5 * max(abs(element.low), element.high))
    levels = rng.integers(-reach, reach + 1, (classes**2, high))
    place = tuple(min(pixel, classes - 1) for pixel in range(pixels[0]))
    chosen = (None, levels) if offsets else (levels, None)
    return Mvu(pixels, element, weights, *chosen, place, place)


def units() -> Iterator[Point]:
    """Layers of CNV, few bits, borders, last layers."""
    for pe, simd in product((1, 4, 16, 32), (8, 16, 32, 64)):
        yield unit(BIPOLAR, 64, 576), Folding(pe, simd)
        yield unit(BIPOLAR, 256, 1152), Folding(pe, simd)
        yield unit(BIPOLAR, 64, 512, (1, 1), offsets=True), Folding(pe, simd)
    for pe, simd in product((1, 4, 16), (3, 9, 27)):
        for element in (signed(8), unsigned(8), unsigned(2)):
            yield unit(element, 64, 27, (8, 8)), Folding(pe, simd)
    for pe, simd in product((1, 4, 16), (4, 16, 48)):
        yield unit(BIPOLAR, 32, 144, (8, 8), classes=3), Folding(pe, simd)
        yield unit(BIPOLAR, 16, 96, weight_bits=4, offsets=True), Folding(pe, simd)
        yield unit(unsigned(4), 16, 96, weight_bits=4), Folding(pe, simd)
    for pe, simd in ((1, 128), (8, 128), (16, 256)):
        yield unit(BIPOLAR, 256, 2304, (2, 2)), Folding(pe, simd)


def windows() -> Iterator[Point]:
    """All foldings of some layers."""
    for (height, width), channels, kernel, stride, element in (
        ((32, 32), 3, (3, 3), (1, 1), signed(8)),
        ((30, 30), 64, (3, 3), (1, 1), BIPOLAR),
        ((12, 12), 128, (3, 3), (1, 1), BIPOLAR),
        ((5, 5), 256, (3, 3), (1, 1), BIPOLAR),
        ((16, 16), 64, (3, 3), (2, 2), BIPOLAR),
        ((16, 16), 32, (1, 1), (2, 2), unsigned(4)),
        ((9, 11), 16, (5, 3), (2, 1), signed(4)),
        ((57, 57), 64, (3, 3), (1, 1), unsigned(2)),
        ((16, 16), 8, (2, 2), (2, 2), unsigned(8)),
    ):
        window = SlidingWindow(TensorType((height, width, channels), element), kernel, stride)
        for folding in window.foldings():
            if folding.pe * element.bits <= 600:
                yield window, folding


GRIDS = {
    "add": adds,
    "average_pool": average_pools,
    "fifo": fifos,
    "max_pool": max_pools,
    "mvu": units,
    "pad": pads,
    "requantize": requantizes,
    "sliding_window": windows,
    "stream_fork": forks,
    "threshold": thresholds,
    "width_converter": converters,
}


def describe(kernel: Kernel, folding: Folding) -> str:
    """The parameters of the RTL, but for memories."""
    instance = kernel.rtl(folding)
    return " ".join([instance.stem, *(f"{k}={v}" for k, v in instance.parameters.items())])


def report(predicted: Resources, use: Use) -> str:
    """What was said and what was found, side by side."""
    found = Resources(use.lut, use.ff, use.bram36, use.dsp)
    return f"predicted {predicted}, synthesised {found}"


def sample() -> Iterator[Point]:
    """A few points of each grid, wide apart."""
    for stem, step in STEPS.items():
        yield from list(GRIDS[stem]())[3::step]


# Of a grid every so many points are tested.
STEPS = {
    "add": 9,
    "average_pool": 11,
    "fifo": 19,
    "max_pool": 23,
    "mvu": 12,
    "pad": 19,
    "requantize": 10,
    "sliding_window": 9,
    "stream_fork": 9,
    "threshold": 17,
    "width_converter": 23,
}
CASES = {describe(*point): point for point in sample()}
