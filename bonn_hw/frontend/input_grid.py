# SPDX-License-Identifier: BSD-3-Clause
"""Put a quantiser at the input of a model: where a user states its grid, and behind affine steps.

A model without a quantiser at its input gets one from the user's statement, such as ``uint8/256``.
Steps behind an integer input, such as a division by 255, a mean and a standard deviation, lead to
values that are integers on a finer grid, up to the rounding of float32. A quantiser with that grid
is put behind them. It changes no value by more than that rounding, and the host computes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from bonn_hw.errors import InternalError, UnsupportedModel, UserError
from bonn_hw.frontend import activation, steps
from bonn_hw.frontend.attributes import Malformed
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.context import Context
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.graph_builder import GraphBuilder
from bonn_hw.frontend.model import Model, QuantGrid
from bonn_hw.frontend.operator import Kind
from bonn_hw.frontend.operators import table
from bonn_hw.frontend.partition import head, split, start
from bonn_hw.frontend.standard_onnx import DOMAINS, to_standard_onnx
from bonn_hw.frontend.stated_grid import ROUNDING, StatedGrid

MOST_BITS = 16  # of the integers behind affine steps
FINEST = 1 << 10  # parts of the input's step
BETWEEN = (Kind.ELEMENTWISE, Kind.JOIN, Kind.SHAPE)


def with_input(model: Model, grid: StatedGrid) -> Model:
    """The model with a quantiser at its input.

    Raises
    ------
    UserError
        If the input is quantised in the file.
    """
    try:
        own = head(replace(model, annotation=None))
    except UnsupportedModel:
        own = []
    if own:
        raise UserError(
            f"--input {grid.text}: the model quantises its input itself, in {own[-1].name}: leave "
            "--input out"
        )
    scale = np.float32(grid.scale)
    quantised = _quantised(model, model.input, QuantGrid(np.asarray(scale), grid.low, grid.high))
    return replace(quantised, annotation=None, stated=grid)


def with_grid_behind_steps(model: Model) -> Model:
    """The model with a quantiser behind affine steps on its integer input, if it needs one."""
    try:
        first, _, _ = split(model)
        if not first and model.annotation is not None and model.stated is None:
            model = replace(model, stated=_annotated(model.annotation))
        _, pending, kind = start(model, first)
        tensor = first[-1].output[0] if first else model.input
        branch = Branch(Context(model, None), pending, GraphBuilder(kind), tensor)
        if not _follow_steps(branch):
            return model
        pending = branch.pending
        if len(pending.grid) > 1 << MOST_BITS:
            return model
        if activation.integer_scale(pending, model) or activation.bipolar(pending, model):
            return model
        integers = np.arange(pending.grid.start, pending.grid.stop, pending.grid.step)
        values = steps.evaluate(pending, model)(integers[:, None])
    except (UnsupportedModel, Malformed):
        return model  # the lowering says why
    grid = affine_grid(values)
    return model if grid is None else _quantised(model, branch.tensor, grid)


def _annotated(grid: QuantGrid) -> StatedGrid:
    scale = float(grid.scale.reshape(-1)[0])
    return StatedGrid("its annotation", grid.low, grid.high, scale, grid.bipolar)


def _follow_steps(branch: Branch) -> bool:
    """Apply the elementwise operators up to the first layer; False if there is none of both."""
    model, found = branch.model, False
    while True:
        following = model.consumers(branch.tensor)
        operator = table().get(following[0].op_type) if following else None
        if operator is None:
            return False
        node = following[0]
        if operator.kind not in BETWEEN or len(model.computed(node)) != 1:
            # A MaxPool is moved in front of the steps, which need no grid of their own then.
            return found and node.op_type != "MaxPool"
        if len(following) > 1 or operator.lower is None:
            return False
        operator.lower(branch, node)
        found |= operator.kind is not Kind.SHAPE
        branch.tensor = node.output[0]


def affine_grid(values: NDArray[np.float32]) -> QuantGrid | None:
    """The coarsest grid on which values ``(R, C)`` of R integers n are ``scale * (a * n + b)``.

    `a` and `b` are integers, and `b` may differ from channel to channel. None if there is no such
    grid of at most 16 bits, up to the rounding of float32.
    """
    exact, places = values.astype(np.float64), np.arange(len(values))[:, None]
    if len(exact) < 2 or not np.isfinite(exact).all():
        return None
    tolerance = ROUNDING * np.abs(exact).max()
    slope = float((exact[-1] - exact[0]).mean() / (len(exact) - 1))
    if slope == 0 or (np.abs(exact - slope * places - exact[0]) > tolerance).any():
        return None
    for parts in range(1, FINEST + 1):
        scale = abs(np.float32(slope / parts))
        integers = np.rint(exact / scale)
        low, high = int(integers.min()), int(integers.max())
        if _bits(low, high) > MOST_BITS:
            return None
        if (np.abs(integers * float(scale) - exact) <= tolerance).all():
            return QuantGrid(np.asarray(scale, np.float32), low, high)
    return None


def _bits(low: int, high: int) -> int:
    """Bits of integers from ``low`` to ``high``."""
    return max(1, max(high, -low - 1).bit_length() + (low < 0))


def _quantised(model: Model, tensor: str, grid: QuantGrid) -> Model:
    """The model with a quantiser behind a tensor, for all its consumers."""
    fresh = f"{tensor}/quantised"
    bits, signed = _bits(grid.low, grid.high), grid.low < 0
    constants: dict[str, Array] = {
        f"{fresh}/given_scale": np.asarray(grid.scale, np.float32),
        f"{fresh}/given_zero": np.zeros((), np.float32),
        f"{fresh}/given_bits": np.asarray(bits, np.float32),
    }
    attributes: dict[str, Any] = {"signed": int(signed), "narrow": 0, "rounding_mode": "ROUND"}
    inputs = [tensor, *constants]
    node = helper.make_node("Quant", inputs, [fresh], fresh, domain=DOMAINS[0], **attributes)
    standard = to_standard_onnx(node, constants, model.opset)
    if standard is None or standard.grid is None:
        raise InternalError(f"{fresh}: {node.op_type} of {node.domain} is no quantiser")
    place = _behind(model.nodes, tensor)
    nodes = [*model.nodes[:place], *standard.nodes]
    for old in model.nodes[place:]:
        new = NodeProto()
        new.CopyFrom(old)
        new.input[:] = [fresh if name == tensor else name for name in old.input]
        nodes.append(new)
    made = {name: model.shapes[tensor] for node in standard.nodes for name in node.output}
    narrow = replace(standard.grid, low=grid.low, high=grid.high)
    return replace(
        model,
        nodes=tuple(nodes),
        constants={**model.constants, **standard.constants},
        shapes={**model.shapes, **made},
        grids={**model.grids, fresh: narrow},
        output=fresh if model.output == tensor else model.output,
    )


def _behind(nodes: Sequence[NodeProto], tensor: str) -> int:
    """The place behind the node that makes a tensor; 0 for the input."""
    return next((i + 1 for i, node in enumerate(nodes) if tensor in node.output), 0)
