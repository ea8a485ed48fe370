# SPDX-License-Identifier: BSD-3-Clause
"""Weights of matrix layers in the model file, as integers and scales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import InternalError, UnsupportedModel
from bonn_hw.frontend.attributes import number
from bonn_hw.frontend.common_scale import LARGEST, common_scale
from bonn_hw.frontend.model import Model

ROUNDING = 2.0**-23  # largest relative error of a float weight
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
    """Split weights ``(MH, ...)`` into integers and scales.

    They are bipolar, or the output of a quantiser, or whole multiples of one scale: of one for all,
    or of one for each output channel.

    Raises
    ------
    UnsupportedModel
        If the weights are none of these.
    """
    if not np.isfinite(values).all():
        raise UnsupportedModel(
            f"{node.name}: its weights contain NaN or infinity: train or export the model again"
        )
    sizes = np.abs(values.reshape(len(values), -1))
    scale = sizes[:, 0]
    uneven = (sizes != sizes[:, :1]).any(axis=1) | ~(scale > 0)
    if not uneven.any():
        signs = np.where(values > 0, 1, -1).astype(np.int16)
        return _checked(node, values, Weights(signs, scale))
    found = _of_quantiser(node, values, model) or _of_levels(values)
    if found is None:
        raise UnsupportedModel(
            f"{node.name}: the weights of output channel {int(np.argmax(uneven))} are neither "
            "bipolar (plus and minus one scale) nor the output of a quantiser of at most 16 bits, "
            "nor multiples of one scale: quantise them (for example to 1 bit)"
        )
    return _checked(node, values, found)


def _of_quantiser(node: NodeProto, values: NDArray[np.float32], model: Model) -> Weights | None:
    """Weights on the grid of their quantiser, with one scale or one per output channel."""
    grid = model.grids.get(node.input[1])
    if grid is None or max(-grid.low - 1, grid.high) > LARGEST:
        return None
    if grid.scale.size not in (1, len(values)):
        return None
    scale = np.broadcast_to(grid.scale.reshape(-1), len(values)).astype(np.float32)
    integers = np.rint(values / _by_channel(scale, values))
    if (np.abs(integers * _by_channel(scale, values) - values) > ROUNDING * np.abs(values)).any():
        return None  # a scale for each input channel of a square matrix
    return Weights(integers.astype(np.int16), scale)


def _of_levels(values: NDArray[np.float32]) -> Weights | None:
    """Weights without a quantiser that are multiples of one scale, such as ternary ones."""
    scale = common_scale(values)
    if scale is not None:
        scales = np.full(len(values), scale, np.float32)
    else:
        each = [common_scale(row) for row in values]
        if any(one is None for one in each):
            return None
        scales = np.array(each, np.float32)
    integers = np.rint(values / _by_channel(scales, values).astype(np.float64))
    return Weights(integers.astype(np.int16), scales)


def _by_channel(scale: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float32]:
    return scale.reshape(-1, *[1] * (values.ndim - 1))


def _checked(node: NodeProto, values: NDArray[np.float32], weights: Weights) -> Weights:
    """Compare integers times scales with the floats, up to the rounding of one product."""
    scale = _by_channel(weights.scale, values).astype(np.float64)
    if (np.abs(weights.values * scale - values) > ROUNDING * np.abs(values)).any():
        raise InternalError(f"{node.name}: its weights were read as other values")
    return weights


def bias(node: NodeProto, model: Model) -> NDArray[np.float32] | None:
    """The bias ``(MH,)`` of a Conv or Gemm, beta included."""
    if len(node.input) < 3 or not node.input[2]:
        return None
    beta = np.float32(number(node, "beta", 1.0))
    values: NDArray[np.float32] = beta * np.asarray(model.constants[node.input[2]], np.float32)
    return values.reshape(-1)
