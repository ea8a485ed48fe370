# SPDX-License-Identifier: BSD-3-Clause
"""Choose foldings: the cheapest design of all whose stages keep to a number of cycles a frame."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError
from bonn_hw.ir.design import Folding
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.tensor import TensorType
from bonn_hw.kernels.kernel import Resources
from bonn_hw.passes.elimination import Factor, minimise
from bonn_hw.passes.width_conversion import conversion_resources


def check_pins(graph: DataflowGraph, pins: Mapping[str, Folding]) -> None:
    """Raise UserError where a pinned folding names no layer or is not legal for it."""
    nodes = {node.name: node for node in graph.nodes}
    for name, folding in pins.items():
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
                + ("" if len(legal) == len(pes) * len(simds) else ", and both the same")
            )


def choose_foldings(
    graph: DataflowGraph,
    cycles: int,
    pins: Mapping[str, Folding],
    lut_per_bram36: float,
) -> dict[str, Folding]:
    """Minimise the predicted resources, width converters included, under a bound of cycles.

    Exact: nothing of a folding matters to the neighbours but the lanes that it takes and gives.
    So the cost is a sum of functions of these, two variables a node, and is minimised by
    eliminating them (`elimination`).

    Parameters
    ----------
    cycles : int
        Cycles a frame that no stage may exceed; pinned nodes are taken as they are.
    pins : mapping
        Foldings that are fixed, by node name (`check_pins` has passed).
    lut_per_bram36 : float
        Exchange rate of the two scarce resources.

    Raises
    ------
    UserError
        If a node has no folding that is fast enough; it names the slowest one. If no converters
        lead from pinned foldings to a node; it names the first that cannot be fed.
    """
    choices = _fast_enough(graph, cycles, pins)

    def cost(resources: Resources) -> float:
        return resources.lut + lut_per_bram36 * resources.bram36

    @cache
    def conversion(kind: TensorType, given: int, wanted: int) -> float:
        resources = conversion_resources(kind, given, wanted)
        return float("inf") if resources is None else cost(resources)

    sides = {node.name: _Sides.of(node, choices[node.name], cost) for node in graph.nodes}
    parts: list[list[Factor]] = []  # by node: what it costs, and what feeding it does
    producers: dict[str, str] = {}
    for node in graph.nodes:
        taken = sides[node.name].taken
        parts.append([Factor((("in", node.name), ("out", node.name)), sides[node.name].costs)])
        for tensor in node.inputs:
            if tensor not in producers:
                continue  # the outside fits any lanes
            giver, kind = producers[tensor], graph.tensors[tensor]
            costs = [[conversion(kind, g, t) for t in taken] for g in sides[giver].given]
            parts[-1].append(Factor((("out", giver), ("in", node.name)), np.array(costs)))
        producers.update(dict.fromkeys(node.outputs, node.name))
    total, values = minimise(chain.from_iterable(parts))
    if np.isinf(total):
        unfed = graph.nodes[_first_impossible(parts)]
        raise UserError(
            f"folding: {unfed.name} ({unfed.origin}) cannot be fed: no width converter leads from "
            "the pinned foldings before it; choose PE and SIMD of which one divides the other"
        )
    return {
        name: one.foldings[values["in", name], values["out", name]] for name, one in sides.items()
    }


def _first_impossible(parts: list[list[Factor]]) -> int:
    """Index of the first node that has no folding together with all nodes before it."""
    return bisect_left(
        range(len(parts)),
        True,
        key=lambda last: bool(np.isinf(minimise(chain.from_iterable(parts[: last + 1]))[0])),
    )


def _fast_enough(
    graph: DataflowGraph, cycles: int, pins: Mapping[str, Folding]
) -> dict[str, list[Folding]]:
    """Every node's foldings that keep to the bound, or the pinned one."""
    choices = {name: [folding] for name, folding in pins.items()}
    slowest, most = None, cycles
    for node in graph.nodes:
        if node.name in pins:
            continue
        needs = {folding: node.kernel.cycles(folding) for folding in node.kernel.foldings()}
        choices[node.name] = [folding for folding, needed in needs.items() if needed <= cycles]
        fastest = min(needs.values())
        if fastest > most:
            slowest, most = node, fastest
    if slowest is not None:
        raise UserError(
            f"folding: {slowest.name} ({slowest.origin}) needs {most} cycles a frame "
            f"at full parallelism, but the target allows {cycles}: ask for at most "
            f"{cycles / most:.3g} times these frames per second, or a faster clock"
        )
    return choices


@dataclass(frozen=True, eq=False)
class _Sides:
    """A node's lanes: what it may take and give, and the cheapest folding of each pair.

    Attributes
    ----------
    taken, given : list of int, ascending
    costs : float ``(taken, given)``
        Infinite where no folding has these lanes.
    foldings : mapping from places in taken and given
    """

    taken: list[int]
    given: list[int]
    costs: NDArray[np.float64]
    foldings: Mapping[tuple[int, int], Folding]

    @classmethod
    def of(cls, node: Node, choices: list[Folding], cost: Callable[[Resources], float]) -> _Sides:
        lanes = [node.kernel.lanes(folding) for folding in choices]
        taken, given = (sorted(set(side)) for side in zip(*lanes, strict=True))
        costs = np.full((len(taken), len(given)), np.inf)
        foldings: dict[tuple[int, int], Folding] = {}
        for folding, (takes, gives) in zip(choices, lanes, strict=True):
            place = taken.index(takes), given.index(gives)
            spent = cost(node.kernel.resources(folding))
            if spent < costs[place]:
                costs[place], foldings[place] = spent, folding
        return cls(taken, given, costs, foldings)
