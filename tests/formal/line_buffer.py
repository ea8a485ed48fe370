# SPDX-License-Identifier: BSD-3-Clause
"""The helper invariant of `sliding_window.sv`: counters, credit and contents of the ring."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bonn_hw.kernels.line_buffer import Walk, walk
from bonn_hw.kernels.sliding_window import SlidingWindow
from tests.formal.facts import Facts
from tests.formal.invariants import Invariant, Probe, counter, steps, table


def lead(facts: Facts) -> Invariant | None:
    """The invariant of a sliding window; None if it has no line buffer."""
    if not isinstance(facts.kernel, SlidingWindow):
        raise TypeError(f"{type(facts.kernel).__name__} is no sliding window")
    ring = Ring(facts, facts.kernel)
    if not ring.depth:
        return None
    pixels = ring.pixels() if ring.taps > 1 else Invariant()
    return steps(facts) + ring.positions() + ring.counters() + pixels + ring.contents()


@dataclass(frozen=True, eq=False)
class Ring:
    """The line buffer of a kernel in a folding, as `bonn_hw.kernels.line_buffer` describes it."""

    facts: Facts
    kernel: SlidingWindow

    @cached_property
    def depth(self) -> int:
        """Words."""
        return self.kernel.depth(self.facts.folding)

    @property
    def taps(self) -> int:
        """Pixels of a word."""
        return self.facts.folding.pe // self.facts.folding.simd

    @cached_property
    def walk(self) -> Walk:
        """When words are needed and freed."""
        kernel = self.kernel
        return walk(
            kernel.input.shape, kernel.kernel, kernel.stride, self.facts.folding.simd, self.taps
        )

    @property
    def words(self) -> int:
        """Words of a frame."""
        return int(self.walk.completes.size)

    @property
    def address(self) -> int:
        """Bits of an address."""
        return (self.depth - 1).bit_length()

    @cached_property
    def loops(self) -> NDArray[np.int64]:
        """Row of windows, window, row of taps and tap of each step ``(4, steps)``."""
        rows, columns, _ = self.kernel.outputs[0].shape
        high, wide = self.kernel.kernel
        across = wide * self._folds if self.taps == 1 else 1
        return np.indices((rows, columns, high, across)).reshape(4, -1)

    @property
    def _folds(self) -> int:
        return self.kernel.input.shape[2] // self.facts.folding.simd

    @cached_property
    def reads(self) -> NDArray[np.int64]:
        """The word of the frame that each step reads."""
        y, x, ky, tap = self.loops
        down, right = self.kernel.stride
        row, pitch = self.kernel.outputs[0].shape[1], 1
        if self.taps == 1:
            row, pitch = self.kernel.input.shape[1] * self._folds, right * self._folds
        return (y * down + ky) * row + x * pitch + tap

    def positions(self) -> Invariant:
        """Credit, fullness and addresses follow from the beats that came and the steps done."""
        walked, words, address = self.walk, self.words, self.address
        before = np.append(walked.need[-1] - words, np.maximum.accumulate(walked.need)[:-1])
        credit = (max(self.depth, walked.lack) - 1).bit_length() + 1
        return Invariant(
            (
                Probe("credit", "gen_ring.credit_q", credit),
                Probe("full", "gen_ring.full_q", 1),
                Probe("write", "gen_ring.write_address", address),
                Probe("read", "gen_ring.read_q", address),
            ),
            (
                *table("complete", "ip", np.searchsorted(walked.completes, self._came)),
                *table("needs", "done", walked.need),
                *table("needed", "done", before),
                *table("freed", "done", np.append(0, walked.freed[:-1])),
                *table("reads", "done", self.reads),
                f"wire signed [15:0] words = complete + front * {words};",
                "wire signed [15:0] credit_now = $signed(credit);",
                f"wire [{address - 1}:0] span = write - read, span_due = words - reads;",
            ),
            (
                "credit_now == words - needs",
                f"full == (words - freed == {self.depth})",
                f"words >= needed && words - freed <= {self.depth}",
                "span == span_due",
            ),
        )

    @property
    def _came(self) -> NDArray[np.int64]:
        return np.arange(self.walk.beats)

    def counters(self) -> Invariant:
        """The four loops of the steps."""
        found = counter("gen_ring.writes", self.depth, "value == write")
        names = ("window_rows", "windows", "tap_rows", "taps")
        for name, place in zip(names, self.loops, strict=True):
            due = Invariant(declared=table(f"loop_{name}", "done", place))
            states = int(place.max()) + 1
            found += due + counter(f"gen_ring.{name}", states, f"value == loop_{name}")
        return found

    def pixels(self) -> Invariant:
        """Where a word is a row of taps: the counters that say which pixel completes one."""
        width = self.kernel.input.shape[1]
        wide, right = self.kernel.kernel[1], self.kernel.stride[1]
        column = np.mod(self._came % width - (wide - 1), width)
        completes = Invariant(
            (Probe("completes", "gen_ring.gen_rows.completes_q", 1),),
            (
                *table("column", "ip", column),
                *table("phase", "ip", column % right),
                *table("completes_now", "ip", np.isin(self._came, self.walk.completes)),
            ),
            ("completes == completes_now",),
        )
        # Before a row's first word the phase decides nothing, and a reset may have changed it.
        phases = f"column > {width - wide} || value == phase"
        return (
            completes
            + counter("gen_ring.gen_rows.columns", width, "value == column")
            + counter("gen_ring.gen_rows.phases", right, phases)
        )

    def contents(self) -> Invariant:
        """Until it is read, the watched beat is in the ring, or in the pixels before it."""
        size, depth, address = self.facts.out_width, self.depth, self.address
        pixel = size // self.taps
        style = ("gen_lut", "gen_block")[int(self.facts.instance.parameters["STYLE"])]
        places = range(depth)
        ring = tuple(Probe(f"ring_{at}", f"gen_ring.{style}.ring[{at}]", size) for at in places)
        before = (Probe("pixels", "gen_ring.gen_rows.pixels_q", size - pixel),)
        declared = [
            f"wire [{size * depth - 1}:0] ring = {{{', '.join(p.name for p in reversed(ring))}}};",
            f"wire [{address - 1}:0] origin = read - reads + front_before * {self.words};",
            "wire unread = marked && (front_before > 0 || (front_before == 0 && done <= watched));",
        ]
        holds = [
            "!marked || (before >= 0 && (arrives ? before == ahead : before < ahead))",
            "!arrives || ip > 0",
        ]
        for number, beat in enumerate(self.facts.output_beats):
            if beat.table != tuple(range(1 << size)):
                raise ValueError(f"output beat {number} is not the bits that it depends on")
            word = int(self.reads[number])
            complete = int(self.walk.completes[word])
            declared.append(f"wire [{address - 1}:0] at_{number} = origin + {word};")
            holds.append(
                f"!unread || watched != {number} || (arrives && ip <= {complete}) || "
                f"ring[at_{number}*{size}+:{size}] == kept[{size - 1}:0]"
            )
            for bit, (came, _) in enumerate(beat.bits):
                for ip in range(came + 1, complete + 1):  # the newest pixel is the highest
                    at = (self.taps - 1 - (ip - came)) * pixel + bit % pixel
                    here = f"arrives && watched == {number} && ip == {ip}"
                    holds.append(f"!({here}) || pixels[{at}] == kept[{bit}]")
        return Invariant(ring + before * (self.taps > 1), tuple(declared), tuple(holds))
