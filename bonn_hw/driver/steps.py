# SPDX-License-Identifier: BSD-3-Clause
"""What the processor computes before and after the accelerator: ONNX operators in NumPy.

Each operator is exactly rounded or only moves data, so NumPy has the same results as ONNX Runtime,
bit for bit. The operators of a model are written to its metadata, and checked, by `bitstream.pack`.
Attributes of an operator are constants that follow its inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def _reshape(values: Array, shape: Array) -> Array:
    sizes = [values.shape[i] if size == 0 else int(size) for i, size in enumerate(shape)]
    return values.reshape(sizes)


def _argmax(values: Array, axis: Array, keepdims: Array) -> Array:
    places = np.argmax(values, int(axis)).astype(np.int64)
    return np.expand_dims(places, int(axis)) if keepdims else places


def _top_indices(values: Array, count: Array, axis: Array, largest: Array) -> Array:
    # A stable order: of equal values the first comes first, as in ONNX.
    order = np.argsort(-values if largest else values, int(axis), kind="stable")
    return np.take(order, np.arange(int(count.reshape(-1)[0])), int(axis)).astype(np.int64)


def _top_values(values: Array, count: Array, axis: Array, largest: Array) -> Array:
    return np.take_along_axis(values, _top_indices(values, count, axis, largest), int(axis))


def _slice(values: Array, starts: Array, ends: Array, axes: Array, steps: Array) -> Array:
    chosen: list[Any] = [slice(None)] * values.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):  # noqa: B905  # no strict= in old Python
        last = None if step < 0 and end < -values.shape[axis] else int(end)
        chosen[int(axis)] = slice(int(start), last, int(step))
    part: Array = values[tuple(chosen)]
    return part


def _depth_to_space(values: Array, size: Array, columns_first: Array) -> Array:
    frames, channels, height, width = values.shape
    n = int(size)
    if columns_first:  # ONNX's mode CRD
        parts = values.reshape(frames, channels // n**2, n, n, height, width)
        moved = parts.transpose(0, 1, 4, 2, 5, 3)
    else:
        parts = values.reshape(frames, n, n, channels // n**2, height, width)
        moved = parts.transpose(0, 3, 4, 1, 5, 2)
    return moved.reshape(frames, channels // n**2, height * n, width * n)


def _repeat(values: Array, factors: Array) -> Array:
    for axis, factor in enumerate(factors):
        values = np.repeat(values, int(factor), axis)
    return values


OPERATORS: Mapping[str, Callable[..., Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Neg": np.negative,
    "Abs": np.abs,
    "Round": np.rint,  # both round half to even
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Min": np.minimum,
    "Max": np.maximum,
    "Clip": lambda values, low, high: np.minimum(np.maximum(values, low), high),
    "Relu": lambda values: np.maximum(values, np.float32(0)),
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Where": np.where,
    "Identity": lambda values: values,
    "Reshape": _reshape,
    "Flatten": lambda values: values.reshape(len(values), -1),
    "Unsqueeze": lambda values, axes: np.expand_dims(values, tuple(axes)),
    "Squeeze": lambda values, axes: np.squeeze(values, tuple(axes)),
    # Used for small integers (counts of thresholds): exact in any order.
    "ReduceSum": lambda values, axes: values.sum(tuple(axes), keepdims=True),
    "ReduceMax": lambda values, axes, keepdims: values.max(tuple(axes), keepdims=bool(keepdims)),
    "ReduceMin": lambda values, axes, keepdims: values.min(tuple(axes), keepdims=bool(keepdims)),
    "ArgMax": _argmax,
    "ArgMin": lambda values, axis, keepdims: _argmax(-values, axis, keepdims),
    "TopIndices": _top_indices,  # the two outputs of a TopK
    "TopValues": _top_values,
    "Cast": lambda values, like: values.astype(like.dtype),
    "Gather": lambda values, index, axis: np.take(values, index, int(axis)),
    "Slice": _slice,
    "DepthToSpace": _depth_to_space,
    "Repeat": _repeat,  # a Resize to nearest neighbours
    "Concat": lambda *values: np.concatenate(values[:-1], int(values[-1])),
    "Transpose": lambda values, order: np.transpose(values, order),
}


def evaluate(
    steps: Sequence[tuple[str, Sequence[str], str]],
    constants: Mapping[str, Array],
    values: Array,
    entry: str,
    exit_: str,
) -> Array:
    """Run the operators ``(name, inputs, output)`` in order."""
    known = {**constants, entry: values}
    for name, inputs, output in steps:
        known[output] = OPERATORS[name](*(known[one] for one in inputs))
    return known[exit_]
