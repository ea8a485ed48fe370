# SPDX-License-Identifier: BSD-3-Clause
"""Run an integer graph: chunks of frames side by side, each through all steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bonn_hw import tools
from bonn_hw.engine import tiles
from bonn_hw.engine.native import Kind, library
from bonn_hw.engine.products import Products, products
from bonn_hw.engine.steps import step
from bonn_hw.engine.tensors import Tensor, Work, integers, shaped
from bonn_hw.engine.tiles import taken
from bonn_hw.errors import ToolMissing
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.operation import Product, Windows
from bonn_hw.ir.tensor import Integers, TensorType

CHUNK = 32  # frames: their tensors stay in the cache of a core


@dataclass(frozen=True)
class Step:
    """Work on named tensors, with the shapes that it takes them in."""

    work: Work
    inputs: tuple[str, ...]
    shapes: tuple[tuple[int, int, int], ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Part:
    """A node, or windows and the product of them, with the layer of its product."""

    first: Node
    last: Node
    products: Products | None

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.first.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.last.outputs

    @property
    def shapes(self) -> tuple[tuple[int, int, int], ...]:
        """In which it takes its inputs."""
        return tuple(kind.shape for kind in self.first.kernel.inputs)

    @cached_property
    def link(self) -> tiles.Link | None:
        """It as a part of a chain, if it can be one."""
        kernel = self.last.kernel
        if self.products is None:
            task = tiles.task(kernel)
        elif self.products.layer.compares:
            task = None
        else:
            task = tiles.Task(Kind.SUMS, products=self.products)
        element = kernel.outputs[0].element
        return None if task is None else tiles.Link(task, self.inputs, self.outputs, element)


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
        self._steps = tuple(steps_of(graph.nodes, (graph.output,)))

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
        with tools.threads(threads or tools.cores()) as pool:
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


def steps_of(nodes: Sequence[Node], results: Sequence[str]) -> Iterator[Step]:
    """Nodes in order; a product takes the windows in front of it, a chain the tasks behind it.

    Parameters
    ----------
    results : sequence of str
        Tensors that are needed afterwards.
    """
    chain: list[_Part] = []
    for part in _parts(nodes):
        if chain and not _continues(chain, part):
            yield _chained(nodes, results, chain)
            chain = []
        if part.link is not None:
            chain.append(part)
        else:
            yield Step(_work(part), part.inputs, part.shapes, part.outputs)
    if chain:
        yield _chained(nodes, results, chain)


def _parts(nodes: Sequence[Node]) -> Iterator[_Part]:
    """A part for each node; windows and the product of them are one."""
    behind = {name: node for node in nodes for name in node.inputs}
    done: set[str] = set()
    for node in nodes:
        if node.name in done:
            continue
        windows, after = node.kernel.operation(), behind.get(node.outputs[0])
        if isinstance(windows, Windows) and after is not None:
            layer = _layer(after.kernel, node.kernel.inputs[0], windows)
            if layer is not None:
                done.add(after.name)
                yield _Part(node, after, layer)
                continue
        yield _Part(node, node, _layer(node.kernel, node.kernel.inputs[0]))


def _layer(kernel: Kernel, given: TensorType, windows: Windows | None = None) -> Products | None:
    operation = kernel.operation()
    if not isinstance(operation, Product):
        return None
    return products(operation, given, kernel.outputs[0], windows)


def _work(part: _Part) -> Work:
    if part.products is not None:
        return part.products.comparison(part.last.kernel.outputs[0])
    return step(part.last.kernel)


def _continues(chain: Sequence[_Part], part: _Part) -> bool:
    """Whether a chain can have this task at its end.

    All tensors have one shape, and it reads no bits of this chain: those are packed in memory.
    """
    if part.link is None or part.products is not None:
        return False
    given = part.last.kernel.inputs
    packed = {one.outputs[0] for one in chain if one.last.kernel.outputs[0].element.bipolar}
    shape = chain[0].last.kernel.outputs[0].shape
    return all(kind.shape == shape for kind in given) and not packed & {*part.inputs}


def _chained(nodes: Sequence[Node], results: Sequence[str], chain: Sequence[_Part]) -> Step:
    """The step of a chain: it returns what nodes outside it read."""
    links = [part.link for part in chain if part.link is not None]
    own = {part.last.name for part in chain} | {part.first.name for part in chain}
    read = {name for node in nodes if node.name not in own for name in node.inputs} | {*results}
    kept = tuple(name for link in links for name in link.outputs if name in read)
    inputs, shape = taken(links), chain[0].last.kernel.outputs[0].shape
    given = chain[0].shapes if chain[0].products is not None else ()  # in front of its windows
    shapes = (*given, *(shape,) * (len(inputs) - len(given)))
    return Step(tiles.chain(links, shape, kept), inputs, shapes, kept)
