# SPDX-License-Identifier: BSD-3-Clause
"""QONNX's Trunc, which drops the lowest bits of integers, as in Brevitas' average pools.

Follows qonnx 1.0 (``custom_op/general/trunc.py``): version 1 has five inputs, version 2 six.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import flag, text
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import QuantGrid
from bonn_hw.frontend.operator import Kind, Operator, StandardOnnx, trials
from bonn_hw.frontend.operators.quantisers import bounds, parameters
from bonn_hw.frontend.quantiser_steps import Steps, qonnx_rounding, rounding_of

MOST_BITS = 24
HALVES = np.arange(-2, 2.5, 0.5)


def trunc(node: NodeProto, constants: Mapping[str, Array], opset: int) -> StandardOnnx:
    """Translate a Trunc: to integers, divide by a power of two, round, and back."""
    second = len(node.input) == 6
    given = parameters(node, constants, 5 if second else 4)
    rounding = rounding_of(node, "FLOOR")
    if opset < 11:
        raise UnsupportedModel(
            f"{node.name}: Trunc needs operator set 11 or later, not {opset}: export again"
        )
    scale, zero = given[0], given[1]
    if any(one.size != 1 for one in given[1:]) or (second and scale.size != 1):
        raise UnsupportedModel(
            f"{node.name}: Trunc is supported with one zero point, one width and one scale for all"
        )
    width = float(given[-1].reshape(-1)[0])
    if not 1 <= width <= MOST_BITS or width % 1:
        raise UnsupportedModel(
            f"{node.name}: a Trunc to {width:g} bits is not supported; use 1 to {MOST_BITS}"
        )
    divisor, scale_after = _second(given) if second else _first(given)
    zero_after = zero / divisor if second else zero
    if (zero_after % 1 != 0).any():
        raise UnsupportedModel(
            f"{node.name}: the zero point {zero_after.tolist()} of the truncated values is not an "
            "integer; use 0"
        )
    steps = Steps(node, opset)
    by_zero, after = (
        steps.constant(name, one.reshape(()))
        for name, one in (("zero", zero), ("zero_after", zero_after))
    )
    steps.add("Div", steps.constant("scale", scale)).add("Add", by_zero).add("Round")
    steps.add("Div", steps.constant("divisor", divisor))
    low, high = -(2 ** int(width)), 2 ** int(width) - 1  # version 1 has no sign and does not clip
    if second:
        low, high = bounds(int(width), flag(node, "signed", True), _narrow(node))
        steps.clip(low, high)
    steps.round(rounding).add("Sub", after).add("Mul", steps.constant("scale_after", scale_after))
    offset = int(zero_after.reshape(-1)[0])
    grid = QuantGrid(scale_after, low - offset, high - offset)
    points = (float(divisor) * step for end in (0, low, high) for step in (end - offset + HALVES))
    return steps.finish(grid, trials(points, scale))


def _first(given: Sequence[NDArray[np.float32]]) -> tuple[Array, NDArray[np.float32]]:
    """The divisor, from the widths before and after; the scale stays."""
    scale, _, before, after = given
    return np.asarray(2.0 ** (before - after).reshape(()), np.float32), scale


def _second(given: Sequence[NDArray[np.float32]]) -> tuple[Array, NDArray[np.float32]]:
    """The divisor, from the scales before and after."""
    scale, _, _, after, _ = given
    ratio = np.round(np.log2(after.reshape(()) / scale.reshape(())))
    return np.asarray(2**ratio, np.float32), after.reshape(())


def _narrow(node: NodeProto) -> bool:
    return flag(node, "narrow", False)


def _by_qonnx(node: NodeProto, values: Array, given: Sequence[Array]) -> Array:
    from qonnx.custom_op.general.trunc import trunc_v1, trunc_v2

    given = [one.reshape(()) if one.size == 1 else one for one in given]
    rounding = qonnx_rounding(text(node, "rounding_mode", "FLOOR"))
    if len(given) == 4:
        return np.asarray(trunc_v1(values, *given, rounding), np.float32)
    scale, zero, before, scale_after, after = given
    signs = (_narrow(node), flag(node, "signed", True))
    result = trunc_v2(values, scale, zero, before, *signs, scale_after, after, rounding)
    return np.asarray(result, np.float32)


OPERATORS = (
    Operator(
        ("Trunc",),
        Kind.QUANTISER,
        "both versions of qonnx, all rounding modes, with one scale, width and zero point (that "
        "stays an integer)",
        rewrite=trunc,
        definition=_by_qonnx,
    ),
)
