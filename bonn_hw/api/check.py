# SPDX-License-Identifier: BSD-3-Clause
"""`Check`: what is known of a model that can be compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bonn_hw import pipeline
from bonn_hw.api.display import html_of, text_of
from bonn_hw.report import other_tables

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, eq=False)
class Check:
    """A model that can be compiled; ``print`` it to see its kernels and notes.

    Attributes
    ----------
    checked : pipeline.Checked
    """

    checked: pipeline.Checked

    @property
    def findings(self) -> tuple[str, ...]:
        """Notes in words: of single layers, and what the board can reach."""
        return self.checked.findings

    @property
    def most_fps(self) -> float | None:
        """The highest frame rate that fits the board; None without a board, or if nothing fits."""
        return None if self.checked.reach is None else self.checked.reach.most_fps

    def _show(self, console: Console) -> None:
        other_tables.show_kernels(self.checked.lowered.graph, self.findings, console)

    def __str__(self) -> str:
        return text_of(self._show)

    def __repr__(self) -> str:
        count = len(self.checked.lowered.graph.nodes)
        return f"<Check: can be compiled, {count} kernels, {len(self.findings)} notes>"

    def _repr_html_(self) -> str:
        return html_of(str(self))
