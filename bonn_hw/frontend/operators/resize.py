# SPDX-License-Identifier: BSD-3-Clause
"""Resize and Upsample: nearest neighbours at whole factors, if that just repeats pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import integers, numbers, text
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.windows import both, image_in_order, ordered
from bonn_hw.kernels.upsample import Upsample

# Coordinate and rounding modes that map output pixel x to input pixel x // factor, for every whole
# factor. Half-pixel coordinates are less than half a pixel away from it, so they must be rounded:
# with floor they would be off by one.
HALVES = ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")
REPEATING = {
    "asymmetric": ("floor",),
    **dict.fromkeys(HALVES, ("round_prefer_floor", "round_prefer_ceil")),
}
OLD = 11  # first operator set in which Resize has a coordinate mode; before, it uses floor
REMEDY = "use nearest neighbours at whole factors (torch.nn.Upsample(scale_factor=2))"


def resize(branch: Branch, node: NodeProto) -> None:
    """Lower a resize that repeats pixels, of bits or integers."""
    if branch.model.opset >= OLD:
        _check_coordinates(node)
    _check(node, "mode", text(node, "mode", "nearest"), "nearest")
    height, width = image_in_order(branch, node)
    factors = _factors(node, branch, (height, width))
    branch.materialise(node)
    frame = branch.builder.framed((height, width))
    branch.builder.add(Upsample(frame, factors), node.name)
    pixels = height * factors[0], width * factors[1]
    order = ordered(branch, pixels, branch.pending.channels)
    branch.pending = replace(branch.pending, order=order)


def _check(node: NodeProto, name: str, value: object, *allowed: object) -> None:
    if value not in allowed:
        raise UnsupportedModel(
            f"{node.name}: resizes with {name} {value}, which does not just repeat pixels; {REMEDY}"
        )


def _check_coordinates(node: NodeProto) -> None:
    coordinates = text(node, "coordinate_transformation_mode", "half_pixel")
    _check(node, "coordinate_transformation_mode", coordinates, *REPEATING)
    rounding = text(node, "nearest_mode", "round_prefer_floor")
    if rounding not in REPEATING[coordinates]:
        raise UnsupportedModel(
            f"{node.name}: resizes with nearest_mode {rounding} at {coordinates} coordinates, "
            f"which does not just repeat pixels; use {' or '.join(REPEATING[coordinates])} there"
        )
    policy = text(node, "keep_aspect_ratio_policy", "stretch")
    _check(node, "keep_aspect_ratio_policy", policy, "stretch")


def _factors(node: NodeProto, branch: Branch, frame: tuple[int, int]) -> tuple[int, int]:
    """Whole factors (KY, KX), from scales or sizes."""
    before = (branch.pending.channels, *frame)
    after, scales = (
        branch.model.shapes.get(node.output[0], ()),
        _scales(node, branch.model, 1 + branch.pending.order.ndim),
    )
    axes = branch.pending.order.ndim  # 2 of a sequence, whose width is 1
    if len(after) == axes:
        channels, *factors = (b // a for a, b in zip(before[:axes], after, strict=True))
        down, right = both(tuple(factors), 1, "factors")
        whole = (*after, 1)[:3] == (before[0], frame[0] * down, frame[1] * right)
        if whole and channels == 1 and scales in (None, (1, 1, *factors)):
            return down, right
    stated = "sizes" if scales is None else f"scales {[round(s, 3) for s in scales]}"
    raise UnsupportedModel(
        f"{node.name}: resizes {before} (channels, height, width) to {after} with {stated}, which "
        f"does not just repeat pixels; {REMEDY} and leave batch and channels alone"
    )


def _scales(node: NodeProto, model: Model, count: int) -> tuple[float, ...] | None:
    """Scales of all axes, batch included; None if the node has sizes instead."""
    values = numbers(node, "scales")  # of an Upsample below operator set 9
    for name in node.input[1 if len(node.input) == 2 else 2 :][:1]:
        if name:
            values = tuple(np.asarray(model.constants[name], float).reshape(-1))
    if not values:
        return None
    axes = integers(node, "axes", tuple(range(len(values))), len(values))
    scales = [1.0] * count
    for axis, value in zip(axes, values, strict=True):
        scales[axis % count] = float(value)
    return tuple(scales)


def free_batch(
    node: NodeProto,
    constants: dict[str, Array],
    shapes: Mapping[str, tuple[int, ...]],
    batch: int,
) -> None:
    """Replace sizes, which contain the exported batch, by the equivalent scales."""
    sizes = constants.get(node.input[3]) if len(node.input) > 3 else None
    before, after = shapes.get(node.input[0], ()), shapes.get(node.output[0], ())
    if sizes is None or np.size(sizes) != len(before) or len(before) != len(after):
        return
    if any(large % small for small, large in zip(before, after, strict=True)):
        return  # refused by name when it is lowered
    name = f"{node.output[0]}/scales"
    constants[name] = np.array(after, np.float32) / np.array(before, np.float32)
    node.input[2] = name
    del node.input[3]


OPERATORS = (
    Operator(
        ("Resize", "Upsample"),
        Kind.LAYER,
        "nearest neighbours of images at whole factors, on bits or integers, in the modes in which "
        "that repeats pixels: asymmetric coordinates with floor, half-pixel ones with rounding",
        resize,
        free_batch=free_batch,
    ),
)
