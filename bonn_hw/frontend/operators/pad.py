# SPDX-License-Identifier: BSD-3-Clause
"""Pad: rows and columns of one constant."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import has, integers, number, text
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.context import EarlyPad
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.padding import Geometry, Pads
from bonn_hw.frontend.windows import both, image, ordered


def pad(branch: Branch, node: NodeProto) -> None:
    """Pad bits and integers immediately, other values after their activation."""
    pads, value = _parameters(node, branch)
    pools = branch.matrix is not None and branch.matrix.pools
    waiting = branch.early_pad or pools or any(branch.zero_pads)
    if branch.pending.order.ndim not in (2, 3) or waiting:
        raise UnsupportedModel(f"{node.name}: only one Pad of an image before a layer is supported")
    height, width = image(branch, node)
    padded = Geometry((height, width), (1, 1), (1, 1), pads).padded
    if branch.quantised() or branch.integer_scale() is not None:
        branch.materialise(node)
        branch.pad(node.name, (height, width), pads, float(value))
    else:
        place = len(branch.pending.ops)
        branch.early_pad = EarlyPad(node.name, (height, width), pads, value, place)
    order = ordered(branch, padded, branch.pending.channels)
    branch.pending = branch.pending.past_layer(node, order)


def _parameters(node: NodeProto, branch: Branch) -> tuple[Pads, np.float32]:
    """Read pads and value."""
    model, axes = branch.model, 1 + branch.pending.order.ndim
    mode = text(node, "mode", "constant")
    if mode != "constant":
        raise UnsupportedModel(
            f"{node.name}: pads in mode {mode!r}, which is not supported; pad with a constant"
        )
    value = number(node, "value", 0.0)
    if has(node, "pads"):  # below operator set 11
        amounts = integers(node, "pads", ())
    else:
        parameters = [model.constants.get(name) for name in node.input[1:3] if name]
        if len(node.input) > 3 or not parameters or any(item is None for item in parameters):
            raise UnsupportedModel(
                f"{node.name}: pads and value of a Pad must be constants for all axes"
            )
        amounts = tuple(int(item) for item in np.asarray(parameters[0]).reshape(-1))
        value = np.asarray(parameters[1]).reshape(-1)[0] if len(parameters) > 1 else 0.0
    begins, ends = amounts[:axes], amounts[axes:]
    outside = len(amounts) != 2 * axes or any((*begins[:2], *ends[:2]))
    if outside or min(amounts) < 0:
        raise UnsupportedModel(f"{node.name}: pads {list(amounts)} must add rows and columns only")
    pads = both(begins[2:], 0, "pads") + both(ends[2:], 0, "pads")
    return pads, np.float32(value)


OPERATORS = (
    Operator(
        ("Pad",),
        Kind.LAYER,
        "with a constant: of bits the true zero (before a convolution), −1 or +1; of integers one "
        "of their values",
        pad,
    ),
)
