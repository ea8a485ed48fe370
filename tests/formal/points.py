# SPDX-License-Identifier: BSD-3-Clause
"""Tiny kernels of every structure that the RTL has: what is proved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.add import Add
from bonn_hw.kernels.average_pool import AveragePool
from bonn_hw.kernels.combine import FUNCTIONS, Combine
from bonn_hw.kernels.concat import Concat
from bonn_hw.kernels.copy_channels import CopyChannels
from bonn_hw.kernels.depth_to_space import DepthToSpace
from bonn_hw.kernels.depthwise import Depthwise
from bonn_hw.kernels.fifo import TAPS, Fifo, Style
from bonn_hw.kernels.label_select import LabelSelect
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.multi_threshold import MultiThreshold
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.placement import Placement
from bonn_hw.kernels.requantize import Requantize
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.kernels.stream_fork import StreamFork
from bonn_hw.kernels.threshold import Threshold
from bonn_hw.kernels.upsample import Upsample
from bonn_hw.kernels.width_converter import WidthConverter
from tests.formal.facts import Facts

U2, S2, S3 = Element(0, 3), Element(-2, 1), Element(-4, 3)


def bits(*shape: int) -> TensorType:
    return TensorType(shape, BIPOLAR)


def integers(element: Element, *shape: int) -> TensorType:
    return TensorType(shape, element)


def signs(high: int, wide: int) -> np.ndarray:
    return np.random.default_rng(high * wide).choice([-1, 1], (high, wide)).astype(np.int8)


PARITIES = Placement(parities=True)


def few(high: int, wide: int) -> np.ndarray:
    return np.random.default_rng(high * wide).integers(-2, 2, (high, wide)).astype(np.int8)


def mvu(high: int, wide: int, element: Element = BIPOLAR, *, offsets: bool = False,
        pixels: tuple[int, int] = (1, 1), rows: tuple[int, ...] = (0,),
        columns: tuple[int, ...] = (0,), weights: np.ndarray | None = None) -> Mvu:  # fmt: skip
    classes = (max(rows) + 1) * (max(columns) + 1)
    levels = np.random.default_rng(1).integers(-1, 3, (classes, high))
    chosen = (None, levels) if offsets else (levels, None)
    weights = signs(high, wide) if weights is None else weights
    return Mvu(pixels, element, weights, *chosen, rows, columns)


def staircase(kind: TensorType, element: Element) -> MultiThreshold:
    channels = kind.shape[2]
    count = element.high - element.low
    rng = np.random.default_rng(channels)
    levels = np.sort(rng.integers(kind.element.low, kind.element.high + 2, (channels, count)))
    return MultiThreshold(kind, element, levels, rng.random(channels) < 0.5)


def lines(kind: TensorType, segments: int, element: Element = S2, *, ties: bool = True,
          slopes: tuple[int, ...] = (-2, 1, 2, 3)) -> Requantize:  # fmt: skip
    rng = np.random.default_rng(segments)
    shape = (kind.shape[2], 1 << segments)
    chosen = rng.choice(slopes, shape)
    offsets = rng.integers(-2, 3, shape)
    return Requantize(kind, element, chosen, offsets, 1, ties, segments)


# Kernels by name, in the order of trust: nothing depends on what is not proved before it.
POINTS: dict[str, list[tuple[Kernel, tuple[int, int]]]] = {
    "fifo": [(Fifo(integers(U2, 1, 2, 1), depth), (1, 1)) for depth in (1, 2, 3, 5, 4)],
    "stream_fork": [(StreamFork(integers(U2, 1, 2, 1), copies), (1, 1)) for copies in (2, 3)],
    "width_converter": [
        (WidthConverter(bits(1, 2, wide)), folding)
        for wide, folding in ((2, (2, 1)), (6, (6, 2)), (6, (3, 1)), (2, (1, 2)), (6, (2, 6)))
    ],
    "add": [
        (Add(integers(U2, 1, 2, 1), integers(S3, 1, 2, 1)), (1, 1)),
        (Add(integers(S2, 1, 1, 2), integers(S2, 1, 1, 2)), (2, 2)),
        (Add(integers(S2, 1, 2, 1), integers(U2, 1, 2, 1)), (1, 1)),
    ],
    "combine": [
        (Combine(integers(U2, 1, 2, 1), integers(S3, 1, 2, 1), function), (1, 1))
        for function in FUNCTIONS
    ] + [(Combine(integers(S2, 1, 2, 1), integers(U2, 1, 2, 1), "subtract"), (1, 1))],
    "concat": [
        (Concat((bits(1, 2, 2), bits(1, 2, 1))), (3, 3)),
        (Concat((integers(S2, 1, 2, 1), integers(U2, 1, 2, 1))), (2, 2)),
    ],
    "pad": [
        (Pad(bits(height, width, 1), pads, -1), (1, 1))
        for height, width, pads in (
            (1, 1, (1, 1, 1, 1)), (2, 2, (1, 1, 1, 1)), (2, 3, (1, 0, 1, 2)),
            (2, 2, (0, 0, 0, 0)), (2, 1, (2, 1, 0, 0)),
        )
    ] + [(Pad(integers(S2, 1, 2, 2), (1, 0, 0, 2), 1), (1, 1))],
    "max_pool": [
        (MaxPool(kind, kernel), (lanes, lanes))
        for kind, kernel, lanes in (
            (bits(2, 2, 1), (2, 2), 1), (bits(3, 3, 1), (2, 2), 1), (bits(2, 4, 2), (2, 2), 1),
            (integers(S2, 3, 2, 1), (1, 2), 1), (integers(U2, 2, 3, 2), (2, 1), 2),
        )
    ],
    "average_pool": [
        (AveragePool(kind, kernel), (lanes, lanes))
        for kind, kernel, lanes in (
            (integers(U2, 2, 2, 1), (2, 2), 1), (integers(S2, 3, 3, 1), (2, 2), 1),
            (integers(S2, 1, 4, 2), (1, 2), 2), (integers(U2, 1, 4, 2), (1, 2), 1),
        )
    ],
    "threshold": [
        (Threshold(integers(S3, 1, 2, channels), np.arange(channels) - 1,
                   np.arange(channels) % 2 == 1), (lanes, lanes))
        for channels, lanes in ((1, 1), (2, 1), (3, 1), (2, 2))
    ] + [(Threshold(integers(U2, 1, 2, 1), np.array([2]), np.array([False])), (1, 1))],
    "multi_threshold": [
        (staircase(integers(S3, 1, 2, 1), U2), (1, 1)),
        (staircase(integers(S3, 1, 1, 2), U2), (1, 1)),
        (staircase(integers(U2, 1, 2, 2), S2), (2, 2)),
        (staircase(integers(S3, 1, 1, 1), Element(0, 7)), (1, 1)),
    ],
    "requantize": [
        (lines(integers(S3, 1, 2, 1), 0), (1, 1)),
        (lines(integers(S3, 1, 1, 2), 0), (1, 1)),
        (lines(integers(U2, 1, 1, 2), 1), (1, 1)),
        (lines(integers(U2, 1, 1, 2), 2, ties=False), (2, 2)),
        (lines(integers(S3, 1, 2, 1), 0, U2), (1, 1)),
        (lines(integers(S3, 1, 2, 1), 0, Element(1, 2), slopes=(15,)), (1, 1)),
    ],
    "label_select": [
        (LabelSelect(integers(element, 1, 1, channels), count), (count, lanes))
        for element, channels, count, lanes in (
            (U2, 2, 1, 1), (S2, 3, 1, 1), (S2, 4, 1, 2), (U2, 3, 1, 3), (S2, 3, 2, 1),
        )
    ],
    "upsample": [
        (Upsample(bits(height, width, channels), factors), (1, 1))
        for height, width, channels, factors in (
            (1, 2, 1, (2, 2)), (2, 2, 1, (1, 2)), (1, 3, 1, (2, 1)), (1, 2, 2, (2, 2)),
        )
    ],
    "depth_to_space": [
        (DepthToSpace(bits(1, width, channels), block), (1, 1))
        for width, channels, block in ((1, 2, (2, 1)), (2, 2, (2, 1)), (1, 4, (2, 2)))
    ],
    "copy_channels": [
        (CopyChannels(bits(1, 2, channels), np.array(index)), folding)
        for channels, index, folding in (
            (2, (1, 0), (1, 1)), (2, (1, 1, 0), (3, 1)), (3, (2, 0), (1, 3)), (4, (3, 1), (2, 2)),
        )
    ],
    "sliding_window": [
        (SlidingWindow(bits(height, width, channels), kernel, stride), folding)
        for height, width, channels, kernel, stride, folding in (
            (3, 3, 1, (2, 2), (1, 1), (1, 1)), (3, 5, 1, (2, 1), (1, 3), (1, 1)),
            (3, 5, 1, (1, 2), (1, 2), (1, 1)), (3, 5, 1, (1, 2), (1, 3), (1, 1)),
            (4, 4, 1, (2, 2), (2, 2), (1, 1)), (3, 2, 1, (2, 2), (1, 1), (2, 1)),
            (3, 4, 1, (3, 3), (1, 1), (1, 1)), (3, 4, 1, (3, 3), (1, 1), (3, 1)),
            (3, 3, 2, (2, 2), (1, 1), (1, 1)), (5, 4, 1, (2, 2), (3, 2), (1, 1)),
        )
    ],
    "mvu": [
        (mvu(1, 4), (1, 2)), (mvu(2, 2), (1, 1)), (mvu(2, 2), (1, 2)), (mvu(2, 4), (2, 2)),
        (mvu(2, 3, offsets=True), (1, 3)), (mvu(2, 2, S2), (1, 1)),
        (mvu(2, 2, U2, weights=few(2, 2), offsets=True), (2, 1)),
        (mvu(1, 2, pixels=(2, 2), rows=(0, 1), columns=(0, 1)), (1, 1)),
        (mvu(2, 2, pixels=(1, 2), columns=(0, 1)), (1, 1)),
        (mvu(2, 8), (1, 4)), (mvu(2, 2, U2, weights=few(2, 2)), (1, 2)),  # cuts in the sums
        (mvu(2, 2, weights=few(2, 2)), (1, 1)), (mvu(2, 2, S2, weights=few(2, 2)), (1, 1)),
        (mvu(3, 1, pixels=(1, 2), columns=(0, 1)), (1, 1)),
        *((replace(mvu(2, simd), placement=PARITIES), (2, simd)) for simd in (3, 4)),
    ],
    "depthwise": [
        (Depthwise((1, 1), BIPOLAR, signs(2, 3)[:, None]), (1, 1)),
        (Depthwise((1, 2), BIPOLAR, signs(1, 2)[:, None]), (1, 1)),
        (Depthwise((1, 1), U2, few(2, 2)[:, None]), (2, 2)),
        (Depthwise((1, 1), BIPOLAR, few(2, 2)[:, None]), (1, 1)),
        (Depthwise((1, 1), S2, few(2, 2)[None]), (2, 1)),
        (Depthwise((1, 1), U2, signs(1, 2)[:, None]), (1, 1)),
    ],
}  # fmt: skip


# Memories that tiny kernels would not choose: another point with these parameters.
FORCED: dict[str, tuple[str, int, dict[str, int]]] = {
    "fifo_lut": ("fifo", 2, {"STYLE": int(Style.LUT)}),
    "fifo_block": ("fifo", 2, {"STYLE": int(Style.BLOCK)}),
    "fifo_lut_taps": ("fifo", 2, {"STYLE": int(Style.LUT), "TAPS": TAPS[2]}),
    "fifo_block_taps": ("fifo", 2, {"STYLE": int(Style.BLOCK), "TAPS": TAPS[2]}),
    "fifo_lut_full": ("fifo", 4, {"STYLE": int(Style.LUT)}),
    "fifo_block_full": ("fifo", 4, {"STYLE": int(Style.BLOCK)}),
    "depth_to_space_block": ("depth_to_space", 0, {"STYLE": 1}),
    "mvu_block": ("mvu", 8, {"WEIGHTS_IN_BLOCK": 1, "LEVELS_IN_BLOCK": 1}),
    "sliding_window_block": ("sliding_window", 0, {"STYLE": 1}),
    "sliding_window_block_row": ("sliding_window", 5, {"STYLE": 1}),
}


def points() -> dict[str, Facts]:
    """All points by name; of a fork, every output."""
    found = {}
    for stem, cases in POINTS.items():
        for place, (kernel, (pe, simd)) in enumerate(cases):
            folding = Folding(pe, simd)
            if folding not in list(kernel.foldings()):
                raise ValueError(
                    f"{stem} {place}: {folding} is no folding: {list(kernel.foldings())}"
                )
            for output in range(len(kernel.outputs)):
                suffix = f"_{output}" if len(kernel.outputs) > 1 else ""
                found[f"{stem}_{place}{suffix}"] = Facts(kernel, folding, output)
    for name, (stem, place, forced) in FORCED.items():
        kernel, (pe, simd) = POINTS[stem][place]
        found[name] = Facts(kernel, Folding(pe, simd), forced=forced)
    return found


# What CI proves: at least one point of each kernel, those that take a second or less.
CORE = (
    *("fifo_0", "fifo_1", "fifo_3", "stream_fork_0_0", "stream_fork_0_1", "width_converter_0"),
    *("width_converter_3", "add_0", "concat_0", "pad_1", "max_pool_1", "average_pool_2"),
    *("threshold_1", "multi_threshold_1", "requantize_1", "label_select_1", "upsample_1"),
    *(
        "combine_0",
        "depth_to_space_0",
        "copy_channels_1",
        "sliding_window_2",
        "sliding_window_5",
        "mvu_0",
        "depthwise_1",
    ),
)
