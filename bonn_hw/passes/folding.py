# SPDX-License-Identifier: BSD-3-Clause
"""Choose foldings: the cheapest design of all whose stages keep to a number of cycles a frame."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.tensor import TensorType
from bonn_hw.passes.elimination import Factor, minimise
from bonn_hw.passes.width_conversion import conversion_resources

Uses = NDArray[np.float64]  # resources as the last axis, in the order of `Resources`


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
    """Which pairs are legal, of a kernel that has few others than equal ones."""
    unlike = [f"PE {one.pe} with SIMD {one.simd}" for one in legal if one.pe != one.simd]
    return " or ".join(["both the same", *unlike])


@dataclass(frozen=True, eq=False)
class Choice:
    """A folding of every node, and what is predicted of it.

    Attributes
    ----------
    cost : float
        The sum that was minimised: no other foldings that were allowed have a smaller one.
    cycles : int
        Of the slowest node.
    resources : Resources
        Kernels and width converters; FIFOs are not known yet.
    """

    foldings: Mapping[str, Folding]
    cost: float
    cycles: int
    resources: Resources


class Space:
    """Every legal folding of a graph, priced.

    Nothing of a folding matters to the neighbours but the lanes that it takes and gives. So the
    cost of a design is a sum of functions of these, two variables a node, and is minimised exactly
    by eliminating them (`elimination`).

    Parameters
    ----------
    fixed : mapping
        Foldings that are fixed, by node name (`check_constraints` has passed): they are taken
        as they are, whatever cycles they need.
    """

    def __init__(self, graph: DataflowGraph, fixed: Mapping[str, Folding]) -> None:
        self._graph, self._fixed = graph, fixed
        self._options = {node.name: _Options.of(node, fixed.get(node.name)) for node in graph.nodes}
        self._feeds: dict[str, list[tuple[str, Uses]]] = {}  # by node: who feeds it, at what price
        producers: dict[str, str] = {}
        for node in graph.nodes:
            taken = self._options[node.name].taken
            self._feeds[node.name] = [
                (giver, _conversions(graph.tensors[tensor], self._options[giver].given, taken))
                for tensor, giver in ((name, producers.get(name)) for name in node.inputs)
                if giver is not None  # the outside fits any lanes
            ]
            producers.update(dict.fromkeys(node.outputs, node.name))

    @property
    def slowest(self) -> tuple[Node, int]:
        """The node that needs most cycles a frame at its fastest, and how many."""
        node = max(self._graph.nodes, key=lambda node: self._options[node.name].fastest)
        return node, self._options[node.name].fastest

    @property
    def pinned_cycles(self) -> int:
        """Cycles a frame that the slowest fixed node needs; 0 if none is."""
        return max((self._options[name].fastest for name in self._fixed), default=0)

    @property
    def bounds(self) -> list[int]:
        """Numbers of cycles that the slowest node of a design can need, ascending."""
        least = self.slowest[1]
        every = np.unique(np.concatenate([one.cycles for one in self._options.values()]))
        return [int(cycles) for cycles in every if cycles >= least]

    def cheapest(self, cycles: int, weights: NDArray[np.float64], per_cycle: float = 0.0) -> Choice:
        """Minimise weighted resources under a bound of cycles.

        Parameters
        ----------
        cycles : int
            Cycles a frame that no node may exceed that is not fixed.
        weights : float ``(4,)``
            What a unit of each resource costs, in the order of `Resources`.
        per_cycle : float
            What a cycle of each node costs besides: the sooner all are done, the smaller the
            latency.

        Raises
        ------
        UserError
            If a node has no folding that is fast enough; it names the slowest one. If no
            converters lead from fixed foldings to a node; it names the first that cannot be fed.
        """
        free = [node for node in self._graph.nodes if node.name not in self._fixed]
        node = max(free, key=lambda node: self._options[node.name].fastest, default=None)
        if node is not None and (most := self._options[node.name].fastest) > cycles:
            raise UserError(
                f"folding: {node.name} ({node.origin}) needs {most} cycles a frame "
                f"at full parallelism, but the target allows {cycles}: ask for at most "
                f"{cycles / most:.3g} times these frames per second, or a faster clock"
            )
        sides = {}
        for name, options in self._options.items():
            sides[name] = options.best(cycles, weights, per_cycle, fixed=name in self._fixed)
        parts: list[list[Factor]] = []  # by node: what it costs, and what feeding it does
        for name, side in sides.items():
            parts.append([Factor((("in", name), ("out", name)), side.costs)])
            for giver, uses in self._feeds[name]:
                costs = _priced(uses[np.ix_(sides[giver].given, side.taken)], weights)
                parts[-1].append(Factor((("out", giver), ("in", name)), costs))
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
            to = sides[name].taken[values["in", name]]
            for giver, uses in feeds:
                used = used + uses[sides[giver].given[values["out", giver]], to]
        return Choice(
            {name: self._options[name].foldings[place] for name, place in chosen.items()},
            total,
            max(int(self._options[name].cycles[place]) for name, place in chosen.items()),
            Resources(*used.tolist()),
        )


def usual_weights(lut_per_bram36: float) -> NDArray[np.float64]:
    """LUT, and block memories at the rate at which a device has both."""
    return np.array([1.0, 0.0, lut_per_bram36, 0.0])


def choose_foldings(
    graph: DataflowGraph, cycles: int, fixed: Mapping[str, Folding], lut_per_bram36: float
) -> Mapping[str, Folding]:
    """Choose the foldings with least LUT and block memories, as `Space.cheapest` does.

    Parameters
    ----------
    lut_per_bram36 : float
        Exchange rate of the two scarce resources.
    """
    return Space(graph, fixed).cheapest(cycles, usual_weights(lut_per_bram36)).foldings


def _first_impossible(parts: list[list[Factor]]) -> int:
    """Index of the first node that has no folding together with all nodes before it."""
    return bisect_left(
        range(len(parts)),
        True,
        key=lambda last: bool(np.isinf(minimise(chain.from_iterable(parts[: last + 1]))[0])),
    )


def _conversions(kind: TensorType, given: list[int], taken: list[int]) -> Uses:
    """What converters use between lanes, ``(given, taken, 4)``; infinite where none exist."""
    uses = np.full((len(given), len(taken), 4), np.inf)
    for row, gives in enumerate(given):
        for column, takes in enumerate(taken):
            resources = conversion_resources(kind, gives, takes)
            if resources is not None:
                uses[row, column] = resources.astuple()
    return uses


def _priced(uses: Uses, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted sums over the last axis; what is impossible stays so whatever its weight."""
    possible = np.isfinite(uses[..., 0])
    return np.where(possible, np.where(possible[..., None], uses, 0.0) @ weights, np.inf)


@dataclass(frozen=True, eq=False)
class _Sides:
    """A node under a bound: places of the lanes it may take and give, and the best of each pair.

    Attributes
    ----------
    taken, given : int arrays
        Places in those of `_Options`.
    costs : float ``(taken, given)``
        Infinite where no folding has these lanes.
    option : int ``(taken, given)``
        Place of the cheapest folding.
    """

    taken: NDArray[np.intp]
    given: NDArray[np.intp]
    costs: NDArray[np.float64]
    option: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class _Options:
    """A node's foldings: lanes, cycles and resources of each.

    Attributes
    ----------
    taken, given : list of int, ascending
        Lanes that any folding takes or gives.
    takes, gives : int ``(foldings,)``
        Places in these.
    """

    foldings: list[Folding]
    cycles: NDArray[np.int64]
    uses: Uses
    taken: list[int]
    given: list[int]
    takes: NDArray[np.intp]
    gives: NDArray[np.intp]

    @classmethod
    def of(cls, node: Node, fixed: Folding | None) -> _Options:
        kernel = node.kernel
        foldings = list(kernel.foldings()) if fixed is None else [fixed]
        lanes = np.array([kernel.lanes(folding) for folding in foldings])
        taken, takes = np.unique(lanes[:, 0], return_inverse=True)
        given, gives = np.unique(lanes[:, 1], return_inverse=True)
        return cls(
            foldings,
            np.array([kernel.cycles(folding) for folding in foldings], np.int64),
            np.array([kernel.resources(folding).astuple() for folding in foldings]),
            taken.tolist(),
            given.tolist(),
            takes,
            gives,
        )

    @property
    def fastest(self) -> int:
        return int(self.cycles.min())

    def best(
        self, cycles: int, weights: NDArray[np.float64], per_cycle: float, *, fixed: bool
    ) -> _Sides:
        (allowed,) = np.nonzero((self.cycles <= cycles) | fixed)
        costs = self.uses[allowed] @ weights + per_cycle * self.cycles[allowed]
        order = np.argsort(-costs, kind="stable")  # the cheapest is written last
        taken, takes = np.unique(self.takes[allowed], return_inverse=True)
        given, gives = np.unique(self.gives[allowed], return_inverse=True)
        table = np.full((taken.size, given.size), np.inf)
        option = np.zeros(table.shape, np.intp)
        table[takes[order], gives[order]] = costs[order]
        option[takes[order], gives[order]] = allowed[order]
        return _Sides(taken, given, table, option)
