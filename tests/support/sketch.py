# SPDX-License-Identifier: BSD-3-Clause
"""Small QONNX models node by node, and the two ways to answer that must agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes

from bonn_hw import frontend
from tests.support.qonnx_sessions import execute_onnx

QONNX = "qonnx.custom_op.general"
CHANNELS_LAST = "qonnx.custom_op.channels_last"
QUANTISERS = ("BipolarQuant", "Quant", "IntQuant", "Trunc", "MultiThreshold")


class Sketch:
    """A model as a chain: every call appends a layer behind the last."""

    def __init__(self, *shape: int, seed: int = 0, opset: int = 17, domain: str = QONNX) -> None:
        self.random = np.random.default_rng(seed)
        self.shape, self.opset, self.domain = (1, *shape), opset, domain
        self.nodes, self.constants, self.last = [], {}, "x"
        self.annotation: str | None = None
        self.outputs: list[str] = []  # if there are others than the last tensor
        self.version = 1  # of qonnx's operators

    def constant(self, value) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def add(self, kind: str, *operands, name: str = "", first: bool = True, **attributes) -> Sketch:
        """Append an operator on the last tensor; arrays among the operands become constants."""
        names = [self.constant(operand) for operand in operands]
        inputs = [self.last, *names] if first else [*names, self.last]
        output = f"v{len(self.nodes)}"
        domain = self.domain if kind in QUANTISERS else ""
        self.nodes.append(
            helper.make_node(
                kind,
                inputs,
                [output],
                name or f"{kind}_{len(self.nodes)}",
                domain=domain,
                **attributes,
            )
        )
        self.last = output
        return self

    def quant(self, bits=8, signed=1, scale=1.0, zero=0.0, narrow=0, **attributes) -> Sketch:
        parameters = [np.float32(scale), np.float32(zero), np.float32(bits)]
        given = {"signed": signed, "narrow": narrow, "rounding_mode": "ROUND", **attributes}
        return self.add("Quant", *parameters, **given)

    def thresholds(self, limits, scale=1.0, bias=0.0, kind="INT8", **given) -> Sketch:
        """FINN-ONNX's quantiser."""
        given |= {"out_dtype": kind, "out_scale": float(scale), "out_bias": float(bias)}
        return self.add("MultiThreshold", np.asarray(limits, np.float32), **given)

    def trunc(self, scale, before, after, scale_after=None, zero=0.0, **given) -> Sketch:
        """Version 2 has the scale afterwards."""
        values = [scale, zero, before]
        if scale_after is not None:
            self.version = 2
            values.append(scale_after)
        given = {"rounding_mode": "FLOOR", **given}
        return self.add("Trunc", *(np.float32(one) for one in (*values, after)), **given)

    def qdq(self, scale, zero, clip=(), after=None) -> Sketch:
        """QuantizeLinear, perhaps a Clip, DequantizeLinear."""
        self.add("QuantizeLinear", np.float32(scale), zero)
        if clip:
            self.add("Clip", *(np.asarray(one, zero.dtype) for one in clip))
        return self.add("DequantizeLinear", np.float32(after or scale), zero)

    def sign(self, scale=1.0, name: str = "") -> Sketch:
        return self.add("BipolarQuant", np.float32(scale), name=name)

    def signs(self, *shape: int):
        return self.random.choice([-1.0, 1.0], shape).astype(np.float32)

    def conv(self, outputs, inputs, kernel=(3, 3), name="", scale=1.0, **attributes) -> Sketch:
        weights = self.signs(outputs, inputs, *kernel) * np.float32(scale)
        return self.add("Conv", weights, name=name, kernel_shape=kernel, **attributes)

    def dense(self, inputs, outputs, name="", scale=1.0) -> Sketch:
        return self.add("MatMul", self.signs(inputs, outputs) * np.float32(scale), name=name)

    def bit_conv(self, outputs, inputs, kernel=(3, 3), name="", pads=(0, 0, 0, 0)) -> Sketch:
        """A convolution by bits behind their quantiser, with all that qonnx wants to be told."""
        given = {"kernel_shape": kernel, "strides": (1, 1), "dilations": (1, 1), "group": 1}
        weights = self._bits(outputs, inputs, *kernel)
        return self._behind("Conv", [self.last, weights], name, pads=pads, **given)

    def bit_dense(self, inputs, outputs, name="") -> Sketch:
        return self._behind("MatMul", [self.last, self._bits(inputs, outputs)], name)

    def _bits(self, *shape: int) -> str:
        names = [self.constant(self.signs(*shape)), self.constant(np.float32(1))]
        output = f"w{len(self.nodes)}"
        self.nodes.append(helper.make_node("BipolarQuant", names, [output], domain=self.domain))
        return output

    def norm(self, channels, spread=4.0, gamma=None, name="") -> Sketch:
        """A batch norm with gammas of both signs, or those given."""
        gamma = self.random.normal(0, 1, channels) if gamma is None else np.asarray(gamma)
        beta, mean = self.random.normal(0, 1, channels), self.random.normal(0, spread, channels)
        variance = self.random.uniform(0.5, 2 * spread**2, channels)
        parameters = [a.astype(np.float32) for a in (gamma, beta, mean, variance)]
        return self.add("BatchNormalization", *parameters, name=name)

    def pool(self, kernel=(2, 2), strides=(2, 2), name="", **attributes) -> Sketch:
        return self.add("MaxPool", name=name, kernel_shape=kernel, strides=strides, **attributes)

    def few_bit(self, *shape: int, bits=4, scale=0.25):
        """Few-bit weights behind their quantiser; returns the name of the quantised constant."""
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        weights = self.random.integers(low, high + 1, shape) * np.float32(scale)
        parameters = [np.float32(scale), np.float32(0), np.float32(bits)]
        names = [self.constant(value.astype(np.float32)) for value in (weights, *parameters)]
        output = f"w{len(self.nodes)}"
        given = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
        self.nodes.append(helper.make_node("Quant", names, [output], domain=self.domain, **given))
        return output

    def few_bit_conv(self, outputs, inputs, kernel=(3, 3), name="", bits=4, scale=0.25, **given):
        weights = self.few_bit(outputs, inputs, *kernel, bits=bits, scale=scale)
        return self._behind("Conv", [self.last, weights], name, kernel_shape=kernel, **given)

    def few_bit_dense(self, inputs, outputs, name="", bits=4, scale=0.25) -> Sketch:
        weights = self.few_bit(inputs, outputs, bits=bits, scale=scale)
        return self._behind("MatMul", [self.last, weights], name)

    def join(self, other: str, name: str = "", kind: str = "Add") -> Sketch:
        """Add another tensor, of an earlier `last`."""
        return self._behind(kind, [self.last, other], name)

    def _behind(self, kind, inputs, name, **given) -> Sketch:
        output = f"v{len(self.nodes)}"
        label = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], label, **given))
        self.last = output
        return self

    def channels_last(self, kind: str, *operands, name: str = "", **attributes) -> Sketch:
        """Append one of QONNX's operators on tensors (N, H, W, C)."""
        names = [op if isinstance(op, str) else self.constant(op) for op in operands]
        self._behind(kind, [self.last, *names], name, **attributes)
        self.nodes[-1].domain = CHANNELS_LAST
        return self

    def flatten(self) -> Sketch:
        return self.add("Flatten", axis=1)

    def pad(self, amounts, value=0.0, mode="constant", name="") -> Sketch:
        top, left, bottom, right = amounts
        pads = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
        return self.add("Pad", pads, np.float32(value), mode=mode, name=name)

    def proto(self):
        graph = helper.make_graph(
            self.nodes,
            "sketch",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [self._output(name) for name in self.outputs or [self.last]],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid(CHANNELS_LAST, 1)]
        if self.domain:
            imports.append(helper.make_opsetid(self.domain, self.version))
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        if self.annotation is not None:
            note = model.graph.quantization_annotation.add(tensor_name="x")
            note.quant_parameter_tensor_names.add(key="finn_datatype", value=self.annotation)
        return model

    def _output(self, name: str):
        maker = next(node for node in self.nodes if name in node.output)
        chosen = maker.op_type == "ArgMax" or (maker.op_type == "TopK" and name == maker.output[1])
        kind = TensorProto.INT64 if chosen else TensorProto.FLOAT
        return helper.make_tensor_value_info(name, kind, None)

    def write(self, folder: Path) -> Path:
        path = folder / "model.onnx"
        path.write_bytes(self.proto().SerializeToString())
        return path

    def images(self, count=6, low=-140, high=140, step=1.0):
        """Values round the input quantiser's grid, some of them between its steps."""
        whole = self.random.integers(low, high + 1, (count, *self.shape[1:]))
        between = self.random.choice([0.0, 0.0, 0.25], whole.shape)
        return ((whole + between) * step).astype(np.float32)


def by_qonnx(proto, images):
    """Answers of qonnx's own execution, frame by frame."""
    wrapper = ModelWrapper(proto).transform(InferShapes())
    entry, exit_ = wrapper.graph.input[0].name, wrapper.graph.output[0].name
    answers = [execute_onnx(wrapper, {entry: image[None]})[exit_] for image in images]
    return np.concatenate(answers)


def lowered(sketch: Sketch, folder: Path, activations=None):
    return frontend.lower(frontend.read(sketch.write(folder)), activations)


def agree(sketch: Sketch, folder: Path, images=None):
    """Check that file, `Model`, and integer graph answer the same; return what was lowered."""
    images = sketch.images() if images is None else images
    model = frontend.read(sketch.write(folder))
    result = frontend.lower(model)  # a refused model may sum floats, in an order of its own
    answers = model.run(images)
    integers = result.graph.check().run(result.host.encode(images))
    decoded, expected = result.host.decode(integers), by_qonnx(sketch.proto(), images)
    np.testing.assert_array_equal(decoded, result.reference.run(images))
    if not any(note.kind in ("rounding", "last digits") for note in result.notes):
        np.testing.assert_array_equal(answers, expected)
        np.testing.assert_array_equal(decoded, expected)
    return result


def kernels(result) -> list[str]:
    return [node.kernel.stem for node in result.graph.nodes]
