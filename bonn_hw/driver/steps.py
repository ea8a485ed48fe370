# SPDX-License-Identifier: BSD-3-Clause
"""The float part of a model before its first integers: ONNX operators in NumPy.

Each operator is exactly rounded or only moves data, so NumPy has the same results as ONNX Runtime,
bit for bit. The operators of a model are written to its metadata, and checked, by `bitstream.pack`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def _reshape(values: Array, shape: Array) -> Array:
    sizes = [values.shape[i] if size == 0 else int(size) for i, size in enumerate(shape)]
    return values.reshape(sizes)


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
