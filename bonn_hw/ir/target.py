# SPDX-License-Identifier: BSD-3-Clause
"""What a design is made for: a board and a goal."""

from __future__ import annotations

from dataclasses import dataclass

from bonn_hw.ir.resources import Resources


@dataclass(frozen=True)
class Board:
    """A PYNQ board.

    Parameters
    ----------
    part : str
        The vendor's name of the device.
    clock_mhz : float
        Clock when none is asked for.
    holds : Resources
        What the device has (data sheets DS190, DS891, DS889); UltraRAM is not counted, since it
        starts empty and weights could not lie there.
    """

    name: str
    part: str
    clock_mhz: float
    holds: Resources

    def lacks(self, used: Resources) -> list[tuple[str, float, float]]:
        """What a design uses more of than there is: name, used, available."""
        names = ("LUT", "FF", "BRAM36", "DSP")
        rows = zip(names, used.astuple(), self.holds.astuple(), strict=True)
        return [(name, need, have) for name, need, have in rows if need > have]

    @property
    def lut_per_bram36(self) -> float:
        """How many LUT weigh as much as one RAMB36 when they are traded."""
        return self.holds.lut / self.holds.bram36


@dataclass(frozen=True)
class Target:
    """What a design is made for.

    Attributes
    ----------
    fps : float or None
        Frames per second to reach with least resources.
    fastest : bool
        As many frames per second as fit instead. With neither, pinned layers say how fast.
    latency_ms : float or None
        Most that may pass from a frame's first beat in to its first beat out.
    lut_fraction : float
        Part of the board's LUT that the fastest design may use: routing needs some air.
    """

    board: Board
    clock_mhz: float
    fps: float | None = None
    fastest: bool = False
    latency_ms: float | None = None
    lut_fraction: float = 0.7

    @property
    def cycles(self) -> int | None:
        """Cycles that a frame may take."""
        return None if self.fps is None else int(self.clock_mhz * 1e6 / self.fps)

    @property
    def budget(self) -> Resources:
        """What the fastest design may use."""
        holds = self.board.holds
        return Resources(holds.lut * self.lut_fraction, holds.ff, holds.bram36, holds.dsp)

    def rate(self, cycles: int) -> float:
        """Frames per second."""
        return self.clock_mhz * 1e6 / cycles
