# SPDX-License-Identifier: BSD-3-Clause
"""A folded design -> FINN's hardware graph: nodes of ``finn.custom_op.fpgadataflow``, as finn-plus
1.6 has them before specialisation, each with its PE and SIMD, and width converters and FIFOs.

Bits are written as FINN's 0 and 1, and sums of products of bits as its popcounts. There is one
exception: where a convolution pads bits with zeros, FINN would compute with -1. Its input stream is
therefore written as INT2 with three values (two equal thresholds output -1 and +1), so that FINN's
answers are those of the model. What the host computes is written as standard ONNX operators before
and behind the hardware nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from bonn_hw.interop.finn_folding import TAPS
from bonn_hw.interop.true_zeros import thresholds_on_zeros
from bonn_hw.ir.design import FoldedDesign, Stage
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.ir.kernel import Kernel, Passthrough
from bonn_hw.ir.tensor import Element
from bonn_hw.kernels.fifo import Fifo
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.kernels.width_converter import WidthConverter

if TYPE_CHECKING:
    from bonn_hw.frontend.host import Host

BITS, TERNARY = "BINARY", "INT2"


def dataflow_graph(design: FoldedDesign, host: Host) -> ModelProto:
    """Write a design and the host's computations as one FINN model, batch 1.

    Raises
    ------
    UnsupportedModel
        For a layer that FINN's nodes cannot express; the message names it.
    """
    return _Writer(design, host).whole()


class _Writer:
    def __init__(self, design: FoldedDesign, host: Host) -> None:
        self.design, self.host = design, host
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.kinds = dict(_kinds(design.graph))
        self.counts: dict[str, int] = {}
        self.opset = 13
        # The last sums are factor * FINN's + shift.
        self.factor: float = 1.0
        self.shift: NDArray[np.float32] = np.zeros(1, np.float32)

    def whole(self) -> ModelProto:
        """The model."""
        graph = self.design.graph
        entry = self._head(graph.input)
        for stage in self.design.stages:
            WRITERS.get(type(stage.node.kernel), _refuse)(self, stage)
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
        self, stage: Stage | None, kind: str, inputs: list[str], output: str, **attributes: Any
    ) -> None:
        """Add one of FINN's hardware nodes."""
        name = f"{kind}_{self.counts.get(kind, 0)}"
        self.counts[kind] = self.counts.get(kind, 0) + 1
        attributes |= {"backend": "fpgadataflow"}
        origin = stage.node.origin if stage else ""
        self.nodes.append(
            helper.make_node(kind, inputs, [output], name, origin, DOMAIN, **attributes)
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
        channels_first = image.transpose(2, 0, 1)
        if len(shape) == 4 and (order.reshape(-1) == channels_first.reshape(-1)).all():
            if order.shape != channels_first.shape:  # a sequence (C, L), or a flat input
                last = self._reshaped(last, channels_first.shape)
            last = self.standard("Transpose", [last], perm=[0, 2, 3, 1])
        elif (order.reshape(-1) != image.reshape(-1)).any():
            raise UnsupportedModel(
                "the input's pixels are in an order that FINN's graphs do not have"
            )
        elif order.shape != shape[1:]:
            last = self._reshaped(last, shape[1:])
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
        last = self.standard("Mul", [tensor, self.constant(self.factor)])
        last = self.standard("Add", [last, self.constant(self.shift)])
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

    def _reshaped(self, tensor: str, shape: tuple[int, ...]) -> str:
        """Add a reshape to a frame of another shape; returns its output."""
        if len(shape) == 1:
            return self.standard("Flatten", [tensor], axis=1)
        target = self.constant([1, *shape], dtype=np.int64)
        return self.standard("Reshape", [tensor, target])

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


def _kinds(graph: DataflowGraph) -> Iterator[tuple[str, str]]:
    """FINN's data type of each tensor; streams that are padded with zeros have three values."""
    groups: dict[str, set[str]] = {graph.input: {graph.input}}
    for node in graph.nodes:
        for name in node.outputs:
            groups[name] = {name}
            if isinstance(node.kernel, Passthrough | MaxPool | Pad | SlidingWindow):
                groups[name] = groups[node.inputs[0]]
                groups[name].add(name)
    three = set()
    for node in graph.nodes:
        if isinstance(node.kernel, Mvu) and node.kernel.classes > 1:
            three |= groups[node.inputs[0]]
    for name in groups:
        element = graph.tensors[name].element
        if element.bipolar:
            yield name, TERNARY if name in three else BITS
        else:
            yield name, _integers(element)


def _integers(element: Element) -> str:
    return f"{'INT' if element.signed else 'UINT'}{element.bits}"


def _refuse(here: _Writer, stage: Stage) -> None:
    raise UnsupportedModel(
        f"{stage.name} ({stage.node.origin}): FINN's graphs have no counterpart of a "
        f"{stage.node.kernel.stem} yet: export the QONNX model instead"
    )


def _passthrough(here: _Writer, stage: Stage) -> None:
    source, output = here.tensor(stage)
    kernel: Kernel = stage.node.kernel
    shape, kind = here.shapes[source], here.kinds[output]
    here.shapes[output] = shape
    bits = 2 if kind == TERNARY else kernel.outputs[0].element.bits
    lanes_in, lanes_out = kernel.lanes(stage.folding)
    if isinstance(kernel, Fifo):
        folded = (*shape[:-1], shape[-1] // lanes_in, lanes_in)
        attributes: dict[str, Any] = {"depth": kernel.depth, "folded_shape": folded}
        attributes |= {"normal_shape": shape, "dataType": kind}
        here.node(stage, "StreamingFIFO", [source], output, **attributes)
        return
    attributes = {"inShape": shape, "outShape": shape, "dataType": kind}
    attributes |= {"inWidth": lanes_in * bits, "outWidth": lanes_out * bits}
    here.node(stage, "StreamingDataWidthConverter", [source], output, **attributes)


def _pad(here: _Writer, stage: Stage) -> None:
    source, output = here.tensor(stage)
    kernel = stage.node.kernel
    assert isinstance(kernel, Pad)  # noqa: S101  # narrows: WRITERS is keyed by the class
    height, width, channels = kernel.input.shape
    zero = -1 if kernel.input.element.bipolar else 0
    if kernel.value != zero:
        raise UnsupportedModel(
            f"{stage.name} ({stage.node.origin}): pads with {kernel.value}, and FINN's FMPadding "
            f"with {zero}"
        )
    here.node(
        stage,
        "FMPadding",
        [source],
        output,
        ImgDim=[height, width],
        Padding=list(kernel.pads),
        NumChannels=channels,
        SIMD=stage.folding.simd,
        inputDataType=here.kinds[source],
    )


def _windows(
    here: _Writer,
    stage: Stage,
    tensors: tuple[str, str],
    sides: tuple[tuple[int, int], tuple[int, int]],
    **attributes: Any,
) -> None:
    height, width, channels = stage.node.kernel.inputs[0].shape
    kernel, stride = sides
    outputs = [(x - k) // s + 1 for x, k, s in zip((height, width), kernel, stride, strict=True)]
    here.shapes[tensors[1]] = (1, *outputs, kernel[0] * kernel[1] * channels)
    kind = here.kinds[tensors[0]]
    here.kinds[tensors[1]] = kind
    attributes |= {"ConvKernelDim": list(kernel), "Stride": list(stride), "Dilation": [1, 1]}
    attributes |= {"IFMChannels": channels, "IFMDim": [height, width], "OFMDim": outputs}
    attributes |= {"SIMD": stage.folding.simd, "inputDataType": kind, "outputDataType": kind}
    here.node(stage, "ConvolutionInputGenerator", [tensors[0]], tensors[1], **attributes)


def _slide(here: _Writer, stage: Stage) -> None:
    kernel = stage.node.kernel
    assert isinstance(kernel, SlidingWindow)  # noqa: S101  # narrows: WRITERS is keyed by the class
    # FINN outputs one tap per beat; several per beat are written as an attribute for our reader.
    taps = stage.folding.pe // stage.folding.simd
    more = {TAPS: taps} if taps > 1 else {}
    tensors = here.tensor(stage)
    _windows(here, stage, tensors, (kernel.kernel, kernel.stride), depthwise=0, **more)


def _pool(here: _Writer, stage: Stage) -> None:
    source, output = here.tensor(stage)
    kernel = stage.node.kernel
    assert isinstance(kernel, MaxPool)  # noqa: S101  # narrows: WRITERS is keyed by the class
    before = here.maker(source)
    if before is not None and isinstance(before.node.kernel, SlidingWindow):
        raise UnsupportedModel(
            f"{stage.name} ({stage.node.origin}): overlapping windows of a pool cannot be "
            "written in FINN's form"
        )
    windows, sides = f"{output}_windows", (kernel.kernel, kernel.kernel)
    _windows(here, stage, (source, windows), sides, depthwise=1)
    (rows, columns, channels), kind = kernel.outputs[0].shape, here.kinds[source]
    attributes: dict[str, Any] = {"Function": "MaxPool", "KernelSize": list(kernel.kernel)}
    attributes |= {"Channels": channels, "PE": stage.folding.pe, "OutImgDims": [rows, columns]}
    attributes |= {"InputDataType": kind, "OutputDataType": kind}
    here.node(stage, "Pool", [windows], output, **attributes)


def _mvu(here: _Writer, stage: Stage) -> None:
    source, output = here.tensor(stage)
    kernel = stage.node.kernel
    assert isinstance(kernel, Mvu)  # noqa: S101  # narrows: WRITERS is keyed by the class
    if not np.isin(kernel.weights, (-1, 1)).all():
        raise UnsupportedModel(
            f"{stage.name} ({stage.node.origin}): weights of more than one bit cannot be written "
            "in FINN's form: export the QONNX model instead"
        )
    (high, wide), kind = kernel.weights.shape, here.kinds[source]
    popcount = kind == BITS
    weights = kernel.weights.T
    coded = ((weights + 1) // 2, BITS) if popcount else (weights, "BIPOLAR")
    held = here.constant(*coded)
    thresholds = thresholds_on_zeros(kernel, _outside(here, stage))
    if thresholds is None:
        raise UnsupportedModel(
            f"{stage.name} ({stage.node.origin}): its border is not padded with zeros, which "
            "FINN's thresholds cannot express"
        )
    attributes: dict[str, Any] = {"MW": wide, "MH": high, "PE": stage.folding.pe}
    attributes |= {"SIMD": stage.folding.simd, "ActVal": 0, "inputDataType": kind}
    attributes |= {"weightDataType": coded[1]}
    attributes |= {"binaryXnorMode": int(popcount), "noActivation": int(kernel.thresholds is None)}
    single = kernel.pixels == (1, 1)
    attributes["numInputVectors"] = [1] if single else [1, *kernel.pixels]
    here.shapes[output] = (1, high) if single else (1, *kernel.pixels, high)
    inputs = [source, held]
    if kernel.thresholds is None:
        if output != here.design.graph.output:
            raise UnsupportedModel(
                f"{stage.name} ({stage.node.origin}): sums that another layer has as input "
                "cannot be written in FINN's form"
            )
        here.factor = 2.0 if popcount else 1.0
        here.shift = (thresholds - (wide if popcount else 0)).astype(np.float32)
        sums = Element(0, wide) if popcount else kernel.outputs[0].element
        here.kinds[output] = attributes["outputDataType"] = _integers(sums)
    else:
        limits = -(-(thresholds + wide) // 2) if popcount else thresholds
        limits = np.clip(limits, 0, wide + 1) if popcount else limits
        three = here.kinds[output] == TERNARY
        attributes |= {"outputDataType": here.kinds[output], "ActVal": -1 if three else 0}
        element = Element(int(limits.min()), int(limits.max()))
        held = here.constant(np.repeat(limits[:, None], 1 + three, axis=1), _integers(element))
        inputs.append(held)
    attributes["accDataType"] = _integers(Element(0, wide) if popcount else _sums(kernel))
    here.node(stage, "MVAU", inputs, output, **attributes)


def _sums(kernel: Mvu) -> Element:
    """The value range of the sums of a unit with few-bit inputs."""
    largest = max(-kernel.element.low, kernel.element.high) * kernel.weights.shape[1]
    return Element(-largest, largest)


def _outside(here: _Writer, stage: Stage) -> NDArray[np.bool_] | None:
    """Which inputs of a unit are padding, ``(OH, OW, MW)``; None if none are."""
    slide = here.maker(stage.node.inputs[0])
    if slide is None or not isinstance(slide.node.kernel, SlidingWindow):
        return None
    pad = here.maker(slide.node.inputs[0])
    if pad is None or not isinstance(pad.node.kernel, Pad):
        return None
    frame = np.zeros((1, *pad.node.kernel.input.shape), np.int8)
    top, left, bottom, right = pad.node.kernel.pads
    border = ((0, 0), (top, bottom), (left, right), (0, 0))
    (windows,) = slide.node.kernel.reference(np.pad(frame, border, constant_values=1))
    outside: NDArray[np.bool_] = windows[0].astype(np.bool_)
    return outside


WRITERS: Mapping[type[Kernel], Any] = {
    Fifo: _passthrough,
    WidthConverter: _passthrough,
    Pad: _pad,
    SlidingWindow: _slide,
    MaxPool: _pool,
    Mvu: _mvu,
}
