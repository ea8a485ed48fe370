# SPDX-License-Identifier: BSD-3-Clause
"""The state of a translation of FINN's graph, and the QONNX nodes that it writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from bonn_hw.ir.tensor import Element

QUANTISERS = "qonnx.custom_op.general"
CUSTOM = ("BipolarQuant", "MultiThreshold", "Quant")
BITS = ("BINARY", "BIPOLAR")
LAYERS = ("Conv", "MatMul", "MaxPool", "AveragePool", "GlobalAveragePool")


class Translation:
    """What is known of FINN's tensors so far, and the nodes written so far.

    Attributes
    ----------
    names
        Our tensor of each of FINN's.
    ranks
        Of our tensors: 4 for images, 2 for vectors.
    windows
        The image and the attributes of each of FINN's window tensors.
    borders
        Of our padded tensors: the tensor before a border of zeros, and the pads.
    label
        Of the current node: the user's layer, or the node's name.
    outside
        FINN's tensors before the first hardware node.
    host
        FINN's tensors before the first hardware node that the node itself takes.
    last
        FINN's tensors with channels last; they are second here.
    """

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self.constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
        self.kinds = {
            note.tensor_name: entry.value
            for note in model.graph.quantization_annotation
            for entry in note.quant_parameter_tensor_names
            if entry.key == "finn_datatype"
        }
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.names: dict[str, str] = {}
        self.ranks: dict[str, int] = {}
        self.windows: dict[str, tuple[str, dict[str, Any]]] = {}
        self.borders: dict[str, tuple[str, list[int]]] = {}
        self.label = ""
        self.outside: set[str] = set()
        self.host: set[str] = set()
        self.last: set[str] = set()

    def emit(
        self, kind: str, inputs: list[str], name: str, output: str = "", **attributes: Any
    ) -> str:
        """Add a node; returns its output. Nodes of type `LAYERS` get the label as their name."""
        result = output or f"{name}_{len(self.nodes)}"
        domain = QUANTISERS if kind in CUSTOM else ""
        called = self.label if kind in LAYERS else f"{name}_{kind}"
        node = helper.make_node(kind, inputs, [result], name=called, domain=domain, **attributes)
        self.nodes.append(node)
        self.ranks[result] = self.ranks.get(inputs[0], 2)
        return result

    def constant(self, value: Any, kind: Any = np.float32) -> str:
        """Add a constant; returns its name."""
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def channels(self, values: NDArray[Any], tensor: str) -> str:
        """Add a constant with one value per channel, shaped for a tensor; a scalar stays one."""
        flat = np.asarray(values, np.float64).reshape(-1)
        image = flat.size > 1 and self.ranks[tensor] == 4
        return self.constant(flat.reshape(1, -1, 1, 1) if image else flat)

    def sign(self, tensor: str, limits: NDArray[Any], name: str, output: str) -> None:
        """+1 where a tensor is at least its channel's limit, -1 elsewhere."""
        moved = self.emit("Sub", [tensor, self.channels(limits, tensor)], name)
        result = self.emit("BipolarQuant", [moved, self.constant(1.0)], name, output)
        self.names[output] = result

    def steps(self, tensor: str, limits: NDArray[Any], start: int, name: str, output: str) -> None:
        """``start`` plus the number of a channel's thresholds ``(C or 1, T)`` that are reached."""
        layout = "NCHW" if self.ranks[tensor] == 4 else "NC"
        bits = _type(start, start + limits.shape[-1])
        attributes = {"out_scale": 1.0, "out_bias": float(start), "out_dtype": bits}
        held = self.constant(limits)
        result = self.emit(
            "MultiThreshold", [tensor, held], name, output, data_layout=layout, **attributes
        )
        self.names[output] = result

    def quantised(self, weights: NDArray[Any], name: str) -> str:
        """Add integer weights behind their quantiser; returns its output."""
        if np.isin(weights, (-1, 1)).all():
            return self.emit("BipolarQuant", [self.constant(weights), self.constant(1.0)], name)
        bits = Element(min(int(weights.min()), -2), max(int(weights.max()), 1)).bits
        return self.integers(self.constant(weights), bits, True, name)

    def integers(self, tensor: str, bits: int, signed: bool, name: str, output: str = "") -> str:
        """A tensor behind a quantiser of scale 1; returns the quantiser's output."""
        parameters = [self.constant(float(one)) for one in (1, 0, bits)]
        attributes = {"signed": int(signed), "narrow": 0, "rounding_mode": "ROUND"}
        return self.emit("Quant", [tensor, *parameters], name, output, **attributes)

    def flat(self, tensor: str, name: str) -> str:
        """Flatten an image into a vector in FINN's order: channels change fastest."""
        if self.ranks[tensor] == 2:
            return tensor
        last = self.emit("Transpose", [tensor], name, perm=[0, 2, 3, 1])
        result = self.emit("Flatten", [last], name, axis=1)
        self.ranks[result] = 2
        return result

    def padded(self, tensor: str, pads: list[int], border: float, name: str, output: str) -> str:
        """Pad an image by ``(top, left, bottom, right)``; a convolution can pad zeros by itself."""
        top, left, bottom, right = pads
        amounts = self.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)
        value = self.constant(border)
        result = self.emit("Pad", [tensor, amounts, value], name, output, mode="constant")
        if border == 0:
            self.borders[result] = (tensor, list(pads))
        return result

    def quantise_input(self, node: NodeProto, attributes: Mapping[str, Any]) -> None:
        """Quantise the input of the first hardware node as its attributes say, channels second."""
        source = node.input[0]
        if source not in self.outside:
            return
        tensor = self.names[source]
        if source not in self.last and self.ranks[tensor] == 4:
            tensor = self.emit("Transpose", [tensor], "input", perm=[0, 3, 1, 2])
        keys = ("inputDataType", "lhs_dtype", "dataType")
        data_type = next((str(attributes[key]) for key in keys if key in attributes), "FLOAT32")
        if integer_type := re.fullmatch(r"(U?)INT(\d+)", data_type):
            tensor = self.integers(tensor, int(integer_type[2]), not integer_type[1], "input")
        elif data_type in BITS:
            if data_type == "BINARY":
                doubled = self.emit("Mul", [tensor, self.constant(2.0)], "input")
                tensor = self.emit("Sub", [doubled, self.constant(1.0)], "input")
            tensor = self.emit("BipolarQuant", [tensor, self.constant(1.0)], "input")
        self.names[source] = tensor
        self.outside.discard(source)
        self.last.add(source)


def _type(low: int, high: int) -> str:
    """The name of the narrowest type for a range."""
    element = Element(low, high)
    return f"{'INT' if element.signed else 'UINT'}{element.bits}"


Attributes = Mapping[str, Any]
Write = Callable[[Translation, NodeProto, Attributes], None]
