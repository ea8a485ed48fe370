# SPDX-License-Identifier: BSD-3-Clause
"""FINN's hardware graph -> QONNX: the same integers, computed by standard ONNX operators.

FINN's tensors hold channels last, bits are 0 and 1, binary sums are popcounts p of MW bits with
thresholds t on them. Here channels come second, bits are -1 and +1, sums are 2 p - MW, and a
threshold is a subtraction of 2 t - MW in front of a sign. Names are those of finn-plus 1.6 and of
upstream FINN 0.10 (``MVAU``, ``MVAU_hls``, ``StreamingMaxPool_hls``, ...). A border that FINN's
FMPadding writes around bits is made of zeros, which mean -1; here it is padded with -1 as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.interop.finn_attributes import DOMAIN, node_attributes
from bonn_hw.interop.finn_folding import operator_of

QUANTISERS = "qonnx.custom_op.general"
OPSET = 13  # of the operators that are written here
BITS = ("BINARY", "BIPOLAR")
LAYERS = ("Conv", "MatMul", "MaxPool")


def is_hardware(model: ModelProto) -> bool:
    """Whether a model has hardware nodes of FINN."""
    return any(node.domain.startswith(DOMAIN) for node in model.graph.node)


def translate(model: ModelProto) -> ModelProto:
    """Translate a hardware graph into QONNX; nodes keep their names.

    Raises
    ------
    UnsupportedModel
        For operators and attributes that have no exact counterpart, with the node's name.
    """
    return _Translation(model).whole()


class _Translation:
    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self.constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.names: dict[str, str] = {}  # FINN's tensor: ours
        self.ranks: dict[str, int] = {}  # ours: 4 for images, 2 for vectors
        self.windows: dict[
            str, tuple[str, dict[str, Any]]
        ] = {}  # FINN's window tensor: image, attributes
        self.borders: dict[str, tuple[str, list[int]]] = {}  # ours: before a border of zeros, pads
        self.label = ""  # of the current node: the user's layer, or the node's name
        self.outside: set[str] = set()  # FINN's tensors before the first hardware node
        self.last: set[str] = set()  # FINN's tensors with channels last; they are second here

    def whole(self) -> ModelProto:
        """The translated model."""
        graph = self.model.graph
        (entry,) = (one for one in graph.input if one.name not in self.constants)
        (exit_,) = graph.output
        self.names[entry.name] = entry.name
        self.ranks[entry.name] = len(entry.type.tensor_type.shape.dim)
        self.outside.add(entry.name)
        for node in graph.node:
            if node.domain.startswith(DOMAIN):
                make = OPERATORS.get(operator_of(node.op_type))
                self.label = node.doc_string or node.name
                if make is None:
                    raise UnsupportedModel(
                        f"{node.name}: FINN's operator {node.op_type} is not supported; supported "
                        f"are {', '.join(sorted(OPERATORS))}"
                    )
                attributes = node_attributes(node)
                self._quantise_input(node, attributes)
                make(self, node, attributes)
                self.last.update(node.output)
            else:
                self._standard(node)
        last = self.names[exit_.name]
        output = helper.make_tensor_value_info(last, TensorProto.FLOAT, None)
        translated = helper.make_graph(
            self.nodes, graph.name or "finn", [entry], [output], self.initializers
        )
        versions = [one.version for one in self.model.opset_import if one.domain in ("", "ai.onnx")]
        opset = max(OPSET, *versions)
        imports = [helper.make_opsetid("", opset), helper.make_opsetid(QUANTISERS, 1)]
        whole = helper.make_model(translated, opset_imports=imports)
        whole.metadata_props.extend(self.model.metadata_props)
        return whole

    def _quantise_input(self, node: NodeProto, attributes: Mapping[str, Any]) -> None:
        """Quantise the input of the first hardware node as its attributes say, channels second."""
        source = node.input[0]
        if source not in self.outside:
            return
        tensor = self.names[source]
        if source not in self.last and self.ranks[tensor] == 4:
            tensor = self.emit("Transpose", [tensor], "input", perm=[0, 3, 1, 2])
        data_type = str(attributes.get("inputDataType", attributes.get("lhs_dtype", "FLOAT32")))
        integer_type = re.fullmatch(r"(U?)INT(\d+)", data_type)
        if integer_type:
            parameters = [self.constant(float(one)) for one in (1, 0, int(integer_type[2]))]
            quant_attributes: dict[str, Any] = {"signed": int(not integer_type[1])}
            quant_attributes |= {"narrow": 0, "rounding_mode": "ROUND"}
            tensor = self.emit("Quant", [tensor, *parameters], "input", **quant_attributes)
        elif data_type in BITS:
            if data_type == "BINARY":
                doubled = self.emit("Mul", [tensor, self.constant(2.0)], "input")
                tensor = self.emit("Sub", [doubled, self.constant(1.0)], "input")
            tensor = self.emit("BipolarQuant", [tensor, self.constant(1.0)], "input")
        self.names[source] = tensor
        self.outside.discard(source)

    def emit(
        self, kind: str, inputs: list[str], name: str, output: str = "", **attributes: Any
    ) -> str:
        """Add a node; returns its output. Nodes of type `LAYERS` get the label as their name."""
        result = output or f"{name}_{len(self.nodes)}"
        domain = QUANTISERS if kind in ("BipolarQuant", "Quant") else ""
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

    def _standard(self, node: NodeProto) -> None:
        """Copy a standard ONNX node; transpositions between the two layouts are dropped."""
        source, output = node.input[0], node.output[0]
        streamed = [name for name in node.input if name in self.names]
        if self.outside & set(streamed):
            self.outside.add(output)
        if node.op_type == "Transpose":
            order = tuple(node_attributes(node)["perm"])
            if order not in ((0, 2, 3, 1), (0, 3, 1, 2)):
                raise UnsupportedModel(
                    f"{node.name}: Transpose by {order} among FINN's hardware nodes"
                )
            self.names[output] = self.names[source]
            if order == (0, 2, 3, 1):
                self.last.add(output)
            return
        last = bool(self.last & set(streamed))
        image = last and self.ranks[self.names[streamed[0]]] == 4
        if image and node.op_type in ("Flatten", "Reshape"):
            self.names[source] = self.flat(self.names[source], node.name)
        elif image:
            self.last.add(output)
        inputs = []
        for name in node.input:
            if name in self.names:
                inputs.append(self.names[name])
                continue
            value = self.constants[name]
            if image and value.ndim == 4:
                value = value.transpose(0, 3, 1, 2)
            inputs.append(self.constant(value, value.dtype))
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = inputs
        self.nodes.append(copy)
        self.names[output] = output
        self.ranks[output] = self.ranks[self.names[streamed[0]]]
        if node.op_type == "Flatten":
            self.ranks[output] = 2
        elif node.op_type == "Reshape":
            self.ranks[output] = self.constants[node.input[1]].size

    def flat(self, tensor: str, name: str) -> str:
        """Flatten an image into a vector in FINN's order: channels change fastest."""
        if self.ranks[tensor] == 2:
            return tensor
        last = self.emit("Transpose", [tensor], name, perm=[0, 2, 3, 1])
        result = self.emit("Flatten", [last], name, axis=1)
        self.ranks[result] = 2
        return result


def _threshold(here: _Translation, node: NodeProto, attributes: Mapping[str, Any]) -> None:
    source, limits = here.names[node.input[0]], here.constants[node.input[1]]
    limits = np.asarray(limits, np.float32)
    offset = int(attributes.get("ActVal", 0))
    if (limit := _sign(limits, attributes)) is not None:
        here.sign(source, limit, node.name, node.output[0])
        return
    # Integers: the number of thresholds that are reached. Compare with >=, as FINN does for ties.
    if here.ranks[source] == 4:
        limits = limits.reshape(1, -1, 1, 1, limits.shape[-1])
    expanded = here.emit("Unsqueeze", [source, here.constant([-1], np.int64)], node.name)
    reached = here.emit("GreaterOrEqual", [expanded, here.constant(limits)], node.name)
    one, zero, axes = here.constant(1.0), here.constant(0.0), here.constant([-1], np.int64)
    ones = here.emit("Where", [reached, one, zero], node.name)
    count = here.emit("Squeeze", [here.emit("ReduceSum", [ones, axes], node.name), axes], node.name)
    here.ranks[count] = here.ranks[source]
    moved = here.emit("Add", [count, here.constant(float(offset))], node.name)
    low, high = offset, offset + limits.shape[-1]
    signed = low < 0
    bits = max(int(high).bit_length(), int(-low - 1).bit_length() if signed else 0) + signed
    parameters = [here.constant(1.0), here.constant(0.0), here.constant(float(bits))]
    quant_attributes = {"signed": int(signed), "narrow": 0, "rounding_mode": "ROUND"}
    result = here.emit("Quant", [moved, *parameters], node.name, node.output[0], **quant_attributes)
    here.names[node.output[0]] = result


def _sign(limits: NDArray[Any], attributes: Mapping[str, Any]) -> NDArray[Any] | None:
    """The limits of a sign ``(channels,)``; None for thresholds with more than two output values.

    Two equal thresholds with INT2 output -1 and +1; FINN can pad such a tensor with a true zero.
    """
    if attributes["outputDataType"] in BITS and limits.shape[-1] == 1:
        return limits[:, 0]
    three = limits.shape[-1] == 2 and attributes["outputDataType"] == "INT2"
    if three and attributes.get("ActVal", 0) == -1 and (limits[:, 0] == limits[:, 1]).all():
        return limits[:, 0]
    return None


def _mvau(here: _Translation, node: NodeProto, attributes: Mapping[str, Any]) -> None:
    weights = np.asarray(here.constants[node.input[1]], np.float32)  # (MW, MH)
    popcount = bool(attributes.get("binaryXnorMode", 0))
    if popcount or attributes["weightDataType"] == "BINARY":
        if not popcount:
            raise UnsupportedModel(
                f"{node.name}: weights of 0 and 1 without XNOR are not supported"
            )
        weights = 2 * weights - 1
    if not np.isin(weights, (-1, 1)).all():
        raise UnsupportedModel(
            f"{node.name}: weights of type {attributes['weightDataType']} are not supported in "
            "FINN's form; compile the QONNX model"
        )
    sums = _matrix(here, node, weights)
    mw = weights.shape[0]
    # Our sums are factor * FINN's accumulator + shift.
    if popcount:
        factor, shift = 2.0, np.full(weights.shape[1], -float(mw))
    elif attributes["inputDataType"] == "BINARY":
        factor, shift = 2.0, -weights.sum(axis=0)
    else:
        factor, shift = 1.0, np.zeros(weights.shape[1])
    if attributes.get("noActivation", 0):
        if factor == 1.0:
            here.names[node.output[0]] = sums
            return
        moved = here.emit("Sub", [sums, here.channels(shift, sums)], node.name)
        result = here.emit("Mul", [moved, here.constant(1 / factor)], node.name, node.output[0])
        here.names[node.output[0]] = result
        return
    limits = np.asarray(here.constants[node.input[2]], np.float64)
    limit = _sign(limits, attributes)
    if limit is None:
        raise UnsupportedModel(
            f"{node.name}: {limits.shape[-1]} thresholds per channel are not supported in FINN's "
            "form, one is; compile the QONNX model"
        )
    # Sums are integers: take the smallest integer that reaches the threshold.
    first = np.ceil(np.broadcast_to(limit, weights.shape[1:]))
    here.sign(sums, factor * first + shift, node.name, node.output[0])


def _matrix(here: _Translation, node: NodeProto, weights: NDArray[np.float32]) -> str:
    """Add the convolution or matrix product with weights ``(MW, MH)``; returns its output."""
    one = here.constant(1.0)
    if node.input[0] in here.windows:
        source, window = here.windows[node.input[0]]
        height, width = window["ConvKernelDim"]
        shaped = weights.T.reshape(weights.shape[1], height, width, -1).transpose(0, 3, 1, 2)
        quantised = here.emit("BipolarQuant", [here.constant(shaped), one], node.name)
        # A convolution pads with zeros by itself.
        source, pads = here.borders.get(source, (source, [0, 0, 0, 0]))
        sides = {"pads": pads, "kernel_shape": [height, width], "strides": list(window["Stride"])}
        return here.emit("Conv", [source, quantised], node.name, output="", **sides)
    source = here.names[node.input[0]]
    images = here.ranks[source] == 4 and len(node_attributes(node)["numInputVectors"]) > 1
    if images:
        shaped = weights.T.reshape(*weights.T.shape, 1, 1)
        quantised = here.emit("BipolarQuant", [here.constant(shaped), one], node.name)
        return here.emit("Conv", [source, quantised], node.name, kernel_shape=[1, 1])
    vector = here.flat(source, node.name)
    quantised = here.emit("BipolarQuant", [here.constant(weights), one], node.name)
    return here.emit("MatMul", [vector, quantised], node.name)


def _slide(here: _Translation, node: NodeProto, attributes: Mapping[str, Any]) -> None:
    if list(attributes.get("Dilation", [1, 1])) != [1, 1]:
        raise UnsupportedModel(
            f"{node.name}: dilation {attributes['Dilation']} is not supported, [1, 1] is"
        )
    here.windows[node.output[0]] = (here.names[node.input[0]], dict(attributes))


def _pad(here: _Translation, node: NodeProto, attributes: Mapping[str, Any]) -> None:
    source = here.names[node.input[0]]
    top, left, bottom, right = attributes["Padding"]
    border = -1.0 if attributes["inputDataType"] in BITS else 0.0
    pads = here.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)
    result = here.emit(
        "Pad", [source, pads, here.constant(border)], node.name, node.output[0], mode="constant"
    )
    here.names[node.output[0]] = result
    if border == 0:
        here.borders[result] = (source, [top, left, bottom, right])


def _pool(here: _Translation, node: NodeProto, attributes: Mapping[str, Any]) -> None:
    if attributes["Function"] != "MaxPool" or node.input[0] not in here.windows:
        raise UnsupportedModel(
            f"{node.name}: Pool of {attributes['Function']} is not supported, MaxPool is"
        )
    source, window = here.windows[node.input[0]]
    window_attributes = {
        "kernel_shape": list(window["ConvKernelDim"]),
        "strides": list(window["Stride"]),
    }
    here.names[node.output[0]] = here.emit(
        "MaxPool", [source], node.name, node.output[0], **window_attributes
    )


def _max_pool(here: _Translation, node: NodeProto, attributes: Mapping[str, Any]) -> None:
    source, kernel = here.names[node.input[0]], list(attributes["PoolDim"])
    window_attributes = {"kernel_shape": kernel, "strides": kernel}
    here.names[node.output[0]] = here.emit(
        "MaxPool", [source], node.name, node.output[0], **window_attributes
    )


def _same(here: _Translation, node: NodeProto, attributes: Mapping[str, Any]) -> None:
    """Nodes that only move data: every output equals the input."""
    source = node.input[0]
    for output in node.output:
        if source in here.windows:
            here.windows[output] = here.windows[source]
        else:
            here.names[output] = here.names[source]


def _elementwise(kind: str) -> Callable[[_Translation, NodeProto, Mapping[str, Any]], None]:
    def make(here: _Translation, node: NodeProto, attributes: Mapping[str, Any]) -> None:
        if "BINARY" in (
            attributes.get("lhs_dtype"),
            attributes.get("rhs_dtype"),
            attributes.get("inputDataType"),
        ):
            raise UnsupportedModel(f"{node.name}: arithmetic on bits of 0 and 1 is not supported")
        inputs = []
        rank = max(here.ranks[here.names[name]] for name in node.input if name in here.names)
        for name in node.input:
            if name in here.names:
                inputs.append(here.names[name])
                continue
            value = np.asarray(here.constants[name], np.float32)
            if rank == 4 and value.size > 1:
                value = value.reshape(1, -1, 1, 1)
            inputs.append(here.constant(value))
        here.names[node.output[0]] = here.emit(kind, inputs, node.name, node.output[0])

    return make


OPERATORS: dict[str, Callable[[_Translation, NodeProto, Mapping[str, Any]], None]] = {
    "MVAU": _mvau,
    "Thresholding": _threshold,
    "ConvolutionInputGenerator": _slide,
    "FMPadding": _pad,
    "Pool": _pool,
    "StreamingMaxPool": _max_pool,
    "StreamingDataWidthConverter": _same,
    "StreamingFIFO": _same,
    "DuplicateStreams": _same,
    "AddStreams": _elementwise("Add"),
    "ElementwiseMul": _elementwise("Mul"),
    "ElementwiseSub": _elementwise("Sub"),
}
