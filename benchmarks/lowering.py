# SPDX-License-Identifier: BSD-3-Clause
"""Measure `bonn-hw check` on networks with many sums: time, processor time and memory.

``python -m benchmarks.lowering [NAME ...]`` checks each network in a process of its own. The
networks have the layers of well-known ones, and random weights.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

SEED = 1
QONNX = "qonnx.custom_op.general"
GRID = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}


class Chain:
    """A QONNX model that grows by one operator at a time; `last` is the newest tensor."""

    def __init__(self, *shape: int) -> None:
        self.random = np.random.default_rng(SEED)
        self.shape, self.last = shape, "x"
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, NDArray[np.float32]] = {}

    def add(self, kind: str, *operands: Any, **attributes: Any) -> Chain:
        """Append an operator on the newest tensor, and on other tensors or constants."""
        names = [self.last, *map(self._named, operands)]
        domain = QONNX if kind in ("Quant", "BipolarQuant") else ""
        self.last = f"t{len(self.nodes)}"
        label = f"{kind}_{len(self.nodes)}"
        node = helper.make_node(kind, names, [self.last], label, domain=domain, **attributes)
        self.nodes.append(node)
        return self

    def _named(self, operand: Any) -> str:
        if isinstance(operand, str):
            return operand
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(operand, np.float32)
        return name

    def quant(self, bits: int, scale: float, signed: int = 0) -> Chain:
        """Append a quantiser."""
        return self.add("Quant", scale, 0.0, bits, **{**GRID, "signed": signed, "narrow": 0})

    def product(self, kind: str, bits: int, *shape: int, **attributes: Any) -> Chain:
        """Append a product with weights that have a learnt scale per channel, and a batch norm.

        The norm brings the sums to a standard deviation of about 1.
        """
        draw, before = self.random, self.last
        if bits == 1:
            weights = draw.normal(0, 0.1, shape)
            self.last = self._named(weights)
            self.add("BipolarQuant", 1.0)
            deviation = 1.0
        else:
            half = (1 << bits - 1) - 1
            scale = draw.uniform(0.02, 0.05, (shape[0], *[1] * (len(shape) - 1)))
            weights = np.clip(draw.normal(0, half / 2, shape), -half, half) * scale
            self.last = self._named(weights)
            self.add("Quant", scale, 0.0, bits, **GRID)
            deviation = float(weights.std())
        if kind == "MatMul":
            self.add("Transpose", perm=[1, 0])
        quantised, self.last = self.last, before
        self.add(kind, quantised, **attributes)
        spread = deviation * float(np.sqrt(np.prod(shape[1:])))
        channels = shape[0]
        gamma, beta = draw.uniform(0.5, 1.5, channels), draw.normal(0, 0.5, channels)
        mean = draw.normal(0, 0.1 * spread, channels)
        variance = spread**2 * draw.uniform(0.7, 1.4, channels)
        return self.add("BatchNormalization", gamma, beta, mean, variance)

    def model(self, outputs: int) -> ModelProto:
        """The finished model."""
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("x", 1, [1, *self.shape])],
            [helper.make_tensor_value_info(self.last, 1, [1, outputs])],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        imports = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8)


def keywords() -> ModelProto:
    """A keyword spotter of FINN's kind: 490-256-256-256-12, weights and activations of 3 bits."""
    chain = Chain(490).quant(8, 1 / 32, signed=1)
    for inputs in (490, 256, 256):
        chain.product("MatMul", 3, 256, inputs).add("Relu").quant(3, 0.41)
    return chain.product("MatMul", 3, 12, 256).model(12)


def resnet18() -> ModelProto:
    """Brevitas' ResNet18 for CIFAR-10, weights and activations of 4 bits."""
    chain, shared = Chain(3, 32, 32).quant(8, 1 / 256), 0.13
    chain.product("Conv", 8, 64, 3, 3, 3, pads=[1] * 4).add("Relu").quant(4, shared)
    channels = 64
    for width in (64, 128, 256, 512):
        for stride in (1, 1) if width == 64 else (2, 1):
            entry, shape = chain.last, (width, channels, 3, 3)
            chain.product("Conv", 4, *shape, pads=[1] * 4, strides=[stride] * 2)
            chain.add("Relu").quant(4, 0.11)
            chain.product("Conv", 4, width, width, 3, 3, pads=[1] * 4).add("Relu")
            ours = chain.quant(4, shared).last
            chain.last = entry
            if width != channels:
                chain.product("Conv", 4, width, channels, 1, 1, strides=[stride] * 2)
                chain.add("Relu").quant(4, shared)
            chain.add("Add", ours).add("Relu").quant(4, shared)
            channels = width
    chain.add("AveragePool", kernel_shape=[4, 4]).quant(8, shared / 16).add("Flatten")
    return chain.product("MatMul", 8, 10, 512).model(10)


def wide_cnv() -> ModelProto:
    """CNV-W1A1 with four times the width."""
    chain, entry = Chain(3, 32, 32).quant(8, 1 / 128, signed=1), 3
    for place, width in enumerate((256, 256, 512, 512, 1024, 1024)):
        chain.product("Conv", 1, width, entry, 3, 3).add("BipolarQuant", 1.0)
        if place in (1, 3):
            chain.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        entry = width
    chain.add("Flatten")
    for inputs in (1024, 2048):
        chain.product("MatMul", 1, 2048, inputs).add("BipolarQuant", 1.0)
    return chain.product("MatMul", 1, 10, 2048).model(10)


# Name: the model, and the seconds that its check may take.
NETWORKS: dict[str, tuple[Callable[[], ModelProto], float]] = {
    "kws": (keywords, 2.0),
    "resnet18": (resnet18, 10.0),
    "cnv4": (wide_cnv, 10.0),
}


def measure(model: Path) -> tuple[float, float, float, str]:
    """Check a model: seconds, seconds of processor time, MB at most, and the last line."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "bonn_hw.cli", "check", str(model)]
    with tempfile.TemporaryFile("w+") as text:
        process = subprocess.Popen(command, stdout=text, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        text.seek(0)
        lines = text.read().splitlines() or [""]
    refused = "" if process.returncode == 0 else f"exit {process.returncode}: {lines[-1]}"
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, refused


def main(arguments: Sequence[str] | None = None) -> None:
    """Check the networks, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NETWORKS))
    names = parser.parse_args(arguments).names or list(NETWORKS)
    print("| network | seconds | processor seconds | MB | at most | outcome |")
    print("|---|---|---|---|---|---|")
    for name in names:
        make, limit = NETWORKS[name]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{name}.onnx"
            file.write_bytes(make().SerializeToString())
            seconds, used, memory, refused = measure(file)
        bound = f"{limit:g} s, 1000 MB"
        row = f"{seconds:.1f} | {used:.1f} | {memory:.0f} | {bound} | {refused or 'accepted'}"
        print(f"| {name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
