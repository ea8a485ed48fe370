# SPDX-License-Identifier: BSD-3-Clause
"""Which layer is the slowest on the board, by the counters of the streams."""

from __future__ import annotations

from dataclasses import dataclass

BAR = 20  # characters for the whole run


@dataclass(frozen=True)
class StreamUse:
    """Fractions of a run in which a beat waited for its consumer, and in which there was none.

    ``name`` is ``producer -> consumer``; memory is called ``input`` and ``output``.
    """

    name: str
    waiting: float
    empty: float

    @property
    def ends(self) -> tuple[str, str]:
        """Producer and consumer."""
        producer, _, consumer = self.name.partition(" -> ")
        return producer, consumer


@dataclass(frozen=True)
class Profile:
    """Counters of a run; ``str()`` draws them.

    Attributes
    ----------
    frames, cycles : int
        Frames of the run, and its length.
    streams : tuple of StreamUse
        From input to output.
    """

    frames: int
    cycles: int
    streams: tuple[StreamUse, ...]

    @property
    def loads(self) -> dict[str, float]:
        """The fraction of the run in which each layer was held up by no other.

        A layer starves while a stream before it is empty, and is blocked while data wait in one
        behind it. The slowest layer does neither.
        """
        starved: dict[str, float] = {}
        blocked: dict[str, float] = {}
        for stream in self.streams:
            producer, consumer = stream.ends
            blocked[producer] = max(blocked.get(producer, 0.0), stream.waiting)
            starved[consumer] = max(starved.get(consumer, 0.0), stream.empty)
        names = dict.fromkeys(name for stream in self.streams for name in stream.ends)
        return {name: 1 - starved.get(name, 0.0) - blocked.get(name, 0.0) for name in names}

    @property
    def slowest(self) -> str:
        """The layer with the largest load; ``input`` or ``output``: memory."""
        loads = self.loads
        return max(loads, key=lambda name: loads[name])

    def __str__(self) -> str:
        width = max(len(stream.name) for stream in self.streams)
        lines = [f"{self.frames} frames in {self.cycles:,} cycles; # data wait, . none there"]
        for stream in self.streams:
            wait, none = round(BAR * stream.waiting), round(BAR * stream.empty)
            moved = " " * max(0, BAR - wait - none)
            mark = "  <- slowest" if stream.ends[1] == self.slowest else ""
            lines.append(f"{stream.name:<{width}} |{'#' * wait}{moved}{'.' * none}|{mark}")
        return "\n".join(lines)
