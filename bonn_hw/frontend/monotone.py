# SPDX-License-Identifier: BSD-3-Clause
"""Which operators are monotone in float32: a larger input never crosses a smaller one.

The exact result of such an operator is monotone, and rounding to float32 keeps the order. So does
a chain of them. Functions that libraries approximate (exp, tanh, ...) are not in the list: their
last digit may go up and down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import NodeProto, TensorProto

from bonn_hw.frontend.attributes import integer, number
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import Model


def monotone(nodes: Sequence[NodeProto], model: Model) -> bool:
    """Whether each operator is monotone in its one computed input, for each channel."""
    return all(_monotone(node, model) for node in nodes)


def _monotone(node: NodeProto, model: Model) -> bool:
    rule = RULES.get(node.op_type)
    return rule is not None and len(model.computed(node)) == 1 and rule(node, model)


def _always(node: NodeProto, model: Model) -> bool:
    return True


def _bounds(node: NodeProto, model: Model) -> bool:
    """Bounds may be infinite, but not NaN."""
    return not any(np.isnan(value).any() for value in _constants(node, model))


def _finite(node: NodeProto, model: Model) -> bool:
    """Finite constants: an infinite factor makes NaN of zero."""
    return all(bool(np.isfinite(value).all()) for value in _constants(node, model))


def _constants(node: NodeProto, model: Model) -> list[Array]:
    values = (np.asarray(model.constants[name]) for name in node.input if name in model.constants)
    return [value for value in values if value.dtype.kind == "f"]


def _divides(node: NodeProto, model: Model) -> bool:
    """A constant divisor; one divided by the data is not monotone at zero."""
    divisor = model.constants.get(node.input[1])
    return divisor is not None and bool((np.asarray(divisor) != 0).all()) and _finite(node, model)


def _casts(node: NodeProto, model: Model) -> bool:
    return integer(node, "to", 0) in (TensorProto.FLOAT, TensorProto.DOUBLE)


def _line(node: NodeProto, model: Model) -> bool:
    return all(np.isfinite(number(node, name, 0.5)) for name in ("alpha", "beta"))


def _rising(default: float) -> Callable[[NodeProto, Model], bool]:
    return lambda node, model: number(node, "alpha", default) >= 0


def _slopes(node: NodeProto, model: Model) -> bool:
    slopes: Array | None = model.constants.get(node.input[1])
    return slopes is not None and bool((np.asarray(slopes) >= 0).all()) and _finite(node, model)


def _normalises(node: NodeProto, model: Model) -> bool:
    variance = model.constants.get(node.input[4]) if len(node.input) == 5 else None
    epsilon = number(node, "epsilon", 1e-5)
    return variance is not None and bool((variance + epsilon > 0).all()) and _finite(node, model)


RULES: dict[str, Callable[[NodeProto, Model], bool]] = {
    **dict.fromkeys(("Ceil", "Dropout", "Floor", "Identity", "Neg", "Not"), _always),
    **dict.fromkeys(("Relu", "Round", "Sign", "Sqrt"), _always),
    **dict.fromkeys(("Clip", "Max", "Min"), _bounds),
    **dict.fromkeys(("Add", "Sub", "Mul", "Where"), _finite),
    **dict.fromkeys(("Greater", "GreaterOrEqual", "Less", "LessOrEqual"), _finite),
    "BatchNormalization": _normalises,
    "Cast": _casts,
    "Div": _divides,
    "HardSigmoid": _line,
    "LeakyRelu": _rising(0.01),
    "PRelu": _slopes,
    "ThresholdedRelu": _rising(1.0),
}
