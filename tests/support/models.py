# SPDX-License-Identifier: BSD-3-Clause
"""Small QONNX models, built operator by operator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"


class Builder:
    """Appends operators to a chain; `path` writes the file. The input has 4 bits, step 1/8."""

    def __init__(self, shape, seed=0, *, bipolar=False, opset=13):
        self.random = np.random.default_rng(seed)
        self.shape, self.opset = tuple(shape), opset
        self.nodes, self.constants = [], []
        self.tensor = "x"
        self.rank = 1 + len(self.shape)
        if bipolar:
            self.sign(name="input")
        else:
            parameters = {"scale": 1 / 8, "zero": 0.0, "bits": 4.0}
            self.add(
                "Quant",
                name="input",
                domain=QONNX,
                signed=1,
                narrow=0,
                rounding_mode="ROUND",
                **{"constants": parameters},
            )

    def add(self, kind, *, name="", domain="", constants=None, **attributes):
        """Append an operator whose other operands are constants, in order."""
        name = name or f"{kind.lower()}{len(self.nodes)}"
        names = []
        for key, value in (constants or {}).items():
            array = np.asarray(value)
            array = array.astype(np.float32) if array.dtype.kind == "f" else array
            names.append(f"{name}_{key}")
            self.constants.append(numpy_helper.from_array(array, names[-1]))
        self.nodes.append(
            helper.make_node(
                kind, [self.tensor, *names], [f"{name}_y"], name, domain=domain, **attributes
            )
        )
        self.tensor = f"{name}_y"
        return self

    def sign(self, scale=1.0, name=""):
        return self.add("BipolarQuant", name=name, domain=QONNX, constants={"scale": scale})

    def weights(self, *shape, scale=1.0):
        return self.random.choice([-1.0, 1.0], shape) * scale

    def conv(self, inputs, outputs, kernel=3, *, scale=1.0, bias=None, name="", **attributes):
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        constants = {"w": self.weights(outputs, inputs, *kernel, scale=scale)}
        if bias is not None:
            constants["b"] = np.asarray(bias, np.float64)
        return self.add("Conv", name=name, constants=constants, **attributes)

    def dense(self, inputs, outputs, *, scale=1.0, name=""):
        return self.add(
            "MatMul", name=name, constants={"w": self.weights(inputs, outputs, scale=scale)}
        )

    def norm(self, channels, *, gamma=None, beta=None, name=""):
        """Batch norm with statistics as after training; gamma of both signs."""
        pick = self.random.normal
        return self.add(
            "BatchNormalization",
            name=name,
            constants={
                "gamma": pick(0, 1, channels) if gamma is None else np.asarray(gamma, float),
                "beta": pick(0, 0.5, channels) if beta is None else np.asarray(beta, float),
                "mean": pick(0, 2.0, channels),
                "var": self.random.uniform(0.5, 20, channels),
            },
            epsilon=1e-5,
        )

    def path(self, folder: Path, name="model.onnx") -> Path:
        """Write the model."""
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *self.shape])],
            [helper.make_tensor_value_info(self.tensor, TensorProto.FLOAT, None)],
            self.constants,
        )
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid(QONNX, 1)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        target = folder / name
        target.write_bytes(model.SerializeToString())
        return target

    def images(self, count=12):
        """Images of the input's range, and beyond it."""
        return self.random.normal(0, 0.7, (count, *self.shape)).astype(np.float32)


def by_qonnx(path: Path, images: np.ndarray) -> np.ndarray:
    """The answer of qonnx's own execution, image by image."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.util.cleanup import cleanup_model

    from tests.support.qonnx_sessions import execute_onnx

    model = cleanup_model(ModelWrapper(str(path)))
    entry, exit_ = model.graph.input[0].name, model.graph.output[0].name
    return np.concatenate([execute_onnx(model, {entry: image[None]})[exit_] for image in images])


@st.composite
def networks(draw, odd=True):
    """Random small models; with ``odd``, now and then with an operator that must be refused."""
    bipolar = draw(st.booleans())
    channels = draw(st.integers(1, 5))
    height, width = draw(st.integers(3, 8)), draw(st.integers(3, 8))
    builder = Builder((channels, height, width), draw(st.integers(0, 999)), bipolar=bipolar)

    def activation(count):
        for _ in range(draw(st.integers(0, 2))):
            kind = draw(st.sampled_from(("norm", "Mul", "Add", "Clip", "Neg", "PRelu", "Abs")))
            if kind == "Abs" and not odd:
                continue
            if kind == "norm":
                builder.norm(count)
            elif kind in ("Mul", "Add", "PRelu"):
                values = builder.random.normal(0, 1, (count, 1, 1)[: 3 if builder.rank == 4 else 1])
                builder.add(kind, constants={"k": values})
            elif kind == "Clip":
                builder.add("Clip", constants={"lo": np.float32(-1), "hi": np.float32(2)})
            else:
                builder.add(kind)
        pools = builder.rank == 4 and min(height, width) >= 2 and draw(st.booleans())
        first = draw(st.booleans())
        if pools and first:
            pool()
        if not odd or draw(st.integers(0, 9)):
            builder.sign(draw(st.sampled_from((1.0, 0.5, 2.0))))
        if pools and not first:
            pool()

    def pool():
        nonlocal height, width
        size = draw(st.integers(1, 2))
        stride = draw(st.integers(1, 2))
        builder.add("MaxPool", kernel_shape=[size, size], strides=[stride, stride])
        height, width = (height - size) // stride + 1, (width - size) // stride + 1

    for _ in range(draw(st.integers(0, 2))):
        pads = draw(st.lists(st.integers(0, 2), min_size=4, max_size=4))
        rows, columns = height + pads[0] + pads[2], width + pads[1] + pads[3]
        kernel = (draw(st.integers(1, min(3, rows))), draw(st.integers(1, min(3, columns))))
        stride = draw(st.integers(1, 2))
        outputs = draw(st.integers(1, 6))
        builder.conv(
            channels,
            outputs,
            kernel,
            pads=pads,
            strides=[stride, stride],
            scale=draw(st.sampled_from((1.0, 0.25))),
        )
        channels = outputs
        height, width = (rows - kernel[0]) // stride + 1, (columns - kernel[1]) // stride + 1
        activation(channels)
    builder.add("Flatten", axis=1)
    builder.rank = 2
    features = channels * height * width
    if draw(st.booleans()):
        hidden = draw(st.integers(1, 8))
        builder.dense(features, hidden)
        activation(hidden)
        features = hidden
    builder.dense(features, draw(st.integers(1, 4)))
    if draw(st.booleans()):
        builder.add("Mul", constants={"k": 0.3}).add("Add", constants={"k": -0.1})
    return builder
