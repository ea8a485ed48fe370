# SPDX-License-Identifier: BSD-3-Clause
"""Choose foldings: the cheapest design of all whose stages keep to a number of cycles a frame."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from bonn_hw.errors import UserError
from bonn_hw.ir.design import Folding
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.tensor import TensorType
from bonn_hw.kernels.kernel import Resources
from bonn_hw.passes.width_conversion import conversion_resources


def fastest(node: Node) -> int:
    """Fewest cycles a frame that any folding of the node reaches."""
    return min(node.kernel.cycles(folding) for folding in node.kernel.foldings())


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

    An exact dynamic programme along the chain: its state is the lanes of the tensor between two
    nodes, because nothing else of a folding matters to the next node.

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
        If a node has no folding that is fast enough; it names the slowest one.
    """
    slowest = max(
        (node for node in graph.nodes if node.name not in pins), key=fastest, default=None
    )
    if slowest is not None and fastest(slowest) > cycles:
        raise UserError(
            f"folding: {slowest.name} ({slowest.origin}) needs {fastest(slowest)} cycles a frame "
            f"at full parallelism, but the target allows {cycles}: ask for at most "
            f"{cycles / fastest(slowest):.3g} times these frames per second, or a faster clock"
        )

    def cost(resources: Resources) -> float:
        return resources.lut + lut_per_bram36 * resources.bram36

    @cache
    def conversion(kind: TensorType, given: int, wanted: int) -> float:
        resources = conversion_resources(kind, given, wanted)
        return float("inf") if resources is None else cost(resources)

    # Per lanes of the tensor reached: the cheapest way there, as (cost, foldings so far).
    reached: dict[int, tuple[float, tuple[Folding, ...]]] = {0: (0.0, ())}
    for node in graph.nodes:
        kind = graph.tensors[node.inputs[0]]
        if node.name in pins:
            choices = [pins[node.name]]
        else:
            choices = [f for f in node.kernel.foldings() if node.kernel.cycles(f) <= cycles]
        # Cheapest way to feed each input width; lanes 0 stand for the outside, which fits any.
        widths = {node.kernel.lanes(folding)[0] for folding in choices}
        fed = {
            wanted: min(
                (
                    spent + (conversion(kind, given, wanted) if given else 0.0),
                    path,
                )
                for given, (spent, path) in reached.items()
            )
            for wanted in widths
        }
        onward: dict[int, tuple[float, tuple[Folding, ...]]] = {}
        for folding in choices:
            wanted, gives = node.kernel.lanes(folding)
            spent, path = fed[wanted]
            total = spent + cost(node.kernel.resources(folding))
            if total < onward.get(gives, (float("inf"),))[0]:
                onward[gives] = (total, (*path, folding))
        if not onward:
            raise UserError(
                f"folding: {node.name} ({node.origin}) cannot be fed: no width converter leads "
                "from the pinned foldings before it; choose PE and SIMD of which one divides the "
                "other"
            )
        reached = onward
    _, path = min(reached.values())
    return {node.name: folding for node, folding in zip(graph.nodes, path, strict=True)}
