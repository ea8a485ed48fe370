# SPDX-License-Identifier: BSD-3-Clause
"""Matrix products, alone or behind a sliding window: the layers of ``engine.cpp``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonn_hw.engine.native import Layer, Window, aligned, call, layout
from bonn_hw.engine.tensors import (
    WORD,
    Bits,
    Tensor,
    Words,
    Work,
    bits,
    empty,
    fits,
    frames_of,
    integers,
    words_of,
)
from bonn_hw.ir.operation import Product, Windows
from bonn_hw.ir.tensor import Element, TensorType

GROUP = 16  # neurons that engine.cpp computes at a time, of integers
WIDEST_ROW = 64  # neurons of a row of a table
HALF = 4  # neurons of half a vector of 16-bit sums
SHORT = np.iinfo(np.int16).max
MOST_BITS = SHORT - 1  # of a neuron whose differences a table counts
POPCOUNT = np.array([value.bit_count() for value in range(16)], np.uint8)
NEVER = np.iinfo(np.int32).max  # no sum reaches it

Read = Callable[[Tensor], NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class Products:
    """A layer, ready for ``engine.cpp``.

    Attributes
    ----------
    layer : Layer
        Its geometry, weights and constants, which `arrays` keep in memory.
    read : function
        The array that the layer takes, of its input tensor.
    """

    layer: Layer
    read: Read
    arrays: tuple[NDArray[np.generic], ...]

    @staticmethod
    def of(
        operation: Product, weights: NDArray[np.generic], constants: NDArray[np.generic],
        read: Read, window: Window, **fields: int,
    ) -> Products:  # fmt: skip
        """From packed weights and constants, and other fields of the layer."""
        classes = np.ascontiguousarray(operation.classes, np.int32)
        arrays = (aligned(weights), aligned(constants), classes)
        names = ("weights", "constants", "classes")
        addresses = {name: array.ctypes.data for name, array in zip(names, arrays, strict=True)}
        outputs = len(operation.weights)
        compares = operation.compares
        layer = Layer(window, compares=compares, outputs=outputs, **addresses, **fields)
        return Products(layer, read, arrays)

    def comparison(self, result: TensorType) -> Work:
        """Its packed bits, if it compares."""

        def work(tensor: Tensor) -> tuple[Tensor]:
            array = self.read(tensor)
            found = empty(frames_of(tensor), result.shape)
            call("bits_of_layer", self.layer, array, frames_of(tensor), found)
            return (Bits(found, result.shape[2]),)

        return work


def products(
    operation: Product, given: TensorType, result: TensorType, windows: Windows | None = None
) -> Products | None:
    """A product of pixels, or of windows of the frames; None if its sums need more than 32 bits.

    Parameters
    ----------
    given : TensorType
        The frames: in front of the windows, if there are any.
    """
    if not fits(result.element, np.int32):
        return None
    counted = not layout().tables or operation.weights.shape[1] <= MOST_BITS
    if counted and given.element.bipolar and np.all(np.abs(operation.weights) == 1):
        return _of_bits(operation, given, result, windows)
    reach = _reach(operation, given.element)
    if fits(given.element, np.int16) and reach < np.iinfo(np.int32).max:
        return _of_integers(operation, given, result, windows)
    return None


def _reach(operation: Product, element: Element) -> int:
    """No partial sum of products is larger."""
    weights = np.abs(operation.weights.astype(np.int64))
    return max(-element.low, element.high) * int(weights.sum(axis=1).max())


def _geometry(given: TensorType, result: TensorType, windows: Windows | None, depth: int) -> Window:
    height, width, _ = given.shape
    kernel, stride = (windows.kernel, windows.stride) if windows else ((1, 1), (1, 1))
    return Window(height, width, depth, *kernel, *stride, *result.shape[:2])


def _of_bits(
    operation: Product, given: TensorType, result: TensorType, windows: Windows | None
) -> Products:
    (height, width, channels), (outputs, wide) = given.shape, operation.weights.shape
    columns, right = (windows.kernel[1], windows.stride[1]) if windows else (1, 1)
    geometry = _geometry(given, result, windows, words_of(channels))
    joined = channels < WORD and words_of(columns * channels) < columns
    string = columns * channels if joined else channels  # bits without a gap
    if joined:
        geometry.width, geometry.depth = result.shape[1], words_of(string)
        geometry.columns = geometry.right = 1
    vector, tables = layout().neurons, layout().tables
    row = min(WIDEST_ROW, max(vector, 1 << (outputs - 1).bit_length())) if tables else vector
    padded = -(-outputs // row) * row
    taps = Bits.of(operation.weights.reshape(outputs, 1, wide // string, string)).words
    weights = np.zeros((padded, wide // string * words_of(string)), np.uint64)
    weights[:outputs] = taps.reshape(outputs, -1)
    weights = weights.reshape(-1, row, weights.shape[1])
    constants = np.full((len(operation.constants), padded), -1, np.int32)  # never reached
    if operation.compares:
        # sum = wide - 2 * differences >= threshold
        constants[:, :outputs] = (wide - np.clip(operation.constants, -wide, wide + 2)) // 2
    else:
        constants[:, :outputs] = wide + operation.constants
    if tables and operation.compares:
        pairs = constants.reshape(len(constants), -1, vector // 2, 2)
        constants = pairs.swapaxes(2, 3).astype(np.int16)

    def read(tensor: Tensor) -> NDArray[np.generic]:
        words = bits(tensor).words
        if not joined:
            return words
        lines = np.empty((len(words), height, geometry.width, geometry.depth), np.uint64)
        extents = (width, channels, columns, right, geometry.width)
        call("join_columns", words, len(words) * height, *extents, lines)
        return lines

    packed = _table(weights) if tables else weights.transpose(0, 2, 1)
    fields = {"channels": string, "of_bits": 1, "row": row}
    return Products.of(operation, packed, constants, read, geometry, **fields)


def _table(weights: Words) -> NDArray[np.uint8]:
    """How many of four bits differ ``(rows, words, nibbles, entries, neurons of a row)``.

    Parameters
    ----------
    weights : uint64 ``(rows, neurons of a row, words)``
    """
    nibbles = weights[..., None] >> np.arange(0, WORD, 4, dtype=np.uint64) & np.uint64(15)
    differ = POPCOUNT[nibbles[..., None] ^ np.arange(16, dtype=np.uint64)]
    return np.moveaxis(differ, 1, -1)


def _of_integers(
    operation: Product, given: TensorType, result: TensorType, windows: Windows | None
) -> Products:
    (outputs, wide), rows = operation.weights.shape, windows.kernel[0] if windows else 1
    geometry = _geometry(given, result, windows, given.shape[2])
    padded, line, step = -(-outputs // GROUP) * GROUP, wide // rows, layout().step
    weights = np.zeros((padded, rows, -(-line // step) * step), np.int16)
    weights[:outputs, :, :line] = operation.weights.reshape(outputs, rows, line)
    packed = weights.reshape(-1, GROUP, weights[0].size // step, step).swapaxes(1, 2)
    constants = np.full((len(operation.constants), padded), NEVER, np.int32)
    limit = _reach(operation, given.element) + 1
    constants[:, :outputs] = (
        np.clip(operation.constants, -limit, limit) if operation.compares else operation.constants
    )

    def read(tensor: Tensor) -> NDArray[np.generic]:
        values = integers(tensor)
        array = np.empty(values.size + 1, np.int16)  # a pair may begin at the last one
        array[:-1].reshape(values.shape)[...] = values
        array[-1] = 0
        return array

    largest = max(-given.element.low, given.element.high) * int(np.abs(weights).max())
    until_flush = SHORT // max(largest, 1) if step == 1 else 0
    if until_flush:  # the halves of a vector in turns
        packed = packed.reshape(*packed.shape[:2], -1, 2, HALF).swapaxes(3, 4)
    fields = {"channels": given.shape[2], "until_flush": until_flush}
    return Products.of(operation, packed, constants, read, geometry, **fields)
