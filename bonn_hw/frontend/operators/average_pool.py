# SPDX-License-Identifier: BSD-3-Clause
"""Averages over windows or whole images: a kernel sums up; the division stays pending."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import NodeProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import flag, integers
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.exact_sums import (
    LARGEST_SUM,
    Nodes,
    largest_error,
    power_of_two,
    usual_error,
)
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.padding import NO_PADS, Geometry
from bonn_hw.frontend.pending_ops import PendingOps, channel_axis, last
from bonn_hw.frontend.windows import both, image, ordered, pooling, whole_windows
from bonn_hw.kernels.average_pool import AveragePool


def average_pool(branch: Branch, node: NodeProto) -> None:
    """Lower an average over windows; padding counts as zeros, and all windows have one divisor."""
    kernel, dilation = pooling(node)
    if dilation != (1, 1):
        raise UnsupportedModel(
            f"{node.name}: averages windows with a dilation of {dilation[0]}x{dilation[1]}; use a "
            "dilation of 1"
        )
    geometry = whole_windows(branch, node, kernel)
    if any(geometry.pads) and not flag(node, "count_include_pad", False):
        raise UnsupportedModel(
            f"{node.name}: averages windows with fewer pixels at the border, each with a divisor "
            "of its own; use count_include_pad=1 (in PyTorch count_include_pad=True)"
        )
    _average(branch, node, geometry)


def global_average_pool(branch: Branch, node: NodeProto) -> None:
    """Lower an average over the whole image."""
    _average(branch, node, _whole(branch, node))


def reduce_mean(branch: Branch, node: NodeProto) -> None:
    """Lower an average over the whole image; without ``keepdims`` the result is a vector."""
    order = branch.pending.order
    channels_last = channel_axis(order, branch.pending.channels) == order.ndim - 1 > 0
    if channels_last and order.ndim in (2, 3):
        frame = both(order.shape[:-1], 1, "an input")
        geometry = Geometry(frame, frame, frame, NO_PADS)
    else:
        geometry = _whole(branch, node)
    axes = integers(node, "axes", ())
    if not axes and len(node.input) > 1 and node.input[1] in branch.model.constants:
        axes = tuple(np.asarray(branch.model.constants[node.input[1]]).reshape(-1))
    count = 1 + branch.pending.order.ndim
    pixels = range(1, count - 1) if channels_last else range(2, count)
    if sorted(int(axis) % count for axis in axes) != list(pixels):
        raise UnsupportedModel(
            f"{node.name}: only a mean over height and width, or over the length of a sequence, is "
            "supported"
        )
    flat = not flag(node, "keepdims", True)
    _average(branch, node, geometry, flat=flat, channels_last=channels_last)


def _whole(branch: Branch, node: NodeProto) -> Geometry:
    """One window over the image."""
    frame = image(branch, node, "averaged")
    if channel_axis(branch.pending.order, branch.pending.channels) != 0:
        raise UnsupportedModel(
            f"{node.name}: averages over an axis of channels; transpose to (channels, height, "
            "width) before"
        )
    return Geometry(frame, frame, frame, NO_PADS)


def _average(
    branch: Branch,
    node: NodeProto,
    geometry: Geometry,
    flat: bool = False,
    channels_last: bool = False,
) -> None:
    branch.materialise(node, zero_pads=True)
    branch.widen(node.name)
    if any(branch.zero_pads):  # around bits, which are integers now
        pads, branch.zero_pads = branch.zero_pads, NO_PADS
        branch.pad(node.name, branch.zero_pads_frame, pads, 0.0)
    taps, scale = geometry.kernel[0] * geometry.kernel[1], branch.pending.scale[0]
    largest = taps * int(np.abs([branch.pending.low.min(), branch.pending.high.max()]).max())
    if largest > LARGEST_SUM:
        raise UnsupportedModel(
            f"{node.name}: sums {taps} values to integers up to {largest}, and float32 has only "
            f"those up to {LARGEST_SUM}: quantise to fewer bits before"
        )
    branch.builder.pool(AveragePool, geometry, 0, node.name)
    element, channels = branch.builder.kind.element, branch.pending.channels
    order = ordered(branch, geometry.pixels, channels)
    pending = PendingOps.of(element, channels, scale, order)
    error = 0.0 if power_of_two(scale).all() else usual_error(taps, largest)
    pending = replace(pending, error=np.full(channels, error))
    # The division is an operator of its own: it rounds unless it is by a power of two.
    image, total, count = (f"{node.output[0]}/{name}" for name in ("image", "sum", "count"))
    branch.context.add_constant(count, np.asarray(taps, np.float32))
    output = image if flat or channels_last else node.output[0]
    after = [helper.make_node("Div", [total, count], [output], node.name)]
    pending = pending.then(after[0], branch.model)
    if flat:
        after.append(helper.make_node("Flatten", [image], [node.output[0]], f"{node.name}/flat"))
        pending = pending.moved(after[1], pending.order.reshape(-1))
    elif channels_last:
        perm = [0, *range(2, 1 + order.ndim), 1]
        name = f"{node.name}/last"
        after.append(helper.make_node("Transpose", [image], [node.output[0]], name, perm=perm))
        pending = pending.moved(after[1], last(pending.order))
    branch.pending = pending
    parts = Nodes(node, branch.model.opset)
    axes = order.ndim - 1  # 1 over a sequence, whose window is (K, 1)
    ones = np.ones((channels, 1, *geometry.kernel[:axes]), np.float32)
    integers = parts.integers(branch.tensor, scale)
    if channels_last:
        perm = [0, order.ndim, *range(1, order.ndim)]
        integers = parts.add("Transpose", integers, perm=perm)
    (top, left, bottom, right), strides = geometry.pads, geometry.stride[:axes]
    around = [top, left, bottom, right] if axes == 2 else [top, bottom]
    sums = parts.add("Conv", integers, ones, group=channels, strides=strides, pads=around)
    parts.scaled(sums, pending.scale, 2 + axes)
    parts.end(total)
    parts.nodes += after
    parts.constants[count] = branch.model.constants[count]
    bound = 0.0 if error == 0.0 else largest_error(taps + 8, largest * float(scale) / taps)
    branch.context.parts.replace(node, parts, np.full(channels, bound))


OPERATORS = (
    Operator(
        ("AveragePool",),
        Kind.LAYER,
        "over images and sequences, any kernel and stride, on integers and bits; with pads if they "
        "are counted (`count_include_pad`); no windows that `ceil_mode` adds",
        average_pool,
    ),
    Operator(("GlobalAveragePool",), Kind.LAYER, "on integers and bits", global_average_pool),
    Operator(
        ("ReduceMean",),
        Kind.LAYER,
        "over height and width, or the length of a sequence, on integers and bits",
        reduce_mean,
    ),
)
