# SPDX-License-Identifier: BSD-3-Clause
"""The hardware of a candidate, before anything is trained: exact foldings, costs, and the limits.

`fold` takes milliseconds for layers seen before. It finds the cheapest foldings that reach
the rate, FIFOs not counted, and so proves what cannot fit. `plan_whole` adds FIFOs and latency, in
seconds; a candidate is trained only after it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from bonn_hw.errors import UserError
from bonn_hw.explore.space import Candidate, Goal
from bonn_hw.explore.untrained import own_hardware, untrained_graph
from bonn_hw.frontend.chain_graph import ChainShape, chain_graph
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.ir.resources import Resources
from bonn_hw.passes import folding, plan, prices
from bonn_hw.passes.folding_file import FoldingConstraints
from bonn_hw.passes.objectives import NAMES, TooLarge, within
from bonn_hw.progress import silent

CHAIN = "chain"
NETWORK = "network"
RATE, LATENCY = "fps", "latency_ms"
LIMITS = dict(zip(NAMES, ("lut", "ff", "bram36", "dsp"), strict=True))
"""The key of [target] that limits a resource; flip-flops have none of their own."""


@dataclass(frozen=True)
class Figures:
    """What a candidate costs on the target.

    Attributes
    ----------
    cost
        `Goal.cost`: what the search makes small.
    frames_per_second
        At least the target's.
    latency_ms
        From the cycle model; None before FIFOs are sized.
    """

    resources: Resources
    cost: float
    cycles: int
    frames_per_second: float
    latency_ms: float | None = None


@dataclass(frozen=True)
class Fits:
    """A candidate within all limits, with its foldings by stage."""

    figures: Figures
    foldings: Mapping[str, Folding]


@dataclass(frozen=True)
class Excluded:
    """A candidate that a limit excludes.

    Attributes
    ----------
    limit
        The key of [target], or `NETWORK` if there is no such network.
    reason
        In words, with the least that it needs.
    excess
        What it needs over what is allowed, above 1: smaller is closer.
    """

    limit: str
    reason: str
    excess: float


def identity(candidate: Candidate) -> str:
    """Equal for candidates of equal hardware and equal recipe, which are trained once.

    Hardware is equal if every layer has the same shape, window and element range, so that folding
    sees the same graph. Options that only write it differently do not count: the kernels [3] and
    [3, 3] of two convolutions. Own networks are equal if they are exported alike, and their modules
    have the same parts. Everything else is the recipe: data, training, method.
    """
    tables = candidate.tables
    if candidate.network == CHAIN:
        try:
            shape = asdict(ChainShape.of(candidate.options).plain)
        except UserError:  # there is no such chain: it is excluded, and never trained
            return candidate.key
        tables = {**tables, "network": {**tables["network"], **shape}}
    if candidate.own is not None:
        try:
            tables = {**tables, "network": {"name": own_hardware(candidate).identity}}
        except UserError:  # it is excluded too
            return candidate.key
    return json.dumps(tables, sort_keys=True)


class Hardware:
    """Folds candidates for one target; tables of layers are kept between them."""

    def __init__(self, goal: Goal) -> None:
        self.goal = goal
        self._tables = folding.Tables(prices.alternatives(goal.target), goal.cycles)

    def graph(self, candidate: Candidate) -> DataflowGraph:
        """The integer graph of the candidate, with the constants that take the most hardware.

        Raises
        ------
        UserError
            If there is no such network.
        """
        if candidate.network == CHAIN:
            return chain_graph(ChainShape.of(candidate.options))
        if candidate.own is not None:
            return own_hardware(candidate).graph
        return untrained_graph(candidate.network, candidate.options)

    def fold(self, candidate: Candidate) -> Fits | Excluded:
        """The cheapest foldings at the target's rate, FIFOs not counted."""
        try:
            graph = self.graph(candidate)
        except UserError as error:
            return Excluded(NETWORK, str(error), 2.0)
        return self._fold(graph)

    def _fold(self, graph: DataflowGraph) -> Fits | Excluded:
        goal = self.goal
        space = folding.Space(graph, {}, self._tables)
        node, slowest = space.slowest
        if slowest > goal.cycles:
            reason = f"{node.origin} alone needs {slowest:,} of {goal.cycles:,} cycles a frame"
            return Excluded(RATE, reason, slowest / goal.cycles)
        choice = prices.cheapest(space, goal.cycles, goal.target)
        if _excess(choice.resources, goal.budget) is not None:
            other = within(space, goal.cycles, goal.budget)  # costs more, and may fit
            if isinstance(other, TooLarge):
                return _excluded(choice.resources, goal)
            choice = other
        return Fits(self._figures(choice.resources, choice.cycles), choice.foldings)

    def plan_whole(self, candidate: Candidate) -> Fits | Excluded:
        """As `fold`, with FIFOs and, if it is limited, with the latency."""
        try:
            graph = self.graph(candidate)
        except UserError as error:
            return Excluded(NETWORK, str(error), 2.0)
        return self.plan_graph(graph)

    def plan_graph(self, graph: DataflowGraph) -> Fits | Excluded:
        """As `plan_whole`, of a graph that there is already."""
        found = self._fold(graph)
        if isinstance(found, Excluded):
            return found
        goal, fixed = self.goal, {}
        if goal.latency_ms is None:
            fixed = dict(found.foldings)
        try:
            made = plan.plan(graph, goal.target, FoldingConstraints(fixed), silent)
        except UserError as error:  # the only limit that is left
            return Excluded(LATENCY, str(error).removeprefix("folding: "), 2.0)
        used = plan.total(made.design)
        if _excess(used, goal.budget) is not None:
            return _excluded(used, goal)
        figures = self._figures(used, made.timing.interval, made.timing.latency)
        chosen = {stage.name: stage.folding for stage in made.design.stages}
        return Fits(figures, {name: chosen[name] for name in found.foldings})

    def _figures(self, used: Resources, cycles: int, latency: int | None = None) -> Figures:
        goal = self.goal
        return Figures(
            used,
            goal.cost(used),
            cycles,
            goal.target.rate(cycles),
            None if latency is None else latency / (1e3 * goal.clock_mhz),
        )


def _excess(used: Resources, budget: Resources) -> tuple[str, float, float] | None:
    """The resource that is exceeded most, what is used of it and what may be; None if none is."""
    rows = zip(NAMES, used.astuple(), budget.astuple(), strict=True)
    over = [(need / max(may, 1e-9), name, need, may) for name, need, may in rows if need > may]
    if not over:
        return None
    _, name, need, may = max(over)
    return name, need, may


def _excluded(used: Resources, goal: Goal) -> Excluded:
    over = _excess(used, goal.budget)
    if over is None:
        raise ValueError("a design within its budget is not excluded")
    name, need, may = over
    reason = f"it needs {need:,.1f} {name}, and {may:,.1f} may be used"
    return Excluded(LIMITS[name], reason, need / max(may, 1e-9))
