# SPDX-License-Identifier: BSD-3-Clause
"""The order in which the host sends the input: the one that the first layer takes.

The input may have its channels last, or be flat, and be transposed and reshaped before the first
layer. The host puts the elements in order anyway, so this needs no hardware.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import Malformed
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.operator import Kind
from bonn_hw.frontend.operators import kind_of
from bonn_hw.frontend.operators.reshape import transposed
from bonn_hw.frontend.pending_ops import canonical, last

KEEPING = (Kind.ELEMENTWISE, Kind.JOIN)  # operators that keep the shape
PRODUCTS = ("MatMul",)  # take the channels as the last axis


def layout(model: Model, tensor: str) -> tuple[tuple[int, int, int], NDArray[np.int64]]:
    """Frame (H, W, C) of the stream, and the index in it of each element of the input.

    Parameters
    ----------
    tensor : str
        The quantised input.

    Raises
    ------
    UnsupportedModel
        If it is no image, sequence or vector, and no layer takes it as one.
    """
    shape = model.shapes[tensor]
    size = int(np.prod(shape))
    found = _first_layer(model, tensor, np.arange(size, dtype=np.int64).reshape(shape))
    if found is not None:
        node, places = found
        frame, order = _taken(node, places.shape)
        if order is not None:
            index = np.empty(size, np.int64)
            index[places.reshape(-1)] = order.reshape(-1)
            return frame, index.reshape(shape)
    if len(shape) in (2, 3):
        frame = (shape[1], shape[2] if len(shape) == 3 else 1, shape[0])
        return frame, canonical(frame, len(shape))
    if len(shape) == 1:
        return (1, 1, size), np.arange(size, dtype=np.int64)
    raise UnsupportedModel(
        f"the quantised input has the shape {shape}: images (C, H, W), sequences (C, L) and "
        "vectors (F) are supported"
    )


def _taken(
    node: NodeProto, shape: tuple[int, ...]
) -> tuple[tuple[int, int, int], NDArray[np.int64] | None]:
    """Frame and order that a layer takes for an input of a shape; None for any."""
    if len(shape) not in (2, 3):
        return (1, 1, 1), None
    if node.op_type in PRODUCTS:
        *pixels, channels = shape
        frame = (pixels[0], pixels[1] if len(pixels) == 2 else 1, channels)
        return frame, last(canonical(frame, len(shape)))
    frame = (shape[1], shape[2] if len(shape) == 3 else 1, shape[0])
    return frame, canonical(frame, len(shape))


def _first_layer(
    model: Model, tensor: str, places: NDArray[np.int64]
) -> tuple[NodeProto, NDArray[np.int64]] | None:
    """The first layer behind a tensor, and the input's element at each place of what it takes."""
    open_ends = [(tensor, places)]
    while open_ends:
        tensor, places = open_ends.pop(0)
        for node in model.consumers(tensor):
            kind = kind_of(node.op_type)
            if kind is Kind.MATRIX or kind is Kind.LAYER:
                return node, places
            if len(model.computed(node)) != 1:
                continue
            after = _moved(model, node, places) if kind is Kind.SHAPE else places
            if after is not None and (kind is Kind.SHAPE or kind in KEEPING):
                open_ends.append((node.output[0], after))
    return None


def _moved(model: Model, node: NodeProto, places: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The places behind an operator that moves elements; None if it is invalid."""
    if node.op_type == "Transpose":
        try:
            return transposed(node, places)
        except (UnsupportedModel, Malformed):
            return None
    shape = model.shapes.get(node.output[0])
    if shape is None or int(np.prod(shape)) != places.size:
        return None
    return places.reshape(shape)
