# SPDX-License-Identifier: BSD-3-Clause
"""From an integer graph to a folded design with FIFOs: what `fold`, `compile` and `sweep` share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from bonn_hw.errors import UserError
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.target import Target
from bonn_hw.passes import objectives
from bonn_hw.passes.exchange import exchanged
from bonn_hw.passes.fifo_sizing import size_fifos, with_fifos_of
from bonn_hw.passes.folding import Choice, Space, Tables
from bonn_hw.passes.folding_file import FoldingConstraints
from bonn_hw.passes.memory_placement import place_memories
from bonn_hw.passes.optimum import HighestRate, LeastCost, Optimum
from bonn_hw.passes.prices import alternatives, cheapest, price, prices
from bonn_hw.passes.width_conversion import insert_width_converters
from bonn_hw.progress import Progress, silent
from bonn_hw.timing import model
from bonn_hw.timing.model import Deadlock, Timing

ROUNDS = 4  # of folding again with a smaller budget, because the FIFOs did not fit


@dataclass(frozen=True, eq=False)
class Plan:
    """A folded design with FIFOs, its timing, and how close it is to the optimum.

    Attributes
    ----------
    optimum : Optimum
        What is proved about the foldings.
    notes : tuple of str
        The same in words.
    """

    design: FoldedDesign
    timing: Timing
    optimum: Optimum
    notes: tuple[str, ...]


def plan(
    graph: DataflowGraph, target: Target, constraints: FoldingConstraints, progress: Progress
) -> Plan:
    """Fold, convert widths, size FIFOs.

    Raises
    ------
    UserError
        If the target is out of reach, or if the constraints contradict the target, each other or
        the graph.
    """
    progress("folding")
    space = Space(graph, constraints.foldings, Tables(alternatives(target)))
    if target.fastest:
        return _fastest(space, graph, target, constraints, progress)
    cycles = _cycles(space, target, constraints)
    least = space.cheapest(cycles, prices(target))
    choice = cheapest(space, cycles, target)
    if target.latency_ms is not None:

        def latency(choice: Choice) -> int:
            progress("folding for latency")
            return model.run(_sized(graph, choice, constraints, target), 2).latency

        limit = int(target.latency_ms * 1e3 * target.clock_mhz)
        choice = objectives.meet_latency(space, cycles, prices(target), latency, limit)
    design = _sized(graph, choice, constraints, target, progress)
    if not objectives.fits(total(design), target.board.holds):
        sized = partial(_sized, graph, constraints=constraints, target=target, progress=progress)
        design = _leaving_room(space, graph, choice, design, target, sized)
    cost = price(total(design), target)
    _, _, bram36, dsp = prices(target)
    optimum = LeastCost(cost=round(cost, 1), least_cost_without_fifos=round(least.cost, 1))
    notes = (
        f"every folding that reaches this rate needs at least {least.cost:,.0f} LUT without "
        f"FIFOs; this design needs {cost:,.0f} LUT with FIFOs (a RAMB36 counts as "
        f"{bram36:.0f} LUT, a DSP slice as {dsp:.0f})",
    )
    return Plan(design, model.run(design), optimum, notes)


def _fastest(
    space: Space,
    graph: DataflowGraph,
    target: Target,
    constraints: FoldingConstraints,
    progress: Progress,
) -> Plan:
    """Find the highest rate that fits with FIFOs, whose size is known only after folding."""
    room = np.array(target.budget.astuple())
    without = objectives.fastest(space, target.budget, prices(target))
    found, spent = without, np.zeros(4)
    for _ in range(ROUNDS):
        design = _sized(graph, found.choice, constraints, target, progress)
        used = np.array(total(design).astuple())
        if (used <= room).all():
            break
        spent = np.maximum(spent, used - found.choice.resources.astuple())
        budget = Resources(*np.maximum(room - spent, 0).tolist())
        found = objectives.fastest(space, budget, prices(target))
    else:
        raise UserError(
            f"folding: no design was found that fits {target.board.name} together with its FIFOs: "
            "ask for a number of frames per second, or allow a larger --lut-fraction"
        )
    most = target.rate(without.choice.cycles)
    optimum = HighestRate(
        cost=round(price(total(design), target), 1),
        limit=found.limit,
        proved=found.proved and found is without,
        most_frames_per_second_without_fifos=round(most, 1),
    )
    note = f"the fastest that fits is limited by {found.limit}"
    if found is not without:
        note += f"; without FIFOs {most:,.1f} frames per second would fit"
    return Plan(design, model.run(design), optimum, (note,))


def pareto_front(
    graph: DataflowGraph, target: Target, constraints: FoldingConstraints
) -> Iterator[Choice]:
    """Yield the Pareto front of frame rate and cost, the slowest design first.

    No other foldings are both faster and cheaper. FIFOs are not counted.
    """
    return objectives.front(
        Space(graph, constraints.foldings, Tables(alternatives(target))), prices(target)
    )


@dataclass(frozen=True)
class Reach:
    """An estimate before folding, FIFOs not counted.

    Attributes
    ----------
    most_fps : float or None
        The highest frame rate that fits the board; None if no design fits.
    needs : Resources or None
        What a design with the target's frame rate needs at least; None if there is no such design,
        or the target has no frame rate.
    messages : tuple of str
        The same in words.
    """

    most_fps: float | None
    needs: Resources | None
    messages: tuple[str, ...]


def feasibility(graph: DataflowGraph, target: Target) -> Reach:
    """Estimate before folding which frame rates fit a board, FIFOs not counted."""
    space = Space(graph, {}, Tables(alternatives(target)))
    try:
        best = objectives.fastest(space, target.budget, prices(target))
    except UserError as error:
        return Reach(None, None, (str(error).removeprefix("folding: "),))
    share = f"{100 * target.lut_fraction:.0f} % of the LUT of {target.board.name}"
    most = target.rate(best.choice.cycles)
    messages = [
        f"at {target.clock_mhz:g} MHz and with {share} at most {most:,.1f} frames per second fit, "
        f"limited by {best.limit}",
        *target.board.notes(target.clock_mhz),
    ]
    if target.fps is None:
        return Reach(most, None, tuple(messages))
    if target.fps > most:
        messages.append(f"{target.fps:,.1f} frames per second are out of reach")
        return Reach(most, None, tuple(messages))
    used = cheapest(space, _cycles(space, target, FoldingConstraints()), target).resources
    figures = zip(objectives.NAMES, used.astuple(), target.board.holds.astuple(), strict=True)
    parts = (f"{amount:,.0f} {name} ({amount / holds:.0%})" for name, amount, holds in figures)
    messages.append(f"{target.fps:,.1f} frames per second need {', '.join(parts)} at least")
    return Reach(most, used, tuple(messages))


def _sized(
    graph: DataflowGraph,
    choice: Choice,
    constraints: FoldingConstraints,
    target: Target,
    progress: Progress = silent,
) -> FoldedDesign:
    design = insert_width_converters(choice.applied(graph), choice.foldings)
    fixed = {}
    for stage in design.stages:
        for place, name in enumerate(stage.node.inputs):
            if (stage.name, place) in constraints.depths:
                fixed[name] = constraints.depths[stage.name, place]
    try:
        sized = size_fifos(design, fixed, progress)
    except Deadlock as error:
        raise UserError(
            f"folding: with the fixed FIFO depths the design deadlocks: {error}: give the FIFO of "
            "this message a larger depth, or none, so that bonn_hw chooses it"
        ) from error
    return place_memories(sized, target)


def _leaving_room(
    space: Space,
    graph: DataflowGraph,
    choice: Choice,
    design: FoldedDesign,
    target: Target,
    sized: Callable[[Choice], FoldedDesign],
) -> FoldedDesign:
    """Find a design that fits together with its FIFOs; if there is none, keep the one given.

    First units are exchanged, and the FIFOs stay: they depend on cycles alone, and an exchange
    changes none. Then other foldings are tried, with FIFOs of their own.
    """
    holds = np.array(target.board.holds.astuple())
    queued = with_fifos_of(insert_width_converters(choice.applied(graph), choice.foldings), design)
    fifos = np.array(total(queued).astuple()) - choice.resources.astuple()
    room = Resources(*np.maximum(holds - fifos, 0).tolist())
    fitting = exchanged(space, choice, room, prices(target))
    if fitting is not None:
        converted = insert_width_converters(fitting.applied(graph), fitting.foldings)
        return with_fifos_of(converted, design)
    other = objectives.within(space, choice.cycles, room)
    if isinstance(other, objectives.TooLarge):
        return design
    again = sized(other)
    return again if objectives.fits(total(again), target.board.holds) else design


def _cycles(space: Space, target: Target, constraints: FoldingConstraints) -> int:
    """The most cycles per frame that a target allows."""
    if target.cycles is None:
        return space.fixed_cycles
    node, least = space.slowest
    if least > target.cycles and node.name not in constraints.foldings:
        raise UserError(
            f"folding: {target.fps:,.1f} frames per second are out of reach at "
            f"{target.clock_mhz:g} MHz: {node.name} ({node.origin}) needs {least:,} cycles per "
            f"frame at full parallelism, and {target.cycles:,} are allowed; the most is "
            f"{math.floor(10 * target.rate(least)) / 10:,.1f}, or ask for a faster clock"
        )
    return target.cycles


def total(design: FoldedDesign) -> Resources:
    """Predicted resources of all stages together."""
    return sum((stage.node.kernel.resources(stage.folding) for stage in design.stages), Resources())
