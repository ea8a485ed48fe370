# SPDX-License-Identifier: BSD-3-Clause
"""Weights of matrix layers in the model file, as integers and scales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import InternalError, UnsupportedModel
from bonn_hw.frontend.attributes import number
from bonn_hw.frontend.model import Model

LARGEST = 1 << 15  # largest absolute value of an integer weight
ONE = np.float32(1)


@dataclass(frozen=True, eq=False)
class Weights:
    """Integer weights, output channels first, and one ``scale`` per output channel.

    ``alpha`` is a Gemm's factor of the product.
    """

    values: NDArray[np.int16]
    scale: NDArray[np.float32]
    alpha: np.float32 = ONE


def constant_weights(node: NodeProto, model: Model) -> NDArray[np.float32]:
    """Weights as floats; raises UnsupportedModel if they are computed from the data."""
    name = node.input[1]
    if name not in model.constants:
        raise UnsupportedModel(
            f"{node.name}: its weights {name!r} are computed from the data; they must be constants"
        )
    return np.asarray(model.constants[name], np.float32)


def quantised(node: NodeProto, values: NDArray[np.float32], model: Model) -> Weights:
    """Split weights ``(MH, ...)`` into integers and scales: bipolar, or by their quantiser.

    Raises
    ------
    UnsupportedModel
        If the weights are neither bipolar nor quantised.
    """
    sizes = np.abs(values.reshape(len(values), -1))
    scale = sizes[:, 0]
    uneven = (sizes != sizes[:, :1]).any(axis=1) | ~(scale > 0) | ~np.isfinite(scale)
    if not uneven.any():
        signs = np.where(values > 0, 1, -1).astype(np.int16)
        return _checked(node, values, Weights(signs, scale))
    grid = model.grids.get(node.input[1])
    if (
        grid is None
        or grid.scale.size not in (1, len(values))
        or max(-grid.low, grid.high) > LARGEST
    ):
        raise UnsupportedModel(
            f"{node.name}: the weights of output channel {int(np.argmax(uneven))} are neither "
            "bipolar (plus and minus one scale) nor the output of a quantiser of at most 16 bits: "
            "quantise them (for example to 1 bit)"
        )
    scale = np.broadcast_to(grid.scale.reshape(-1), len(values)).astype(np.float32)
    integers = np.rint(values / scale.reshape(-1, *[1] * (values.ndim - 1)))
    return _checked(node, values, Weights(integers.astype(np.int16), scale))


def _checked(node: NodeProto, values: NDArray[np.float32], weights: Weights) -> Weights:
    """Compare integers times scales with the floats, up to the rounding of one product."""
    scale = weights.scale.astype(np.float64).reshape(-1, *[1] * (values.ndim - 1))
    if (np.abs(weights.values * scale - values) > 2.0**-23 * np.abs(values)).any():
        raise InternalError(f"{node.name}: its weights were read as other values")
    return weights


def bias(node: NodeProto, model: Model) -> NDArray[np.float32] | None:
    """The bias ``(MH,)`` of a Conv or Gemm, beta included."""
    if len(node.input) < 3 or not node.input[2]:
        return None
    beta = np.float32(number(node, "beta", 1.0))
    values: NDArray[np.float32] = beta * np.asarray(model.constants[node.input[2]], np.float32)
    return values.reshape(-1)
