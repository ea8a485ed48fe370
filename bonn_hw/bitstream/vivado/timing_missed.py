# SPDX-License-Identifier: BSD-3-Clause
"""What a missed timing is answered with: the path, where it is, and the next clock to try."""

from __future__ import annotations

import math
import re
from pathlib import Path

from bonn_hw.bitstream.vivado.plan import VivadoPlan
from bonn_hw.bitstream.vivado.reports import Timing


def missed(planned: VivadoPlan, timing: Timing, work: Path, stages: set[str]) -> str:
    """The message for missed timing: the worst path, its slack, and a remedy.

    Parameters
    ----------
    stages : set of str
        Names of the design's stages, one of which the path may be in (`stages_of`).
    """
    kind, slack = min(
        ("setup", timing.wns_ns),
        ("hold", timing.whs_ns),
        ("pulse width", timing.wpws_ns),
        key=lambda pair: pair[1],
    )
    paths = [path for path in timing.paths if path.kind == kind]
    worst = f"worst path {paths[0]}" if paths else f"see {work / 'timing.rpt'}"
    stage = _stage(paths[0].destination, stages) if paths else None
    where = f" in stage {stage!r}" if stage else ""
    if kind != "setup":
        remedy = "a lower clock does not help: try another version of the tool"
    else:
        slower = next_clock_mhz(timing.reached_mhz, planned.pll_mhz)
        remedy = f"build again with --clock-mhz {slower:g} (this placement reaches "
        remedy += f"{timing.reached_mhz:.0f} MHz), or "
        if paths and paths[0].logic < 0.5:
            remedy += "compile for fewer frames per second: most of the path is wire, so the "
            remedy += "device is crowded"
        else:
            remedy += f"compile with a smaller SIMD{f' for {stage!r}' if stage else ''}: most of "
            remedy += "the path is logic"
    return (
        f"timing is missed on {planned.board} at {timing.clock_mhz:g} MHz by {-slack:.3f} ns "
        f"({kind}, {timing.failing} endpoints){where}: {worst}; {remedy}; reports are in {work}"
    )


def next_clock_mhz(reached_mhz: float, pll_mhz: float) -> float:
    """The highest clock that the processing system divides from its PLL and that was reached."""
    divisor = math.ceil(pll_mhz / reached_mhz)
    # Rounded down: a clock that is asked for must not be above the divided one.
    return math.floor(pll_mhz / divisor * 1000) / 1000


def _stage(pin: str, stages: set[str]) -> str | None:
    """The stage of the design that a pin belongs to."""
    return next((part for part in pin.split("/") if part in stages), None)


def stages_of(rtl: Path) -> set[str]:
    """The instances in ``top.v``, one per stage; empty without that file."""
    top = rtl / "top.v"
    text = top.read_text() if top.is_file() else ""
    return set(re.findall(r"^  \) (\w+) \($", text, re.MULTILINE))
