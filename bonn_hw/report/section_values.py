# SPDX-License-Identifier: BSD-3-Clause
"""Sections of a report, one per command: the contents of the files in the folder ``report``."""

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
        """Of two runs, the report has the one with the larger weight.

        A run without stalls comes before one with stalls, then the one with more frames. With
        stalls, the cycles include them and say little about the design.
        """
        return self.comparison.stall_seed is None, self.comparison.frames


@dataclass(frozen=True, kw_only=True)
class Simulations:
    """``simulated.json``: the run whose figures are in the report, and the last run."""

    schema: int = SCHEMA
    main: Simulated
    last: Simulated


@dataclass(frozen=True, kw_only=True)
class Synthesised:
    """``synthesised.json``: resources of the whole design, and of single stages by name."""

    schema: int = SCHEMA
    whole: Use | None
    stages: Mapping[str, Use]
    tools: Mapping[str, str]


@dataclass(frozen=True)
class ImplementedAmount:
    """Use of a resource by the whole design, and by the accelerator with its shell alone."""

    implemented: float
    implemented_accelerator: float | None = None


@dataclass(frozen=True, kw_only=True)
class Implemented:
    """``implemented.json``: the figures of the tool that made a bitstream.

    The same file is next to the bitstream. For tools whose plan can be run on another machine, it
    has the digests of the plan and of the files there.
    """

    schema: int = SCHEMA
    tool: str
    resources: PerResource[ImplementedAmount]
    timing: Timing
    seconds: Seconds | None = None
    bitstream: Bitstream | None = None
    plan_sha256: str | None = None
    sha256: Mapping[str, str] | None = None
