# SPDX-License-Identifier: BSD-3-Clause
"""TFC-W1A1 as the QONNX model zoo writes it, with random weights.

The file is spelt as Brevitas exported in 2021, which differs from today's exports: operators of the
domain ``onnx.brevitas``, weights behind a transposition, the flattening by a computed shape, and
the last batch norm taken apart. Its statistics are like those of training.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

WIDTHS = (784, 64, 64, 64, 10)
DOMAIN = "onnx.brevitas"


def write_tfc(folder: Path, seed: int = 0) -> Path:
    """Write the model: frames 1x28x28 in [0, 1], three hidden layers of 64 neurons, 10 outputs."""
    random = np.random.default_rng(seed)
    nodes, constants = [], {}

    def constant(value, name: str = "") -> str:
        name = name or f"constant{len(constants)}"
        kept = np.asarray(value)
        constants[name] = kept.astype(np.float32) if kept.dtype.kind == "f" else kept
        return name

    def add(kind: str, *inputs: str, domain: str = "", **attributes) -> str:
        output = f"value{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def sign(value: str) -> str:
        return add("BipolarQuant", value, constant(1.0), domain=DOMAIN)

    batch = add("Gather", add("Shape", "image"), constant(np.int64(0)), axis=0)
    shape = [add("Unsqueeze", batch, axes=[0]), constant(np.array([-1]))]
    flat = add("Reshape", "image", add("Concat", *shape, axis=0))
    value = sign(add("Sub", add("Mul", flat, constant(2.0)), constant(np.ones(1))))
    for place, (wide, high) in enumerate(pairwise(WIDTHS)):
        weights = sign(constant(random.choice([-1.0, 1.0], (high, wide))))
        value = add("MatMul", value, add("Transpose", weights, perm=[1, 0]))
        count, spread = (high, np.sqrt(wide)) if high != WIDTHS[-1] else (1, 18.0)
        gamma, beta = random.uniform(0.6, 2.0, count), random.normal(0, 0.3, count)
        mean, variance = (
            random.normal(0, spread / 2, count),
            spread**2 * random.uniform(1, 2, count),
        )
        if count > 1:
            norm = {"weight": gamma, "bias": beta, "running_mean": mean, "running_var": variance}
            names = [constant(part, f"features.{place}.{key}") for key, part in norm.items()]
            value = sign(add("BatchNormalization", value, *names, epsilon=1e-5, momentum=0.9))
    deviation = add("Pow", constant(variance + 1e-5), constant(0.5))
    value = add("Div", add("Sub", value, constant(mean)), deviation)
    value = add("Add", add("Mul", value, constant(gamma)), constant(beta))

    graph = helper.make_graph(
        nodes,
        "tfc",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 28, 28])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(part, name) for name, part in constants.items()],
    )
    imports = [helper.make_opsetid("", 9), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=6)
    path = folder / "tfc.onnx"
    path.write_bytes(model.SerializeToString())
    return path
