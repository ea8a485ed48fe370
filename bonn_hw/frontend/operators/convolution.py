# SPDX-License-Identifier: BSD-3-Clause
"""Conv: padding, sliding windows, and a matrix layer on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
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

LARGEST_KERNEL = 7


def convolution(branch: Branch, node: NodeProto) -> None:
    """Lower a convolution; zero padding of bits is corrected per border class."""
    weights = _weights(node, branch.model)
    branch.materialise(node, zero_pads=True)
    given = weights.values
    if given.ndim == 3:  # over a sequence, which is an image of width 1
        weights = replace(weights, values=given[..., None])
    kernel = (weights.values.shape[2], weights.values.shape[3])
    geometry = _with_zero_pads(branch, windows(branch, node, kernel))
    element, (high, *_) = branch.builder.kind.element, weights.values.shape
    zero = -1 if element.bipolar else 0
    if any(geometry.pads) and not element.holds(np.array([zero])):
        raise UnsupportedModel(
            f"{node.name}: pads with zero, which is outside its input's range "
            f"[{element.low}, {element.high}]; widen the quantiser"
        )
    rows, columns = (0,) * geometry.pixels[0], (0,) * geometry.pixels[1]
    corrections = np.zeros((1, high), np.int64)
    if element.bipolar and any(geometry.pads):
        # Padding is streamed as −1, which subtracts the weights at its taps: add them back.
        rows, columns, padded = geometry.classes()
        by_tap = weights.values.sum(axis=1, dtype=np.int64)
        corrections = np.einsum("kyx,myx->km", padded.astype(np.int64), by_tap)
    branch.builder.windows(geometry, zero, node.name)
    flat = weights.values.transpose(0, 2, 3, 1).reshape(high, -1)
    border = (corrections, rows, columns)
    matrix = Matrix(geometry.pixels, element, flat, *border, origin=node.name)
    order = ordered(branch, geometry.pixels, high)
    branch.add_matrix(node, matrix, weights, given, order, bias(node, branch.model))


def _weights(node: NodeProto, model: Model) -> Weights:
    """Read the weights ``(MH, C, KH, KW)``."""
    values = constant_weights(node, model)
    if values.ndim not in (3, 4):
        raise UnsupportedModel(
            f"{node.name}: only convolutions over images (2 dimensions) and sequences (1) are "
            "supported"
        )
    group = integer(node, "group", 1)
    if group != 1:
        raise UnsupportedModel(
            f"{node.name}: a convolution in {group} groups is not supported; use 1"
        )
    if set(integers(node, "dilations", (1, 1))) != {1}:
        raise UnsupportedModel(
            f"{node.name}: dilated convolutions are not supported; use dilation 1"
        )
    if max(values.shape[2:]) > LARGEST_KERNEL:
        raise UnsupportedModel(
            f"{node.name}: a kernel of {'x'.join(map(str, values.shape[2:]))} is too large; at "
            f"most {'x'.join([str(LARGEST_KERNEL)] * (values.ndim - 2))}"
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
        "over images and sequences (N, C, L), groups 1, dilation 1, kernels of 1 to 7, any stride, "
        "any shape, pads; weights bipolar, or "
        "few-bit behind their own quantiser (up to 16 bits), with a scale per tensor or per "
        "channel; inputs bits or few-bit integers. Its pads are the true zero of PyTorch",
        convolution,
    ),
)
