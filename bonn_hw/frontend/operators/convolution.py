# SPDX-License-Identifier: BSD-3-Clause
"""Conv: padding, sliding windows, and a matrix layer on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import integer, integers
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.graph_builder import Matrix
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.padding import NO_PADS, Geometry
from bonn_hw.frontend.weights import Weights, bias, constant_weights, quantised
from bonn_hw.frontend.windows import ordered, windows
from bonn_hw.ir.tensor import Element, TensorType
from bonn_hw.kernels.requantize import Requantize

LARGEST_KERNEL = 31


def convolution(branch: Branch, node: NodeProto) -> None:
    """Lower a convolution; zero padding of bits is corrected per border class."""
    weights = _weights(node, branch.model)
    branch.materialise(node, zero_pads=True)
    given = weights.values
    channels = branch.builder.kind.shape[2]
    groups = integer(node, "group", 1)
    depthwise = groups == channels > 1
    weights = replace(weights, values=_filters(node, given, 1 if depthwise else groups))
    kernel = (weights.values.shape[2], weights.values.shape[3])
    geometry = _with_zero_pads(branch, windows(branch, node, kernel))
    if depthwise and branch.builder.kind.element.bipolar and any(geometry.pads):
        # Pads are true zeros: as a third value, since sums of one channel have no border classes.
        branch.builder.add(_as_integers(branch.builder.kind), node.name)
    element, (high, *_) = branch.builder.kind.element, weights.values.shape
    rows, columns = (0,) * geometry.pixels[0], (0,) * geometry.pixels[1]
    corrections = np.zeros((1, high), np.int64)
    if element.bipolar and any(geometry.pads):
        # Padding is streamed as −1, which subtracts the weights at its taps: add them back.
        rows, columns, padded = geometry.classes()
        by_tap = weights.values.sum(axis=1, dtype=np.int64)
        corrections = np.einsum("kyx,myx->km", padded.astype(np.int64), by_tap)
    branch.builder.windows(geometry, -1 if element.bipolar else 0, node.name)
    element = branch.builder.kind.element  # with the border
    flat = weights.values.transpose(0, 2, 3, 1).reshape(high, -1)
    border = (corrections, rows, columns)
    matrix = Matrix(geometry.pixels, element, flat, *border, origin=node.name, depthwise=depthwise)
    order = ordered(branch, geometry.pixels, high)
    branch.add_matrix(node, matrix, weights, given, order, bias(node, branch.model))
    if depthwise:  # its activation is a kernel of its own
        branch.emit_sums()


def _filters(node: NodeProto, values: NDArray[np.int16], groups: int) -> NDArray[np.int16]:
    """Filters ``(MH, C, KH, KW)`` with zeros between dilated taps and for the other groups."""
    steps = integers(node, "dilations", (1,) * (values.ndim - 2))
    if values.ndim == 3:  # over a sequence, which is an image of width 1
        values, steps = values[..., None], (*steps, 1)
    high, own, *taps = values.shape
    sizes = [(count - 1) * step + 1 for count, step in zip(taps, steps, strict=True)]
    filters = np.zeros((high, own * groups, *sizes), values.dtype)
    for group, part in enumerate(np.split(np.arange(high), groups)):
        mine = slice(group * own, (group + 1) * own)
        filters[part, mine, :: steps[0], :: steps[1]] = values[part]
    return filters


def _as_integers(kind: TensorType) -> Requantize:
    """The kernel that turns bits into the integers −1 and +1."""
    lines = np.array([[2]]), np.array([[-1]])
    return Requantize(kind, Element(-1, 1), *lines, 0, False, 0)


def _weights(node: NodeProto, model: Model) -> Weights:
    """Read the weights ``(MH, C, KH, KW)``."""
    values = constant_weights(node, model)
    if values.ndim not in (3, 4):
        raise UnsupportedModel(
            f"{node.name}: only convolutions over images (2 dimensions) and sequences (1) are "
            "supported"
        )
    steps = integers(node, "dilations", (1,) * (values.ndim - 2))
    sizes = [(count - 1) * step + 1 for count, step in zip(values.shape[2:], steps, strict=True)]
    if max(sizes) > LARGEST_KERNEL:
        raise UnsupportedModel(
            f"{node.name}: a kernel of {'x'.join(map(str, sizes))}, dilation included, is too "
            f"large; at most {'x'.join([str(LARGEST_KERNEL)] * len(sizes))}"
        )
    return quantised(node, values, model)


def _with_zero_pads(branch: Branch, geometry: Geometry) -> Geometry:
    """Add an explicit Pad with the true zero to the convolution's own."""
    zeros, branch.zero_pads = branch.zero_pads, NO_PADS
    top, left, bottom, right = (a + b for a, b in zip(geometry.pads, zeros, strict=True))
    height, width = geometry.frame
    frame = (height - zeros[0] - zeros[2], width - zeros[1] - zeros[3])
    return replace(geometry, frame=frame, pads=(top, left, bottom, right))


OPERATORS = (
    Operator(
        ("Conv",),
        Kind.MATRIX,
        "over images and sequences (N, C, L), kernels of 1 to 31 with their dilation, any stride, "
        "any shape, pads; depthwise (a group for each channel); other groups and dilations are "
        "computed with zeros between the taps; weights bipolar, or "
        "few-bit behind their own quantiser (up to 16 bits), with a scale per tensor or per "
        "channel; inputs bits or few-bit integers. Its pads are the true zero of PyTorch",
        convolution,
    ),
)
