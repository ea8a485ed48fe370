# SPDX-License-Identifier: BSD-3-Clause
"""What the harness tells about RTL that stops, or gives too much."""

from __future__ import annotations

from collections.abc import Sequence

from bonn_hw.errors import Hang
from bonn_hw.ir.rtl import RtlProject


class Surplus(Hang):
    """The RTL gave a whole frame after the last one: no standstill, but as much a bug of ours."""


def surplus(project: RtlProject, words: Sequence[str], frames: int) -> Surplus:
    """The error for the harness's line ``surplus CYCLE``."""
    return Surplus(
        f"the RTL gives too much: {frames} frames were fed, and the output stream completed frame "
        f"{frames + 1} in cycle {words[1]}"
    )


def hang(project: RtlProject, words: Sequence[str], frames: int) -> Hang:
    """The error for the harness's line ``hang CYCLE MOVED SENT GOT COUNTS LAST``.

    Counts stand beside each other, so that one sees where beats are held; the last cycles in which
    the stages moved show from where the standstill spread.
    """
    cycle, moved, sent, got, *places = map(int, words[1:])
    counts, last = places[: len(places) // 2], places[len(places) // 2 :]
    offered, expected = frames * project.source.beats, frames * project.sink.beats
    lines = [
        f"the RTL hangs: no beat moved at either end after cycle {moved} (waited until cycle "
        f"{cycle}); input stream: {sent} of {offered} beats sent; output stream: {got} of "
        f"{expected} beats received; {_blocked(project, sent, offered, got, expected)}; inside:"
    ]
    for place, name in enumerate(project.probes):
        taken, _, given = counts[3 * place : 3 * place + 3]
        latest = max(last[3 * place : 3 * place + 3])
        state = f"moved last in cycle {latest}" if latest > moved else f"still since cycle {moved}"
        if latest == cycle:
            state = "still moving"
        lines.append(f"  {name}: {taken} beats taken, {given} beats given, {state}")
    return Hang("\n".join(lines))


def _blocked(project: RtlProject, sent: int, offered: int, got: int, expected: int) -> str:
    """Say which end waits: all that the handshakes at the ends prove."""
    if sent < offered:
        return f"the input stream is blocked: {project.probes[0]} does not take beat {sent + 1}"
    if got < expected:
        return f"all input is taken, and {project.probes[-1]} does not give beat {got + 1}"
    return "both are complete"
