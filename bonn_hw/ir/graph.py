# SPDX-License-Identifier: BSD-3-Clause
"""The unfolded network: kernels on integer tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.tensor import Integers, TensorType


@dataclass(frozen=True)
class Node:
    """A kernel in the graph, with the names of its input and output tensors.

    ``origin`` is the name of its layer in the model file, for messages and reports.
    """

    name: str
    kernel: Kernel
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    origin: str = ""


@dataclass(frozen=True)
class DataflowGraph:
    """Nodes in topological order; ``tensors`` are the types of the producers' outputs.

    Invariants (`check`): acyclic, one producer and one consumer per tensor, types fit.
    """

    nodes: tuple[Node, ...]
    tensors: Mapping[str, TensorType]
    input: str
    output: str

    def check(self) -> DataflowGraph:
        """Return self, or raise ValueError that names the tensor or node."""
        names = [node.name for node in self.nodes]
        if len(set(names)) != len(names):
            raise ValueError(f"node names must be unique: {sorted(names)}")
        produced, ready = {self.input}, {self.input}
        for node in self.nodes:
            for name, needed in zip(node.inputs, node.kernel.inputs, strict=True):
                if name not in produced:
                    raise ValueError(f"{node.name}: tensor {name!r} has no producer before it")
                if name not in ready:
                    raise ValueError(f"{node.name}: tensor {name!r} has another consumer")
                ready.remove(name)
                if not self.tensors[name].carries(needed):
                    raise ValueError(
                        f"{node.name}: needs {needed}, but {name!r} is {self.tensors[name]}"
                    )
            for name, kind in zip(node.outputs, node.kernel.outputs, strict=True):
                if self.tensors[name] != kind:
                    raise ValueError(f"{node.name}: outputs {kind}, not {self.tensors[name]}")
                if name in produced:
                    raise ValueError(f"{node.name}: tensor {name!r} has another producer")
                produced.add(name)
                ready.add(name)
        if ready != {self.output}:
            raise ValueError(f"tensors without a consumer: {sorted(ready - {self.output})}")
        return self

    def walk(self, frames: Integers) -> Iterator[tuple[str, Integers]]:
        """Run frames and yield every tensor ``(name, values)`` as it is computed."""
        kind = self.tensors[self.input]
        if not kind.element.holds(frames):
            raise ValueError(f"input values leave the range of {kind}")
        values = {self.input: frames.reshape(-1, *kind.shape)}
        for node in self.nodes:
            arguments = [
                values.pop(name).reshape(-1, *kind.shape)
                for name, kind in zip(node.inputs, node.kernel.inputs, strict=True)
            ]
            for name, result in zip(node.outputs, node.kernel.reference(*arguments), strict=True):
                values[name] = result
                yield name, result

    def run(self, frames: Integers, chunk: int = 128) -> Integers:
        """Execute the network on integers.

        Parameters
        ----------
        frames : integers ``(N, H, W, C)``
            Values of the input tensor.
        chunk : int
            Frames per batch; it limits the memory that windows need.

        Returns
        -------
        integers ``(N, H, W, C)`` of the output tensor.
        """
        shape = self.tensors[self.output].shape
        parts = []
        for start in range(0, len(frames), chunk):
            result: Integers = frames[start : start + chunk]
            for name, values in self.walk(frames[start : start + chunk]):
                if name == self.output:
                    result = values
            parts.append(result.reshape(-1, *shape))
        return np.concatenate(parts) if parts else np.zeros((0, *shape), np.int32)
