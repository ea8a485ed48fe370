# SPDX-License-Identifier: BSD-3-Clause
"""Matrix products, alone or behind a sliding window: the layers of ``engine.cpp``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonn_hw.engine.native import Layer, Window, aligned, call
from bonn_hw.engine.tensors import (
    WORD,
    Bits,
    Tensor,
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

GROUP, SUMS = 8, 16  # neurons that engine.cpp computes at a time: of bits, of integers
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
        geometry: Window, operation: Product, weights: NDArray[np.generic],
        constants: NDArray[np.int32], read: Read,
    ) -> Products:  # fmt: skip
        """From packed weights and constants."""
        arrays = (weights, constants, np.ascontiguousarray(operation.classes, np.int32))
        addresses = (array.ctypes.data for array in arrays)
        of_bits, outputs = weights.dtype == np.uint64, len(operation.weights)
        layer = Layer(geometry, of_bits, operation.compares, outputs, *addresses)
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
    if given.element.bipolar and np.all(np.abs(operation.weights) == 1):
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
    groups = -(-outputs // GROUP)
    taps = Bits.of(operation.weights.reshape(outputs, 1, wide // string, string)).words
    packed = np.zeros((groups * GROUP, wide // string * words_of(string)), np.uint64)
    packed[:outputs] = taps.reshape(outputs, -1)
    weights = aligned(packed.reshape(groups, GROUP, -1).transpose(0, 2, 1))
    constants = np.full((len(operation.constants), groups * GROUP), -1, np.int32)  # never reached
    if operation.compares:
        # sum = wide - 2 * differences >= threshold
        constants[:, :outputs] = (wide - np.clip(operation.constants, -wide, wide + 2)) // 2
    else:
        constants[:, :outputs] = wide + operation.constants

    def read(tensor: Tensor) -> NDArray[np.generic]:
        words = bits(tensor).words
        if not joined:
            return words
        lines = np.empty((len(words), height, geometry.width, geometry.depth), np.uint64)
        extents = (width, channels, columns, right, geometry.width)
        call("join_columns", words, len(words) * height, *extents, lines)
        return lines

    return Products.of(geometry, operation, weights, constants, read)


def _of_integers(
    operation: Product, given: TensorType, result: TensorType, windows: Windows | None
) -> Products:
    (outputs, wide), rows = operation.weights.shape, windows.kernel[0] if windows else 1
    geometry = _geometry(given, result, windows, given.shape[2])
    groups, line = -(-outputs // SUMS), wide // rows
    pairs = np.zeros((groups * SUMS, rows, line + line % 2), np.int16)
    pairs[:outputs, :, :line] = operation.weights.reshape(outputs, rows, line)
    weights = aligned(pairs.reshape(groups, SUMS, -1, 2).transpose(0, 2, 1, 3))
    constants = np.full((len(operation.constants), groups * SUMS), NEVER, np.int32)
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

    return Products.of(geometry, operation, weights, constants, read)
