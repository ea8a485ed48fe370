# SPDX-License-Identifier: BSD-3-Clause
"""`Simulation`: the result of a simulation and of its comparison with the references."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bonn_hw.report.difference_values import FirstDifference
from bonn_hw.report.first_difference import sentence
from bonn_hw.report.values import Report
from bonn_hw.report.verdicts import EXPECTED, State, Verdict, of_simulation

if TYPE_CHECKING:
    from bonn_hw.nn.brevitas_export.decisions import Decisions, Difference
    from bonn_hw.verification import Outcome

MARKS = {State.PASSED: "ok", State.NOTED: "note", State.FAILED: "FAILED"}


@dataclass(frozen=True, eq=False)
class Simulation:
    """The result of `Build.simulate` and `Build.compare`; ``print`` it to see the verdicts.

    Attributes
    ----------
    y : float32 ``(N, ...)``
        The outputs of the RTL, with the host's part of the model behind them.
    integers : int64 ``(N, H, W, C)``
        The outputs of the RTL itself.
    report : Report
        All figures of the build, with those of this run.
    verdicts : tuple of Verdict
        One for each reference, for the cycles and for ONNX Runtime's own rounding.
    difference : Difference or None
        With ``torch=``: the first value of a quantiser that differs from PyTorch's: layer, frame,
        element and both values; ``rounded`` says whether a rounded sum explains it.
    """

    y: NDArray[np.float32]
    integers: NDArray[np.int64]
    report: Report
    verdicts: tuple[Verdict, ...]
    difference: Difference | None = None

    @property
    def equal(self) -> bool:
        """Whether the RTL equals every reference on every frame."""
        return not any(one.failed for one in self.verdicts)

    @property
    def first_difference(self) -> FirstDifference | None:
        """Where the build first differs from a reference, if `Build.compare` found a mismatch."""
        comparison = self.report.comparison
        return None if comparison is None else comparison.first_difference

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.y)

    @property
    def accuracy(self) -> float | None:
        """Share of the frames that the RTL classifies as the labels say; None without labels."""
        return None if self.report.accuracy is None else self.report.accuracy.rtl

    @property
    def cycles_per_frame(self) -> int | None:
        """Measured cycles between two frames; None for a single frame."""
        return self.report.cycles_per_frame.simulated

    def __str__(self) -> str:
        lines = [f"{MARKS[one.state]:>6}  {one.text}" for one in self.verdicts]
        if self.accuracy is not None:
            lines.append(f"{'':6}  accuracy of the RTL: {100 * self.accuracy:.2f} %")
        if self.first_difference is not None:
            lines.append(f"{'':6}  {sentence(self.first_difference)}")
        elif self.difference is not None:
            why = " (a rounded sum)" if self.difference.rounded else ""
            lines.append(f"{'':6}  first difference from PyTorch: {self.difference}{why}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        failed = [one.name for one in self.verdicts if one.failed]
        found = f"differs: {', '.join(failed)}" if failed else "equal"
        cycles = f", {self.cycles_per_frame:,} cycles per frame" if self.cycles_per_frame else ""
        return f"<Simulation of {self.frames} frames: {found}{cycles}>"

    def _repr_html_(self) -> str:
        cell = "<td style='text-align:left'>"
        rows = "".join(
            f"<tr>{cell}{MARKS[one.state]}</td>{cell}{escape(one.text)}</td></tr>"
            for one in self.verdicts
        )
        return f"<table>{rows}</table>"


def simulation_of(
    outcome: Outcome, decisions: Decisions | None, strict: bool, of_pytorch: bool = False
) -> Simulation:
    """The result of a run, with what is known of PyTorch's decisions.

    Parameters
    ----------
    of_pytorch
        Whether the expected outputs are PyTorch's; they are if there are decisions.
    """
    difference = None
    if decisions is not None and decisions.differences:
        difference = decisions.wrong or decisions.differences[0]
    verdicts = of_simulation(outcome.report, strict)
    if decisions is not None or of_pytorch:
        verdicts = tuple(_of_pytorch(one) for one in verdicts)
    answers = outcome.answers
    return Simulation(answers.y, answers.rtl, outcome.report, verdicts, difference)


def _of_pytorch(verdict: Verdict) -> Verdict:
    name, text = (one.replace(EXPECTED, "PyTorch") for one in (verdict.name, verdict.text))
    return replace(verdict, name=name, text=text)
