# SPDX-License-Identifier: BSD-3-Clause
"""What the engine does for a kernel: a function of tensors.

The kernel's `operation` says which one. A kernel without one, and values that an operation cannot
hold, are left to the kernel's NumPy `reference`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bonn_hw.engine.native import Window, call
from bonn_hw.engine.tensors import Bits, Tensor, Work, bits, empty, fits, integers, narrow, words_of
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.operation import Border, Copies, Maximum, Total


def step(kernel: Kernel) -> Work:
    """The work of a kernel on its input tensors, if it is not a task of tiles."""
    return _fast(kernel) or by_reference(kernel)


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


def _fast(kernel: Kernel) -> Work | None:
    """The work of a kernel's operation; None if it has none, or one for other values."""
    operation, given = kernel.operation(), kernel.outputs[0].element
    match operation:
        case Border() if given.bipolar:
            return _padded_bits(kernel, operation)
        case Maximum() if given.bipolar:
            return _pooled_bits(kernel, operation)
        case Total() if fits(given, np.int32):
            return _totals(kernel, operation)
        case Copies():
            return lambda tensor: (tensor,) * len(kernel.outputs)
    return None


def _of_bits(kernel: Kernel, fill: Callable[[Bits, Bits], None]) -> Work:
    """Work that fills packed outputs, which are all 0, from packed inputs."""
    shape = kernel.outputs[0].shape

    def work(tensor: Tensor) -> tuple[Tensor]:
        given = bits(tensor)
        result = Bits(empty(len(given.words), shape), shape[2])
        fill(given, result)
        return (result,)

    return work


def _padded_bits(kernel: Kernel, operation: Border) -> Work:
    (top, left, _, _), (height, width, channels) = operation.pads, kernel.inputs[0].shape
    border = Bits.of(np.full((1, 1, 1, channels), operation.value)).words

    def fill(given: Bits, result: Bits) -> None:
        result.words[...] = border
        result.words[:, top : top + height, left : left + width] = given.words

    return _of_bits(kernel, fill)


def _pooled_bits(kernel: Kernel, operation: Maximum) -> Work:
    window = _windows(kernel, operation.kernel, words_of(kernel.inputs[0].shape[2]))

    def fill(given: Bits, result: Bits) -> None:
        call("bit_pool", window, given.words, len(given.words), result.words)

    return _of_bits(kernel, fill)


def _totals(kernel: Kernel, operation: Total) -> Work:
    shape = kernel.outputs[0].shape
    window = _windows(kernel, operation.kernel, shape[2])

    def work(tensor: Tensor) -> tuple[Tensor]:
        values = narrow(tensor)
        result = np.empty((len(values), *shape), np.int32)
        call("total_pool", window, values, values.itemsize, len(values), result)
        return (result,)

    return work


def _windows(kernel: Kernel, extents: tuple[int, int], depth: int) -> Window:
    """Windows that do not overlap."""
    (height, width, _), (rows, columns, _) = kernel.inputs[0].shape, kernel.outputs[0].shape
    return Window(height, width, depth, *extents, *extents, rows, columns)
