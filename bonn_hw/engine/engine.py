# SPDX-License-Identifier: BSD-3-Clause
"""Run an integer graph: chunks of frames side by side, each through all steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bonn_hw import tools
from bonn_hw.engine.native import library
from bonn_hw.engine.products import product
from bonn_hw.engine.steps import step
from bonn_hw.engine.tensors import Tensor, Work, integers, shaped
from bonn_hw.errors import ToolMissing
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.operation import Product, Windows
from bonn_hw.ir.tensor import Integers
from bonn_hw.sim.run import cores

CHUNK = 32  # frames: their tensors stay in the cache of a core


@dataclass(frozen=True)
class _Step:
    """Work on named tensors, with the shapes that it takes them in."""

    work: Work
    inputs: tuple[str, ...]
    shapes: tuple[tuple[int, int, int], ...]
    outputs: tuple[str, ...]


class Engine:
    """An integer graph, ready to run.

    Parameters
    ----------
    graph : DataflowGraph

    Raises
    ------
    ToolMissing
        If there is no C++ compiler; `run` takes the graph itself then.
    """

    def __init__(self, graph: DataflowGraph) -> None:
        library()
        self._graph = graph
        self._steps = tuple(_steps(graph))

    def run(self, frames: Integers, threads: int | None = None) -> Integers:
        """Execute the network on integers.

        Parameters
        ----------
        frames : integers ``(N, H, W, C)`` or ``(N, elements)``
            Values of the input tensor.
        threads : int or None
            At most so many; None: as many as there are cores.

        Returns
        -------
        integers ``(N, H, W, C)`` of the output tensor: those of `DataflowGraph.run`.

        Raises
        ------
        ValueError
            If a value leaves the range of the input.
        """
        kind, shape = self._graph.tensors[self._graph.input], self._output_shape
        if not kind.element.holds(frames):
            raise ValueError(f"input values leave the range of {kind}")
        chunks = [frames[at : at + CHUNK] for at in range(0, len(frames), CHUNK)]
        with tools.threads(threads or cores()) as pool:
            parts = list(pool.map(self._chunk, chunks))
        return np.concatenate(parts) if parts else np.zeros((0, *shape), np.int32)

    @property
    def _output_shape(self) -> tuple[int, int, int]:
        return self._graph.tensors[self._graph.output].shape

    def _chunk(self, frames: Integers) -> Integers:
        graph = self._graph
        tensors: dict[str, Tensor] = {
            graph.input: frames.reshape(-1, *graph.tensors[graph.input].shape)
        }
        for one in self._steps:
            given = (
                shaped(tensors.pop(name), shape)
                for name, shape in zip(one.inputs, one.shapes, strict=True)
            )
            tensors |= zip(one.outputs, one.work(*given), strict=True)
        return integers(tensors[graph.output]).reshape(-1, *self._output_shape)


def run(graph: DataflowGraph, frames: Integers, threads: int | None = None) -> Integers:
    """Execute a graph once, by the engine, or by NumPy where there is no C++ compiler."""
    try:
        engine = Engine(graph)
    except ToolMissing:
        return graph.run(frames)
    return engine.run(frames, threads)


def _steps(graph: DataflowGraph) -> Iterator[_Step]:
    """A step for each node; windows and the product of them are one."""
    behind = {name: node for node in graph.nodes for name in node.inputs}
    done: set[str] = set()
    for node in graph.nodes:
        if node.name in done:
            continue
        after = behind.get(node.outputs[0])
        joined = None if after is None else _joined(node.kernel, after.kernel)
        if after is not None and joined is not None:
            done.add(after.name)
            yield _of(node, after, joined)
        else:
            yield _of(node, node, step(node.kernel))


def _joined(first: Kernel, second: Kernel) -> Work | None:
    """The work of two kernels in one: windows are not gathered to be multiplied."""
    windows, operation = first.operation(), second.operation()
    if isinstance(windows, Windows) and isinstance(operation, Product):
        return product(operation, first.inputs[0], second.outputs[0], windows)
    return None


def _of(first: Node, last: Node, work: Work) -> _Step:
    """A step from the inputs of a node to the outputs of a node, the same or the one behind it."""
    shapes = tuple(kind.shape for kind in first.kernel.inputs)
    return _Step(work, first.inputs, shapes, last.outputs)
