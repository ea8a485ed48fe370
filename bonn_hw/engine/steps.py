# SPDX-License-Identifier: BSD-3-Clause
"""What the engine does for a kernel: a function of tensors, backed by ``engine.cpp`` or by NumPy.

A kernel that has no step of its own here is executed by its `reference`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bonn_hw.engine.native import Window, aligned, call
from bonn_hw.engine.tensors import Bits, Tensor, bits, empty, fits, integers, words_of
from bonn_hw.ir.kernel import Elementwise, Kernel
from bonn_hw.ir.tensor import Element, TensorType
from bonn_hw.kernels.add import Add
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.multi_threshold import MultiThreshold
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.requantize import Requantize
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.kernels.stream_fork import StreamFork
from bonn_hw.kernels.threshold import Threshold

Work = Callable[..., tuple[Tensor, ...]]
GROUP = 8  # neurons that engine.cpp computes at a time
LARGEST_TABLE = 1 << 22  # entries


def step(kernel: Kernel) -> Work:
    """The work of a kernel on its input tensors."""
    if isinstance(kernel, Mvu):
        return convolution(None, kernel) or by_reference(kernel)
    if isinstance(kernel, StreamFork):
        return lambda tensor: (tensor,) * kernel.copies
    if isinstance(kernel, Threshold):
        return _threshold(kernel) or by_reference(kernel)
    if isinstance(kernel, Add) and fits(kernel.outputs[0].element, np.int32):
        return lambda *pair: (np.add(*map(integers, pair), dtype=np.int32),)
    if isinstance(kernel, Requantize):
        return _lines(kernel) or _looked_up(kernel, kernel.input) or by_reference(kernel)
    if isinstance(kernel, MultiThreshold):
        return _looked_up(kernel, kernel.input) or by_reference(kernel)
    if kernel.outputs[0].element.bipolar:
        if isinstance(kernel, Pad):
            return _padded_bits(kernel)
        if isinstance(kernel, MaxPool):
            return _pooled_bits(kernel)
    return by_reference(kernel)


def by_reference(kernel: Kernel) -> Work:
    """The NumPy reference, on integers."""
    narrow = [fits(kind.element, np.int32) for kind in kernel.outputs]

    def work(*tensors: Tensor) -> tuple[Tensor, ...]:
        results = kernel.reference(*map(integers, tensors))
        return tuple(
            one.astype(np.int32) if small and one.dtype == np.int64 else one
            for one, small in zip(results, narrow, strict=True)
        )

    return work


def convolution(window: SlidingWindow | None, mvu: Mvu) -> Work | None:
    """A matrix unit with the window before it, if any; None if its sums need more than 32 bits."""
    if not fits(mvu.outputs[0].element, np.int32):
        return None
    if mvu.element.bipolar and np.all(np.abs(mvu.weights) == 1):
        return _bit_convolution(window, mvu)
    if fits(mvu.element, np.int16) and _reach(mvu) < np.iinfo(np.int32).max:
        return _integer_convolution(window, mvu)
    return None


def _reach(mvu: Mvu) -> int:
    """No partial sum of products is larger."""
    largest = max(-mvu.element.low, mvu.element.high)
    return largest * int(np.abs(mvu.weights.astype(np.int64)).sum(axis=1).max())


def _geometry(window: SlidingWindow | None, mvu: Mvu, per_word: bool) -> tuple[Window, int]:
    """The window in words or channels, and the channels of a pixel."""
    rows, columns = mvu.pixels
    if window is None:
        height, width, channels = mvu.inputs[0].shape
        kernel, stride = (1, 1), (1, 1)
    else:
        height, width, channels = window.input.shape
        kernel, stride = window.kernel, window.stride
    depth = words_of(channels) if per_word else channels
    return Window(height, width, depth, *kernel, *stride, rows, columns), channels


def _classes(mvu: Mvu) -> NDArray[np.int32]:
    """Border class of each pixel of a frame."""
    found = np.add.outer(np.array(mvu.rows) * (mvu.columns[-1] + 1), np.array(mvu.columns))
    return np.ascontiguousarray(found.reshape(-1), np.int32)


def _bit_convolution(window: SlidingWindow | None, mvu: Mvu) -> Work:
    geometry, channels = _geometry(window, mvu, per_word=True)
    outputs, wide = mvu.weights.shape
    groups = -(-outputs // GROUP)
    taps = mvu.weights.reshape(outputs, 1, wide // channels, channels)
    packed = np.zeros((groups * GROUP, wide // channels * words_of(channels)), np.uint64)
    packed[:outputs] = Bits.of(taps).words.reshape(outputs, -1)
    weights = aligned(packed.reshape(groups, GROUP, -1).transpose(0, 2, 1))
    constants = mvu.thresholds_or_offsets
    levels = np.full((mvu.classes, groups * GROUP), -1, np.int64)  # never reached
    if mvu.offsets is None:
        # sum = wide - 2 * differences >= t
        levels[:, :outputs] = (wide - np.clip(constants, -wide, wide + 2)) // 2
    else:
        levels[:, :outputs] = wide + constants
    classes = _classes(mvu)
    shape = mvu.outputs[0].shape

    def work(tensor: Tensor) -> tuple[Tensor]:
        words = bits(tensor).words
        arguments = (geometry, words, len(words), weights, levels, classes, outputs)
        if mvu.offsets is None:
            packed = empty(len(words), shape)
            call("bit_convolution", *arguments, packed, None)
            return (Bits(packed, outputs),)
        sums = np.empty((len(words), *shape), np.int32)
        call("bit_convolution", *arguments, None, sums)
        return (sums,)

    return work


def _integer_convolution(window: SlidingWindow | None, mvu: Mvu) -> Work:
    geometry, _ = _geometry(window, mvu, per_word=False)
    outputs, wide = mvu.weights.shape
    padded = -(-outputs // GROUP) * GROUP
    pairs = np.zeros((padded, wide + wide % 2), np.int16)
    pairs[:outputs, :wide] = mvu.weights
    weights = np.ascontiguousarray(pairs.reshape(padded, -1, 2).transpose(1, 0, 2))
    classes, shape = _classes(mvu), mvu.outputs[0].shape
    constants = mvu.thresholds_or_offsets
    limit = _reach(mvu) + 1
    levels = np.clip(constants, -limit, limit)
    compared = _compared(levels, classes, np.zeros(outputs, np.bool_))
    added = constants[classes].reshape(shape).astype(np.int32) if mvu.offsets is not None else None

    def work(tensor: Tensor) -> tuple[Tensor]:
        values = np.ascontiguousarray(integers(tensor), np.int16)
        sums = np.empty((len(values), *shape), np.int32)
        call("integer_convolution", geometry, values, len(values), weights, outputs, padded, sums)
        if added is None:
            return (compared(sums),)
        sums += added
        return (sums,)

    return work


def _compared(
    levels: NDArray[np.int64], classes: NDArray[np.int32], inverted: NDArray[np.bool_]
) -> Callable[[NDArray[np.int32]], Bits]:
    """Bits of integers: +1 where ``(x >= level) != inverted``; levels are ``(classes, C)``."""
    narrow = np.ascontiguousarray(levels, np.int32)
    flips = Bits.of(inverted.astype(np.int8)).words

    def work(values: NDArray[np.int32]) -> Bits:
        frames, rows, columns, channels = values.shape
        found = empty(frames, (rows, columns, channels))
        pixels = rows * columns
        call("compare", values, frames, pixels, channels, narrow, classes, flips, found)
        return Bits(found, channels)

    return work


def _threshold(kernel: Threshold) -> Work | None:
    element = kernel.input.element
    if not fits(Element(element.low, element.high + 1), np.int32):
        return None
    levels = np.clip(kernel.thresholds, element.low, element.high + 1)[None]
    height, width, _ = kernel.input.shape
    compared = _compared(levels, np.zeros(height * width, np.int32), kernel.inverted)
    return lambda tensor: (compared(np.ascontiguousarray(integers(tensor), np.int32)),)


def _lines(kernel: Requantize) -> Work | None:
    """One line for each channel; None if a channel has several, or values need 64 bits."""
    element, channels = kernel.input.element, kernel.input.shape[2]
    if kernel.segment_bits or element.bipolar or not fits(element, np.int32):
        return None
    slopes, offsets = (
        np.ascontiguousarray(np.broadcast_to(values[:, 0], channels), np.int64)
        for values in (kernel.slopes, kernel.offsets)
    )
    reach = np.abs(slopes) * max(-element.low, element.high) + np.abs(offsets)
    narrow = int(reach.max() < np.iinfo(np.int32).max and kernel.shift < 31)
    rounding = (kernel.shift, int(kernel.ties_even), narrow)

    def work(tensor: Tensor) -> tuple[Tensor]:
        values = np.ascontiguousarray(integers(tensor), np.int32)
        result = np.empty(values.shape, np.int32)
        limits = (kernel.element.low, kernel.element.high)
        arguments = (values, values.size // channels, channels, slopes, offsets)
        call("requantize", *arguments, *rounding, *limits, result)
        return (result,)

    return work


def _looked_up(kernel: Elementwise, kind: TensorType) -> Work | None:
    """A function of each value and its channel as a table, which the reference fills."""
    element, channels = kind.element, kind.shape[2]
    span = element.high - element.low + 1
    if span * channels > LARGEST_TABLE or not fits(element, np.int32):
        return None
    every = np.arange(element.low, element.high + 1, dtype=np.int64)
    (found,) = kernel.reference(every[:, None, None, None].repeat(channels, axis=3))
    table = np.ascontiguousarray(found.reshape(span, channels).T, np.int32)

    def work(tensor: Tensor) -> tuple[Tensor]:
        values = np.ascontiguousarray(integers(tensor), np.int32)
        result = np.empty(values.shape, np.int32)
        pixels = values.size // channels
        call("look_up", values, pixels, channels, element.low, span, table, result)
        return (result,)

    return work


def _padded_bits(kernel: Pad) -> Work:
    top, left, _, _ = kernel.pads
    height, width, channels = kernel.input.shape
    border = Bits.of(np.full((1, 1, 1, channels), kernel.value)).words

    def work(tensor: Tensor) -> tuple[Tensor]:
        words = bits(tensor).words
        result = empty(len(words), kernel.outputs[0].shape)
        result[...] = border
        result[:, top : top + height, left : left + width] = words
        return (Bits(result, channels),)

    return work


def _pooled_bits(kernel: MaxPool) -> Work:
    height, width, channels = kernel.input.shape
    rows, columns, _ = kernel.pooled
    geometry = Window(
        *(height, width, words_of(channels)), *kernel.kernel, *kernel.kernel, rows, columns
    )

    def work(tensor: Tensor) -> tuple[Tensor]:
        words = bits(tensor).words
        result = empty(len(words), kernel.outputs[0].shape)
        call("bit_pool", geometry, words, len(words), result)
        return (Bits(result, channels),)

    return work
