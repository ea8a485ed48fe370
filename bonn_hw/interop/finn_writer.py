# SPDX-License-Identifier: BSD-3-Clause
"""A folded design -> FINN's hardware graph: nodes of ``finn.custom_op.fpgadataflow``, as finn-plus
1.6 has them before specialisation, each with its PE and SIMD, and width converters and FIFOs.

Bits are written as FINN's 0 and 1, and sums of products of bits as its popcounts. The exceptions
are streams of INT2 with three values (two equal thresholds output -1 and +1): before a convolution
that pads bits with zeros, where FINN would compute with -1; before weights of several bits, which
FINN multiplies by 0 and 1; and before sums that are added or averaged. So FINN's answers are those
of the model. What the host computes is written as standard ONNX operators before
and behind the hardware nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import (
    ModelProto,
    NodeProto,
    TensorProto,
    helper,
    shape_inference,
)

from bonn_hw.errors import UnsupportedModel
from bonn_hw.interop.finn_attributes import DOMAIN
from bonn_hw.interop.finn_stream_types import TERNARY
from bonn_hw.interop.finn_writer_layers import WRITERS, refuse
from bonn_hw.interop.finn_writing import Writing
from bonn_hw.ir.design import FoldedDesign

if TYPE_CHECKING:
    from bonn_hw.frontend.host import Host


def dataflow_graph(design: FoldedDesign, host: Host) -> ModelProto:
    """Write a design and the host's computations as one FINN model, batch 1.

    Raises
    ------
    UnsupportedModel
        For a layer that FINN's nodes cannot express; the message names it.
    """
    return Writer(design, host).whole()


def foldings(model: ModelProto) -> dict[str, dict[str, int]]:
    """PE and SIMD by FINN's node names, for its ``ApplyConfig``."""
    return {
        node.name: {one.name: one.i for one in node.attribute if one.name in ("PE", "SIMD")}
        for node in model.graph.node
        if any(one.name in ("PE", "SIMD") for one in node.attribute)
    }


class Writer(Writing):
    """Writes a whole design."""

    def whole(self) -> ModelProto:
        """The model."""
        graph = self.design.graph
        entry = self._head(graph.input)
        for stage in self.design.stages:
            WRITERS.get(type(stage.node.kernel), refuse)(self, stage)
        exit_ = self._tail(graph.output)
        value = helper.make_tensor_value_info
        shape = (1, *self.host.input_shape)
        inner = [value(name, TensorProto.FLOAT, self.shapes[name]) for name in self.shapes]
        made = helper.make_graph(
            self.nodes,
            "bonn_hw",
            [value(entry, TensorProto.FLOAT, shape)],
            [value(exit_, TensorProto.FLOAT, None)],
            self.initializers,
            value_info=inner,
        )
        for name, kind in self.kinds.items():
            note = made.quantization_annotation.add(tensor_name=name)
            note.quant_parameter_tensor_names.add(key="finn_datatype", value=kind)
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid(DOMAIN, 1)]
        whole = helper.make_model(made, opset_imports=imports, ir_version=8)
        # FINN executes a graph if it knows all shapes: those of the host's operators as well.
        return shape_inference.infer_shapes(whole, data_prop=True)

    def _head(self, tensor: str) -> str:
        """Add what the host computes before the first integers; returns the model's input."""
        host, kind = self.host, self.design.graph.tensors[tensor]
        last = entry = "global_in"
        if host.head is not None:
            entry, last = self._copy(host.head, entry)
        if host.input_scale != 1 and not kind.element.bipolar:
            last = self.standard("Div", [last, self.constant(host.input_scale)])
            last = self.standard("Round", [last])
        shape = self._shape(kind.shape)
        order = host.encode_order
        image = np.arange(kind.size).reshape(kind.shape)
        if order.shape == image.transpose(2, 0, 1).shape and len(shape) == 4:
            if (order != image.transpose(2, 0, 1)).any():
                raise UnsupportedModel(
                    "the input's pixels are in an order that FINN's graphs do not have"
                )
            last = self.standard("Transpose", [last], perm=[0, 2, 3, 1])
        elif (order.reshape(-1) != image.reshape(-1)).any():
            raise UnsupportedModel(
                "the input's pixels are in an order that FINN's graphs do not have"
            )
        elif order.ndim > 1:
            last = self.standard("Flatten", [last], axis=1)
        self.shapes[tensor] = shape
        if not kind.element.bipolar:
            if last == entry:  # integers, channels last, as the accelerator takes them
                last = self.standard("Identity", [last])
            self.nodes[-1].output[0] = tensor
            return entry
        # FINN makes bits from floats with a threshold.
        steps = 1 + (self.kinds[tensor] == TERNARY)
        limits = self.constant(np.zeros((kind.shape[2], steps)))
        attributes: dict[str, Any] = {
            "ActVal": 1 - steps,
            "NumChannels": kind.shape[2],
            "PE": 1,
            "numSteps": steps,
        }
        attributes |= {"inputDataType": "FLOAT32", "weightDataType": "FLOAT32"}
        attributes |= {"outputDataType": self.kinds[tensor], "numInputVectors": list(shape[:-1])}
        self.shapes[last] = shape
        self.node(None, "Thresholding", [last, limits], tensor, **attributes)
        return entry

    def _tail(self, tensor: str) -> str:
        """Add what the host computes from the last integers; returns the model's output."""
        host, shape = self.host, self.design.graph.tensors[tensor].shape
        factor, shift = self.state(tensor)
        last = self.standard("Mul", [tensor, self.constant(factor)])
        last = self.standard("Add", [last, self.constant(shift)])
        last = self.standard("Mul", [last, self.constant(host.scale)])
        order = host.decode_order
        image = np.arange(order.size).reshape(shape)
        if order.ndim == 3 and (order == image.transpose(2, 0, 1)).all():
            last = self.standard("Transpose", [last], perm=[0, 3, 1, 2])
        elif order.ndim != 1 or (order != image.reshape(-1)).any():
            places = self.constant(order.reshape(-1), dtype=np.int64)
            last = self.standard("Gather", [self.standard("Flatten", [last]), places], axis=1)
            shaped = self.constant([1, *order.shape], dtype=np.int64)
            last = self.standard("Reshape", [last, shaped])
        if host.tail is not None:
            _, last = self._copy(host.tail, last)
        return last

    def _shape(self, shape: tuple[int, int, int]) -> tuple[int, ...]:
        """FINN's shape of a frame: vectors have no height and width."""
        return (1, shape[2]) if shape[:2] == (1, 1) else (1, *shape)

    def _copy(self, part: ModelProto, entry: str) -> tuple[str, str]:
        """Append an ONNX model of the host; returns its input and its output."""
        graph = part.graph
        self.opset = max(one.version for one in part.opset_import if not one.domain)
        prefix = f"part_{len(self.nodes)}_"
        names = {graph.input[0].name: entry}
        for one in graph.initializer:
            names[one.name] = prefix + one.name
            copy = TensorProto()
            copy.CopyFrom(one)
            copy.name = names[one.name]
            self.initializers.append(copy)
        for node in graph.node:
            names |= {name: prefix + name for name in node.output}
            clone = NodeProto()
            clone.CopyFrom(node)
            clone.name = prefix + node.name
            clone.input[:] = [names.get(name, name) for name in node.input]
            clone.output[:] = [names[name] for name in node.output]
            self.nodes.append(clone)
        return entry, names[graph.output[0].name]
