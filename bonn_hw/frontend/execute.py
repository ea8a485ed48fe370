# SPDX-License-Identifier: BSD-3-Clause
"""The reference's own arithmetic: parts of a model as one ONNX Runtime session.

Quantisers are rewritten to the standard operators that qonnx' NumPy code stands for, in the same
order and precision; everything else runs as it is, without graph optimisations, because these fuse
and reassociate. qonnx itself executes node by node, which is too slow for ten thousand images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from bonn_hw.errors import Refused
from bonn_hw.frontend.operators import attributes, layer, refuse

Array = NDArray[Any]
IR_VERSION = 8
OLDEST_OPSET = 9  # Where
_DENORMAL = np.float32(-1.4e-45)  # x > this is x >= 0, also for NaN


def assemble(
    nodes: Iterable[NodeProto],
    constants: Mapping[str, Array],
    inputs: Mapping[str, tuple[int, Sequence[int | str | None]]],
    outputs: Iterable[str],
    opset: int,
) -> ModelProto:
    """Make a model of standard operators.

    Parameters
    ----------
    inputs : mapping
        Name to ONNX element type and shape.
    """
    plain: list[NodeProto] = []
    used: dict[str, Array] = {}
    for node in nodes:
        for name in node.input:
            if name in constants:
                used[name] = constants[name]
        plain += _expanded(node, constants, used, opset)
    graph = helper.make_graph(
        plain,
        "part",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(np.ascontiguousarray(v), n) for n, v in used.items()],
    )
    return helper.make_model(
        graph, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", opset)]
    )


def session(model: bytes, where: str) -> Callable[..., list[Array]]:
    """Compile a model; the result maps arrays by input name to the list of its outputs.

    Raises
    ------
    Refused
        Where the runtime cannot make sense of it; ``where`` names the part.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4

    def guarded(action: Callable[[], Any]) -> Any:
        try:
            return action()
        except Exception as error:  # the runtime's own errors have no common base but this
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
            raise Refused(
                f"{where}: ONNX Runtime cannot execute it ({reason}); export the model again"
            ) from error

    compiled = guarded(
        lambda: onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    )
    return lambda **feeds: list(guarded(lambda: compiled.run(None, feeds)))


def _expanded(
    node: NodeProto, constants: Mapping[str, Array], used: dict[str, Array], opset: int
) -> list[NodeProto]:
    if node.op_type == "BipolarQuant":
        scratch = _Scratch(node, used, opset)
        return scratch.done("Mul", scratch.sign(node.input[0]), node.input[1])
    if node.op_type in ("Quant", "IntQuant"):
        return _expand_quant(node, constants, used, opset)
    return [node]


def _expand_quant(
    node: NodeProto, constants: Mapping[str, Array], used: dict[str, Array], opset: int
) -> list[NodeProto]:
    """Follow ``int_quant`` of qonnx.custom_op.general.intquant line by line."""
    scratch = _Scratch(node, used, opset)
    x, scale, zero, _ = node.input
    low, high = quantiser_range(node, constants)
    y = scratch.add("Add", scratch.add("Div", x, scale), zero)
    if (low, high) == (-1, 1) and _bits(node, constants) == 1:
        y = scratch.sign(y)
    else:
        top, bottom = scratch.constant(high), scratch.constant(low)
        y = scratch.add("Where", scratch.add("Greater", y, top), top, y)
        y = scratch.add("Where", scratch.add("Less", y, bottom), bottom, y)
        y = scratch.round(y, attributes(node).get("rounding_mode", b"ROUND").decode().upper())
    return scratch.done("Mul", scratch.add("Sub", y, zero), scale)


def _bits(node: NodeProto, constants: Mapping[str, Array]) -> int:
    width = constants.get(node.input[3]) if len(node.input) == 4 else None
    if width is None or width.size != 1 or not 1 <= width.item() <= 22 or width.item() % 1:
        raise refuse(
            node,
            "the bit width must be one constant integer from 1 to 22",
            "use Brevitas' quantisers with a constant bit width",
        )
    return int(width.item())


def quantiser_range(node: NodeProto, constants: Mapping[str, Array]) -> tuple[int, int]:
    """Return smallest and largest integer of a quantiser, before its zero point is taken off."""
    if node.op_type == "BipolarQuant":
        return -1, 1
    bits, given = _bits(node, constants), attributes(node)
    signed, narrow = bool(given.get("signed", 1)), bool(given.get("narrow", 0))
    if signed and bits == 1:
        return -1, 1
    if signed:
        return -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
    return 0, 2**bits - 1 - narrow


class _Scratch:
    """The nodes that one quantiser becomes; their tensors carry its output's name."""

    def __init__(self, node: NodeProto, used: dict[str, Array], opset: int) -> None:
        self.node, self.used, self.opset = node, used, opset
        self.nodes: list[NodeProto] = []

    def add(self, kind: str, *inputs: str) -> str:
        name = f"{self.node.output[0]}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=layer(self.node)))
        return name

    def done(self, kind: str, *inputs: str) -> list[NodeProto]:
        last = helper.make_node(kind, inputs, [self.node.output[0]], name=layer(self.node))
        return [*self.nodes, last]

    def constant(self, value: float) -> str:
        name = f"{self.node.output[0]}_c{len(self.used)}"
        self.used[name] = np.array(value, np.float32)
        return name

    def sign(self, x: str) -> str:
        above = self.add("Greater", x, self.constant(_DENORMAL))
        return self.add("Where", above, self.constant(1), self.constant(-1))

    def round(self, y: str, mode: str) -> str:
        if mode in ("ROUND", "HALF_EVEN"):
            if self.opset >= 11:
                return self.add("Round", y)
            # The same for |y| < 2**22, and 2**22 is beyond every bit width that is allowed.
            magic = self.constant(1.5 * 2**23)
            return self.add("Sub", self.add("Add", y, magic), magic)
        if mode in ("CEIL", "FLOOR"):
            return self.add(mode.capitalize(), y)
        magnitude = self.add("Abs", y)
        if mode == "HALF_UP":
            magnitude = self.add("Add", magnitude, self.constant(0.5))
        elif mode == "HALF_DOWN":
            magnitude = self.add("Sub", magnitude, self.constant(0.5))
        elif mode not in ("UP", "DOWN"):
            raise refuse(self.node, f"unknown rounding mode {mode!r}", "use ROUND")
        kind = "Ceil" if mode in ("UP", "HALF_DOWN") else "Floor"
        return self.add("Mul", self.add("Sign", y), self.add(kind, magnitude))
