# SPDX-License-Identifier: BSD-3-Clause
"""Choose foldings: the cheapest design within a number of cycles per frame for every stage."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.tensor import TensorType
from bonn_hw.passes.elimination import Factor, minimise
from bonn_hw.passes.options import Options, Uses
from bonn_hw.passes.width_conversion import conversion_resources


def check_constraints(graph: DataflowGraph, fixed: Mapping[str, Folding]) -> None:
    """Raise UserError where a fixed folding names no layer or is not legal for it."""
    nodes = {node.name: node for node in graph.nodes}
    for name, folding in fixed.items():
        if name not in nodes:
            raise UserError(
                f"folding: there is no layer {name!r}; the layers are {', '.join(nodes)}"
            )
        legal = list(nodes[name].kernel.foldings())
        if folding not in legal:
            pes = sorted({choice.pe for choice in legal})
            simds = sorted({choice.simd for choice in legal})
            raise UserError(
                f"folding: {name} ({nodes[name].origin}) cannot have PE {folding.pe} and SIMD "
                f"{folding.simd}: PE must be one of {pes} and SIMD one of {simds}"
                + ("" if len(legal) == len(pes) * len(simds) else f", and {_pairs(legal)}")
            )


def _pairs(legal: list[Folding]) -> str:
    """List the legal pairs of a kernel for which PE and SIMD are mostly equal."""
    different = [f"PE {one.pe} with SIMD {one.simd}" for one in legal if one.pe != one.simd]
    return " or ".join(["both the same", *different])


@dataclass(frozen=True, eq=False)
class Choice:
    """A folding of every node, and its predicted cost.

    Attributes
    ----------
    kernels : mapping
        The kernel of every node: its own or an alternative to it.
    cost : float
        The weighted sum that was minimised: no other allowed foldings have a smaller one.
    cycles : int
        Of the slowest node.
    resources : Resources
        Kernels and width converters; FIFOs are not known yet.
    """

    foldings: Mapping[str, Folding]
    kernels: Mapping[str, Kernel]
    cost: float
    cycles: int
    resources: Resources

    def applied(self, graph: DataflowGraph) -> DataflowGraph:
        """The graph with the chosen kernels."""
        nodes = (replace(node, kernel=self.kernels[node.name]) for node in graph.nodes)
        return replace(graph, nodes=tuple(nodes))


class Tables:
    """Foldings of kernels and costs of converters, kept for many graphs that share kernels.

    A kernel is found by its identity, so that finding it costs nothing; equal kernels that are
    different objects have tables of their own.

    Parameters
    ----------
    alternatives : function
        The kernels that a node's kernel may be replaced by; by default it is kept.
    most : int or None
        Cycles per frame that no bound exceeds: slower foldings are left out, except the fastest
        of a kernel. None: any.
    """

    def __init__(
        self,
        alternatives: Callable[[Kernel], Iterable[Kernel]] = lambda kernel: (kernel,),
        most: int | None = None,
    ) -> None:
        self._alternatives, self._most = alternatives, most
        self._options: dict[int, tuple[Kernel, Options]] = {}
        self._conversions: dict[tuple[TensorType, tuple[int, ...], tuple[int, ...]], Uses] = {}

    def options(self, kernel: Kernel, fixed: Folding | None = None) -> Options:
        """All foldings of a kernel and of its alternatives, or only one folding."""
        if fixed is not None:
            return Options.of(self._alternatives(kernel), fixed)
        if id(kernel) not in self._options:  # the kernel is kept too: its identity stays its own
            options = Options.of(self._alternatives(kernel), None, self._most)
            self._options[id(kernel)] = kernel, options
        return self._options[id(kernel)][1]

    def conversions(
        self, kind: TensorType, from_lanes: Sequence[int], to_lanes: Sequence[int]
    ) -> Uses:
        """Resources of converters between lanes, ``(from, to, 4)``; infinite where none exist."""
        key = kind, tuple(from_lanes), tuple(to_lanes)
        if key not in self._conversions:
            self._conversions[key] = _conversions(kind, from_lanes, to_lanes)
        return self._conversions[key]


class Space:
    """Every legal folding of a graph, with its cost.

    A folding affects the neighbouring nodes only by its input and output lanes. So the cost of a
    design is a sum of functions of these lanes, two variables per node. It is minimised exactly, by
    elimination of the variables (`elimination`).

    Parameters
    ----------
    fixed : mapping
        Foldings that the user fixed, by node name (`check_constraints` has passed). They are
        kept, however many cycles they need.
    tables : Tables or None
        With the kernels that a node's kernel may be replaced by; None: it is kept.
    """

    def __init__(
        self, graph: DataflowGraph, fixed: Mapping[str, Folding], tables: Tables | None = None
    ) -> None:
        self._graph, self._fixed = graph, fixed
        tables = tables or Tables()
        self._options = {
            node.name: tables.options(node.kernel, fixed.get(node.name)) for node in graph.nodes
        }
        # By node: its producers, each with the resources of the converters between.
        self._feeds: dict[str, list[tuple[str, Uses]]] = {}
        producers: dict[str, str] = {}
        for node in graph.nodes:
            inputs = zip(*self._options[node.name].inputs, strict=True)
            self._feeds[node.name] = [
                (
                    producer,
                    tables.conversions(
                        graph.tensors[tensor], self._options[producer].outputs, lanes
                    ),
                )
                for tensor, lanes in zip(node.inputs, inputs, strict=True)
                if (producer := producers.get(tensor)) is not None  # the graph's input has any
            ]
            producers.update(dict.fromkeys(node.outputs, node.name))

    @property
    def slowest(self) -> tuple[Node, int]:
        """The node that limits the frame rate at full parallelism, and its cycles per frame."""
        node = max(self._graph.nodes, key=lambda node: self._options[node.name].fastest)
        return node, self._options[node.name].fastest

    @property
    def fixed_cycles(self) -> int:
        """Cycles per frame that the slowest fixed node needs; 0 if none is."""
        return max((self._options[name].fastest for name in self._fixed), default=0)

    @property
    def bounds(self) -> list[int]:
        """Numbers of cycles that the slowest node of a design can need, ascending."""
        least = self.slowest[1]
        every = np.unique(np.concatenate([one.cycles for one in self._options.values()]))
        return [int(cycles) for cycles in every if cycles >= least]

    def alternatives(self, name: str, folding: Folding) -> list[tuple[Kernel, NDArray[np.float64]]]:
        """The kernels that a node may have with a folding, and their resources."""
        options = self._options[name]
        return [
            (options.kernels[place], options.uses[place])
            for place, one in enumerate(options.foldings)
            if one == folding
        ]

    def cheapest(self, cycles: int, weights: NDArray[np.float64], per_cycle: float = 0.0) -> Choice:
        """Minimise weighted resources under a bound of cycles.

        Parameters
        ----------
        cycles : int
            Most cycles per frame of any node that is not fixed.
        weights : float ``(4,)``
            What a unit of each resource costs, in the order of `Resources`.
        per_cycle : float
            Extra cost of each cycle of each node. A higher value makes nodes finish sooner, which
            lowers the latency.

        Raises
        ------
        UserError
            If a node has no folding that is fast enough; the message names the slowest node. If no
            width converters lead from fixed foldings to a node; it names the first such node.
        """
        free = [node for node in self._graph.nodes if node.name not in self._fixed]
        node = max(free, key=lambda node: self._options[node.name].fastest, default=None)
        if node is not None and (most := self._options[node.name].fastest) > cycles:
            raise UserError(
                f"folding: {node.name} ({node.origin}) needs {most} cycles per frame "
                f"at full parallelism, but the target allows {cycles}: ask for at most "
                f"{cycles / most:.3g} times these frames per second, or a faster clock"
            )
        sides = {}
        for name, options in self._options.items():
            sides[name] = options.best(cycles, weights, per_cycle, fixed=name in self._fixed)
        parts: list[list[Factor]] = []  # by node: its cost, and that of the converters before it
        for name, side in sides.items():
            parts.append([Factor((("in", name), ("out", name)), side.costs)])
            for producer, uses in self._feeds[name]:
                costs = _priced(uses[np.ix_(sides[producer].outputs, side.inputs)], weights)
                parts[-1].append(Factor((("out", producer), ("in", name)), costs))
        total, values = minimise(chain.from_iterable(parts))
        if np.isinf(total):
            unfed = self._graph.nodes[_first_impossible(parts)]
            raise UserError(
                f"folding: {unfed.name} ({unfed.origin}) cannot be fed: no width converter leads "
                "from the fixed foldings before it; choose PE and SIMD of which one divides the "
                "other"
            )
        chosen = {
            name: int(side.option[values["in", name], values["out", name]])
            for name, side in sides.items()
        }
        used = sum((self._options[name].uses[place] for name, place in chosen.items()), np.zeros(4))
        for name, feeds in self._feeds.items():
            to = sides[name].inputs[values["in", name]]
            for producer, uses in feeds:
                used = used + uses[sides[producer].outputs[values["out", producer]], to]
        return Choice(
            {name: self._options[name].foldings[place] for name, place in chosen.items()},
            {name: self._options[name].kernels[place] for name, place in chosen.items()},
            total,
            max(int(self._options[name].cycles[place]) for name, place in chosen.items()),
            Resources(*used.tolist()),
        )


def usual_weights(lut_per_bram36: float) -> NDArray[np.float64]:
    """Weights for LUT plus block memories, which count as ``lut_per_bram36`` LUT each."""
    return np.array([1.0, 0.0, lut_per_bram36, 0.0])


def choose_foldings(
    graph: DataflowGraph, cycles: int, fixed: Mapping[str, Folding], lut_per_bram36: float
) -> Mapping[str, Folding]:
    """Choose the foldings with least LUT and block memories, as `Space.cheapest` does.

    Parameters
    ----------
    lut_per_bram36 : float
        How many LUT count as much as one block memory.
    """
    return Space(graph, fixed).cheapest(cycles, usual_weights(lut_per_bram36)).foldings


def _first_impossible(parts: list[list[Factor]]) -> int:
    """Index of the first node that has no folding together with all nodes before it."""
    return bisect_left(
        range(len(parts)),
        True,
        key=lambda last: bool(np.isinf(minimise(chain.from_iterable(parts[: last + 1]))[0])),
    )


def _conversions(kind: TensorType, from_lanes: Sequence[int], to_lanes: Sequence[int]) -> Uses:
    """Resources of converters between lanes, ``(from, to, 4)``; infinite where none exist."""
    uses = np.full((len(from_lanes), len(to_lanes), 4), np.inf)
    for row, before in enumerate(from_lanes):
        for column, after in enumerate(to_lanes):
            resources = conversion_resources(kind, before, after)
            if resources is not None:
                uses[row, column] = resources.astuple()
    return uses


def _priced(uses: Uses, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted sums over the last axis; impossible conversions stay infinite at any weight."""
    possible = np.isfinite(uses[..., 0])
    return np.where(possible, np.where(possible[..., None], uses, 0.0) @ weights, np.inf)
