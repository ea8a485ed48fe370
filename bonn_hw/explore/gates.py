# SPDX-License-Identifier: BSD-3-Clause
"""Narrow a trained chain for a target: gates over its channels, with the exact cost's gradient."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any

from bonn_hw.errors import UserError
from bonn_hw.explore import rows, steps
from bonn_hw.explore.hardware import CHAIN, Excluded, Hardware
from bonn_hw.explore.space import Candidate, Goal
from bonn_hw.files import fresh_file
from bonn_hw.frontend.chain_graph import ChainShape
from bonn_hw.progress import Progress, silent

GATES = "gates.json"


@dataclass(frozen=True)
class Narrowed:
    """What gates made of a chain.

    Attributes
    ----------
    widths_before, widths
        Of each layer, by name.
    cost_before, cost
        Of the cheapest folding at the target's rate, FIFOs not counted, in LUT.
    """

    strength: float
    widths_before: Mapping[str, int]
    widths: Mapping[str, int]
    cost_before: float
    cost: float

    def __str__(self) -> str:
        layers = [f"{k} {self.widths_before[k]} -> {v}" for k, v in self.widths.items()]
        return f"{', '.join(layers)}; {self.cost_before:,.0f} -> {self.cost:,.0f} LUT"


def widths_of(options: Mapping[str, Any]) -> dict[str, int]:
    """The width of each layer of a chain."""
    shape = ChainShape.of(options)
    return {
        **{f"conv{place}": width for place, width in enumerate(shape.convs)},
        **{f"fc{place}": width for place, width in enumerate(shape.hidden)},
    }


def with_widths(options: Mapping[str, Any], widths: Mapping[str, int]) -> dict[str, Any]:
    """The options of a chain with other widths."""
    convs = [width for name, width in widths.items() if name.startswith("conv")]
    hidden = [width for name, width in widths.items() if name.startswith("fc")]
    return {**options, "convs": convs, "hidden": hidden}


def narrow(
    run: Path, out: Path, goal: Goal, strength: float, progress: Progress = silent
) -> Narrowed:
    """Train gates over the channels of a run, and write the narrower network as an ordinary run.

    Parameters
    ----------
    strength
        How much of the loss, in nats, the whole hardware is worth.

    Raises
    ------
    UserError
        If the network is no chain or does not fit the target, or `out` was narrowed with another
        strength.
    """
    from bonn_hw.nn.training import gates  # imports torch
    from bonn_hw.nn.training.experiment import Experiment
    from bonn_hw.nn.training.run_files import EXPERIMENT

    experiment = Experiment.read(run / EXPERIMENT)
    if experiment.network != CHAIN:
        raise UserError(
            f"explore: --gates narrows networks of the name {CHAIN!r}, and this point is a "
            f"{experiment.network!r}; leave --gates out"
        )
    if (out / GATES).is_file() and (found := read(out)).strength != strength:
        raise UserError(
            f"{out}: was narrowed with --gates {found.strength:g}, not {strength:g}; give this "
            f"strength, or move {out.parent} away"
        )
    hardware, options = Hardware(goal), dict(experiment.options)

    def cost(widths: Mapping[str, int]) -> float:
        table = {"name": CHAIN, **with_widths(options, widths)}
        found = hardware.fold(Candidate({"network": table}))
        return inf if isinstance(found, Excluded) else found.figures.cost

    before, size = widths_of(options), ChainShape.of(options).size
    if cost(before) == inf:
        raise UserError(f"{run}: does not fit the target; narrow a run that does")
    limits = size, goal.cycles, goal.board.lut_per_bram36
    # Its own width is allowed, also where a convolution of that width alone were too slow.
    allowed = {
        name: (*(one for one in steps.widths(1, width, *limits) if one < width), width)
        for name, width in before.items()
    }
    if not (out / EXPERIMENT).is_file():
        progress("training gates")
        gates.narrow(run, out, gates.Costs(allowed, cost), strength)
    widths = widths_of(Experiment.read(out / EXPERIMENT).options)
    made = Narrowed(strength, before, widths, cost(before), cost(widths))
    with fresh_file(out / GATES) as partial:
        partial.write_text(rows.file_text(asdict(made)), encoding="utf-8")
    return made


def read(out: Path) -> Narrowed:
    """What `narrow` has written beside a run."""
    return Narrowed(**json.loads((out / GATES).read_text(encoding="utf-8")))
