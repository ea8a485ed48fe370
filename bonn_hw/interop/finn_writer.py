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
from numpy.typing import NDArray
from onnx import (
    ModelProto,
    NodeProto,
    TensorProto,
    helper,
    numpy_helper,
    shape_inference,
)

from bonn_hw.errors import UnsupportedModel
from bonn_hw.interop.finn_attributes import DOMAIN
from bonn_hw.interop.finn_stream_types import TERNARY, stream_types
from bonn_hw.interop.finn_writer_layers import WRITERS, refuse
from bonn_hw.ir.design import FoldedDesign, Stage
from bonn_hw.ir.kernel import Passthrough

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


class Writer:
    """FINN's nodes written so far, and what is known of their tensors."""

    def __init__(self, design: FoldedDesign, host: Host) -> None:
        self.design, self.host = design, host
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.kinds = stream_types(design.graph)
        self.counts: dict[str, int] = {}
        self.opset = 13
        # By tensor: our values are factor * FINN's + shift, for each channel.
        self.affine: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

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

    def node(
        self,
        stage: Stage | None,
        kind: str,
        inputs: list[str],
        output: str | list[str],
        **attributes: Any,
    ) -> None:
        """Add one of FINN's hardware nodes."""
        outputs = [output] if isinstance(output, str) else output
        name = f"{kind}_{self.counts.get(kind, 0)}"
        self.counts[kind] = self.counts.get(kind, 0) + 1
        attributes |= {"backend": "fpgadataflow"}
        origin = stage.node.origin if stage else ""
        self.nodes.append(
            helper.make_node(kind, inputs, outputs, name, origin, DOMAIN, **attributes)
        )

    def standard(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Add a standard ONNX operator; returns its output."""
        output = f"host_{len(self.nodes)}"
        name = f"host_{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name, **attributes))
        return output

    def constant(self, value: Any, kind: str = "", dtype: Any = np.float32) -> str:
        """Add a constant of one of FINN's types; returns its name."""
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        if kind:
            self.kinds[name] = kind
        return name

    def tensor(self, stage: Stage) -> tuple[str, str]:
        """Names of a stage's input and output tensor; also stores the output's shape."""
        (output,), (kind,) = stage.node.outputs, stage.node.kernel.outputs
        self.shapes[output] = (1, *kind.shape)
        return stage.node.inputs[0], output

    def state(self, tensor: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Factor and shift of a tensor."""
        return self.affine.get(tensor, (np.ones(1, np.int64), np.zeros(1, np.int64)))

    def vectors(self, tensor: str) -> list[int]:
        """FINN's ``numInputVectors`` of a tensor: its shape without the channels."""
        return list(self.shapes[tensor][:-1])

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

    def maker(self, tensor: str) -> Stage | None:
        """The stage that outputs a tensor; width converters and FIFOs are skipped."""
        for stage in self.design.stages:
            if tensor in stage.node.outputs:
                if isinstance(stage.node.kernel, Passthrough):
                    return self.maker(stage.node.inputs[0])
                return stage
        return None
