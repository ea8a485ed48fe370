# SPDX-License-Identifier: BSD-3-Clause
"""What each command adds to a build's report: the values of the files in its folder ``report``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bonn_hw.report.figures import PerResource
from bonn_hw.report.values import FLAT, SCHEMA, Accuracy, Bitstream, Comparison, Seconds, Timing
from bonn_hw.synth.netlist import Use


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """A run of the simulator; ``layers`` has the busy cycles per frame of each stage, by name."""

    comparison: Comparison = field(metadata=FLAT)
    accuracy: Accuracy
    cycles_per_frame: int | None
    latency_cycles: int
    layers: Mapping[str, int]
    tools: Mapping[str, str]

    @property
    def weight(self) -> tuple[bool, int]:
        """The heavier of two runs is kept: without stalls before with, then the one of more frames.

        Cycles of a run with stalls include these, and say little of the design.
        """
        return self.comparison.stall_seed is None, self.comparison.frames


@dataclass(frozen=True, kw_only=True)
class Simulations:
    """``simulated.json``: the run whose figures the report has, and the last one."""

    schema: int = SCHEMA
    main: Simulated
    last: Simulated


@dataclass(frozen=True, kw_only=True)
class Synthesised:
    """``synthesised.json``: of the whole design, and of stages alone, by name."""

    schema: int = SCHEMA
    whole: Use | None
    stages: Mapping[str, Use]
    tools: Mapping[str, str]


@dataclass(frozen=True)
class ImplementedAmount:
    """How much of a resource the whole design takes, and the accelerator with its shell alone."""

    implemented: float
    implemented_accelerator: float | None = None


@dataclass(frozen=True, kw_only=True)
class Implemented:
    """``implemented.json``: what the tool that made a bitstream reports.

    The same stands beside the bitstream, there with the digests of the plan and of the files where
    a plan can be run elsewhere.
    """

    schema: int = SCHEMA
    tool: str
    resources: PerResource[ImplementedAmount]
    timing: Timing
    seconds: Seconds | None = None
    bitstream: Bitstream | None = None
    plan_sha256: str | None = None
    sha256: Mapping[str, str] | None = None
