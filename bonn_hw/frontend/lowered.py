# SPDX-License-Identifier: BSD-3-Clause
"""The result of the lowering."""

from __future__ import annotations

from dataclasses import dataclass

from bonn_hw.frontend.context import Expectation, Probe
from bonn_hw.frontend.host import Host
from bonn_hw.frontend.notes import Note, sentences
from bonn_hw.frontend.reference import Reference
from bonn_hw.ir.graph import DataflowGraph


@dataclass(frozen=True, eq=False)
class Lowered:
    """The accelerator's graph, the host's part, and the reference that both equal.

    Attributes
    ----------
    probes : tuple of Probe
        Tensors that the reference and the graph have in common.
    expected : tuple of Expectation
        What kernels must compute for every integer.
    notes : tuple of Note
        Where other runtimes can round to other decisions, and constant activations.
    """

    graph: DataflowGraph
    host: Host
    reference: Reference
    probes: tuple[Probe, ...]
    expected: tuple[Expectation, ...]
    notes: tuple[Note, ...]

    @property
    def findings(self) -> tuple[str, ...]:
        """The notes as sentences."""
        return sentences(self.notes)
