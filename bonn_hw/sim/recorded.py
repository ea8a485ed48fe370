# SPDX-License-Identifier: BSD-3-Clause
"""The beats of all streams of a design, read from a wave file of its top module.

`emit.top` names the wires of stream number N of the design ``stream_N_tdata``, ``stream_N_tvalid``
and ``stream_N_tready``. The harness writes the state of cycle C, before the clock's edge, at the
time 2C.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.stream import WORD

SIGNAL = re.compile(rb"\$var \w+ \d+ (\S+) stream_(\d+)_t(data|valid|ready)\b")
Changes = tuple[list[int], list[bytes]]  # times, and values from then on


@dataclass(frozen=True, eq=False)
class Beats:
    """The accepted beats of a stream.

    Attributes
    ----------
    words : uint32 ``(beats, words)``
        As `ir.stream.unpack` reads them.
    cycles : int64 ``(beats,)``
        The cycle of each, from reset on.
    valid, ready : bool ``(cycles,)``
        The two signals in every cycle.
    """

    words: NDArray[np.uint32]
    cycles: NDArray[np.int64]
    valid: NDArray[np.bool_]
    ready: NDArray[np.bool_]


def read(waves: Path, widths: Mapping[int, int]) -> dict[int, Beats]:
    """Read the beats of streams.

    Parameters
    ----------
    waves : Path
        VCD file of `sim.run.simulate` with ``streams_only``.
    widths : mapping
        Bits of tdata by the number of the stream.

    Raises
    ------
    ValueError
        If the file lacks one of the streams.
    """
    changes, end = _changes(waves)
    found = {}
    for stream, width in widths.items():
        parts = [(stream, part) for part in (b"valid", b"ready", b"data")]
        if missing := [part.decode() for _, part in parts if (stream, part) not in changes]:
            raise ValueError(f"{waves} has no signal stream_{stream}_t{missing[0]}")
        valid, ready, data = (changes[part] for part in parts)
        offered, taken = _levels(valid, end), _levels(ready, end)
        cycles = np.flatnonzero(offered & taken)
        places = np.searchsorted(np.array(data[0], np.int64), 2 * cycles, side="right") - 1
        octets = 4 * -(-width // WORD)
        # A value that stays for many beats is converted once.
        values = {one: int(data[1][one], 2).to_bytes(octets, "little") for one in set(places)}
        words = np.frombuffer(b"".join(values[one] for one in places), "<u4")
        words = words.reshape(len(cycles), octets // 4)
        found[stream] = Beats(words, cycles.astype(np.int64), offered, taken)
    return found


def _changes(waves: Path) -> tuple[dict[tuple[int, bytes], Changes], int]:
    """All changes of the streams' signals, and the last time in the file."""
    signals: dict[tuple[int, bytes], Changes] = {}
    by_code: dict[bytes, Changes] = {}  # wires that are one net share a code
    time = 0
    with waves.open("rb") as stream:
        for line in stream:
            if match := SIGNAL.search(line):
                code, number, part = match.groups()
                signals[int(number), part] = by_code.setdefault(code, ([], []))
            elif line.startswith(b"$enddefinitions"):
                break
        for line in stream:
            head = line[:1]
            if head == b"#":
                time = int(line[1:])
            elif head in b"01":
                _note(by_code.get(line[1:].strip()), time, head)
            elif head == b"b":
                value, _, code = line[1:].partition(b" ")
                _note(by_code.get(code.strip()), time, value)
    return signals, time


def _note(changes: Changes | None, time: int, value: bytes) -> None:
    if changes is not None:
        changes[0].append(time)
        changes[1].append(value)


def _levels(changes: Changes, end: int) -> NDArray[np.bool_]:
    """A signal of one bit in every cycle."""
    times = np.array(changes[0], np.int64)
    values = np.array([False, *(value == b"1" for value in changes[1])])
    cycles = np.arange(end // 2 + 1)
    return values[np.searchsorted(times, 2 * cycles, side="right")]
