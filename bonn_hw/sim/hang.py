# SPDX-License-Identifier: BSD-3-Clause
"""Error messages for RTL that stops, or outputs too much."""

from __future__ import annotations

from collections.abc import Sequence

from bonn_hw.errors import Hang
from bonn_hw.ir.rtl import RtlProject


class Surplus(Hang):
    """The RTL output a whole frame after the last one. It did not stop, but it is a bug as well."""


def surplus(project: RtlProject, words: Sequence[str], frames: int) -> Surplus:
    """The error for the harness's line ``surplus CYCLE``."""
    return Surplus(
        f"the RTL outputs too much: the input had {frames} frames, and the output stream "
        f"completed frame {frames + 1} in cycle {words[1]}"
    )


def hang(project: RtlProject, words: Sequence[str], frames: int) -> Hang:
    """The error for the harness's line ``hang CYCLE MOVED SENT GOT COUNTS LAST``.

    The counts of all stages are listed, so that one sees where beats are stuck. The last cycle in
    which each stage moved shows where the hang began.
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
        beats_in, _, beats_out = counts[3 * place : 3 * place + 3]
        latest = max(last[3 * place : 3 * place + 3])
        state = (
            f"moved last in cycle {latest}"
            if latest > moved
            else f"no movement since cycle {moved}"
        )
        if latest == cycle:
            state = "still moving"
        lines.append(f"  {name}: {beats_in} beats in, {beats_out} beats out, {state}")
    return Hang("\n".join(lines))


def _blocked(project: RtlProject, sent: int, offered: int, got: int, expected: int) -> str:
    """Say which end waits; the handshakes at the ends prove no more."""
    if sent < offered:
        return f"the input stream is blocked: {project.probes[0]} does not accept beat {sent + 1}"
    if got < expected:
        return f"all input is accepted, and {project.probes[-1]} does not output beat {got + 1}"
    return "both are complete"
