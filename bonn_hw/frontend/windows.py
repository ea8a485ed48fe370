# SPDX-License-Identifier: BSD-3-Clause
"""Read the windows of a convolution or a pool from the model file: sizes, strides, padding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import Malformed, flag, integers, text
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.channels import permutation, settle
from bonn_hw.frontend.padding import Geometry, explicit_pads
from bonn_hw.frontend.pending_ops import canonical


def image(branch: Branch, node: NodeProto, verb: str = "supported") -> tuple[int, int]:
    """Extents (H, W) of a branch's image, or (L, 1) of a sequence (C, L).

    Raises UnsupportedModel for anything else.
    """
    shape = branch.pending.order.shape
    if len(shape) not in (2, 3):
        raise UnsupportedModel(
            f"{node.name}: only images (channels, height, width) and sequences (channels, length) "
            f"are {verb} here"
        )
    return shape[1], shape[2] if len(shape) == 3 else 1


def ordered(branch: Branch, pixels: tuple[int, int], channels: int) -> NDArray[np.int64]:
    """Order of a layer's output of (H, W) pixels, with as many axes as the layer's input."""
    return canonical((*pixels, channels), branch.pending.order.ndim)


def both(values: tuple[int, ...], filler: int, what: str) -> tuple[int, int]:
    """Two numbers for height and width; of a sequence's one, the second is ``filler``."""
    if len(values) not in (1, 2):
        raise Malformed(f"{what} for {len(values)} axes")
    return (values[0], values[1]) if len(values) == 2 else (values[0], filler)


def image_in_order(branch: Branch, node: NodeProto) -> tuple[int, int]:
    """Extents (H, W) of an image in stream order; raises UnsupportedModel for other orders."""
    frame = image(branch, node)
    if permutation(branch.pending.order, branch.pending.channels) is not None:
        settle(branch, node, "quantise before the channels are shuffled")
    order = branch.pending.order
    if not np.array_equal(canonical((*frame, branch.pending.channels), order.ndim), order):
        raise UnsupportedModel(
            f"{node.name}: its input was transposed or reshaped from another layout; images must "
            "be in the order (channels, height, width)"
        )
    return frame


def windows(branch: Branch, node: NodeProto, kernel: tuple[int, int]) -> Geometry:
    """Read strides and pads; raises UnsupportedModel. The pads include those of ``ceil_mode``."""
    geometry, pixels = _windows(branch, node, kernel)
    return _with_ceil(geometry, pixels) if flag(node, "ceil_mode", False) else geometry


def whole_windows(branch: Branch, node: NodeProto, kernel: tuple[int, int]) -> Geometry:
    """Read strides and pads; raises UnsupportedModel also for windows that ``ceil_mode`` adds."""
    geometry, pixels = _windows(branch, node, kernel)
    if flag(node, "ceil_mode", False) and geometry.pixels != pixels:
        raise UnsupportedModel(
            f"{node.name}: averages windows that ceil_mode adds, which have fewer pixels than the "
            "others; use ceil_mode=0, or sizes that whole windows cover"
        )
    return geometry


def _windows(
    branch: Branch, node: NodeProto, kernel: tuple[int, int]
) -> tuple[Geometry, tuple[int, int]]:
    """Windows without those of ``ceil_mode``, and the extents of the node's output."""
    frame = image_in_order(branch, node)
    axes = branch.pending.order.ndim - 1
    down, right = both(integers(node, "strides", (1,) * axes, axes), 1, "strides")
    if min(*kernel, down, right) < 1:
        raise Malformed(f"a {kernel[0]}x{kernel[1]} window at strides of {down} and {right}")
    begins, ends = _halves(integers(node, "pads", (0,) * 2 * axes, 2 * axes))
    (top, left), (bottom, end) = both(begins, 0, "pads"), both(ends, 0, "pads")
    stride = (down, right)
    auto = text(node, "auto_pad", "NOTSET")
    pads = explicit_pads(auto, (top, left, bottom, end), frame, kernel, stride)
    if min(pads) < 0:
        raise UnsupportedModel(
            f"{node.name}: negative pads are not supported; crop the images before"
        )
    geometry = Geometry(frame, kernel, stride, pads)
    shape = branch.model.shapes.get(node.output[0], (0,) * (1 + axes))
    pixels = both(shape[1:], 1, "an output")
    if min(geometry.pixels) < 1 or min(pixels) < 1:
        raise UnsupportedModel(
            f"{node.name}: a {kernel[0]}x{kernel[1]} window does not fit its input"
        )
    return geometry, pixels


def _halves(values: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return values[: len(values) // 2], values[len(values) // 2 :]


def _with_ceil(geometry: Geometry, pixels: tuple[int, ...]) -> Geometry:
    """Extend the padding at the end for windows that ``ceil_mode`` adds."""
    sides = zip(pixels, geometry.stride, geometry.kernel, geometry.padded, strict=True)
    rows, columns = (
        max(0, (count - 1) * step + size - extent) for count, step, size, extent in sides
    )
    top, left, bottom, right = geometry.pads
    return replace(geometry, pads=(top, left, bottom + rows, right + columns))


def pooling(node: NodeProto) -> tuple[tuple[int, int], tuple[int, int]]:
    """Read window (KH, KW) and dilation of a MaxPool or AveragePool; (K, 1) over a sequence."""
    kernel = integers(node, "kernel_shape", ())
    if len(kernel) not in (1, 2):
        raise UnsupportedModel(
            f"{node.name}: only pooling over images (2 dimensions) and sequences (1) is supported"
        )
    if len(node.output) > 1:
        raise UnsupportedModel(f"{node.name}: the indices of a pool are not supported")
    dilation = integers(node, "dilations", (1,) * len(kernel), len(kernel))
    if min(dilation) < 1:
        raise Malformed(f"dilations {dilation}")
    return both(kernel, 1, "kernel_shape"), both(dilation, 1, "dilations")
