# SPDX-License-Identifier: BSD-3-Clause
"""What a design is made for: a board and a goal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bonn_hw.ir.resources import Resources

PREDICTED_INPUTS = 6  # of the LUT that kernels predict


@dataclass(frozen=True)
class Clock:
    """The clock of a board's programmable logic.

    Attributes
    ----------
    default_mhz : float
        When none is asked for.
    lowest_mhz, highest_mhz : float
        What the board and its flow can give; equal where the clock is fixed.
    source : str
        ``processing-system`` (divided from a PLL) or ``oscillator`` (fixed).
    """

    default_mhz: float
    lowest_mhz: float
    highest_mhz: float
    source: str

    @property
    def fixed(self) -> bool:
        """Whether there is one clock alone."""
        return self.lowest_mhz == self.highest_mhz

    def allows(self, clock_mhz: float) -> bool:
        """Whether the board can give a clock."""
        return self.lowest_mhz <= clock_mhz <= self.highest_mhz


@dataclass(frozen=True)
class OpenTools:
    """What the open tools call a board's device, and the files of the board's own.

    Attributes
    ----------
    device : str
        Zynq-7000: of the chip database and of prjxray's folder; ECP5: option of nextpnr-ecp5.
    package, speed, top : str
        ECP5 alone: package and speed grade, and the module that holds ``serial_system``.
    files : tuple of Path
        ECP5 alone: that module (.v) and the pins (.lpf).
    """

    device: str
    package: str = ""
    speed: str = ""
    top: str = ""
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Board:
    """A board, as its file in ``boards`` (or the user's own) has it.

    Attributes
    ----------
    part : str
        The vendor's name of the device.
    family : str
        ``zynq-7000``, ``zynq-ultrascale-plus`` or ``ecp5``.
    holds : Resources
        What the device has, in the units of the predictions: LUT with six inputs.
    device_lut, lut_inputs : int
        LUT that the device has, and how many inputs they have.
    shell : str
        ``axi`` (registers and memory of a processing system) or ``serial`` (a serial line).
    tools : tuple of str
        What can make its bitstreams: ``vivado``, ``open``; the usual one first.
    processing_system : tuple
        Settings of it, names and values as Vivado's scripts take them; empty where there is none.
    baud : int or None
        Bits a second of the serial line.
    file : Path
        Where all of this was read.
    """

    name: str
    part: str
    family: str
    clock: Clock
    holds: Resources
    device_lut: int
    lut_inputs: int
    shell: str
    tools: tuple[str, ...]
    processing_system: tuple[tuple[str, str], ...]
    open_tools: OpenTools | None
    baud: int | None
    file: Path

    @property
    def clock_mhz(self) -> float:
        """Clock when none is asked for."""
        return self.clock.default_mhz

    def notes(self, clock_mhz: float) -> list[str]:
        """What to know of predictions for this board and a clock."""
        told = []
        if self.lut_inputs != PREDICTED_INPUTS:
            told.append(
                f"LUT are predicted as LUT with {PREDICTED_INPUTS} inputs; the {self.device_lut:,} "
                f"LUT with {self.lut_inputs} inputs of {self.name} are counted as "
                f"{self.holds.lut:,.0f} of them"
            )
        if not self.clock.allows(clock_mhz):
            lowest, highest = self.clock.lowest_mhz, self.clock.highest_mhz
            span = f"{lowest:g}" if self.clock.fixed else f"{lowest:g} to {highest:g}"
            told.append(f"{self.name} has no clock of {clock_mhz:g} MHz: it can give {span} MHz")
        return told

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
