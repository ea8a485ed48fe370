# SPDX-License-Identifier: BSD-3-Clause
"""The target of a design: a board, a clock and an objective."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bonn_hw.ir.resources import Resources

PREFERENCES = ("lut", "bram", "dsp")  # resources that a design can save
PREDICTED_INPUTS = 6  # inputs of the LUT in which kernels predict their resources


@dataclass(frozen=True)
class Clock:
    """The clock of a board's programmable logic.

    Attributes
    ----------
    default_mhz : float
        Used if the user asks for none.
    lowest_mhz, highest_mhz : float
        The range that the board and its flow can provide; equal if the clock is fixed.
    source : str
        ``processing-system`` (divided from a PLL), ``oscillator`` (fixed) or ``platform`` (that of
        the user's own design).
    """

    default_mhz: float
    lowest_mhz: float
    highest_mhz: float
    source: str

    @property
    def fixed(self) -> bool:
        """Whether the board has only one clock frequency."""
        return self.lowest_mhz == self.highest_mhz

    def allows(self, clock_mhz: float) -> bool:
        """Whether the board can provide this clock."""
        return self.lowest_mhz <= clock_mhz <= self.highest_mhz


@dataclass(frozen=True)
class OpenTools:
    """Names of a board's device in the open tools, and the board's files for them.

    Attributes
    ----------
    device : str
        7 series: name of the chip database and of prjxray's folder. ECP5, iCE40: nextpnr's option.
        Gowin: name of the chip database.
    package, speed : str
        Package (ECP5, iCE40) and speed grade (ECP5).
    top : str
        Of boards with a serial line: the module that holds ``serial_system``.
    files : tuple of Path
        Of boards with a serial line: that module (.v) and the pins (.xdc, .lpf, .pcf or .cst).
    """

    device: str
    package: str = ""
    speed: str = ""
    top: str = ""
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Board:
    """A board, as described in its file in ``boards`` or in a file of the user.

    Attributes
    ----------
    part : str
        The vendor's name of the device.
    family : str
        ``zynq-7000``, ``zynq-ultrascale-plus``, ``virtex-ultrascale-plus``, ``artix-7``, ``ecp5``,
        ``ice40`` or ``gowin``.
    holds : Resources
        Available resources, in the units of the predictions: LUT with six inputs.
    device_lut, lut_inputs : int
        Number of LUT of the device, and how many inputs each has.
    shell : str
        ``axi`` (registers and memory of a processing system), ``serial`` (a serial line) or
        ``none``: the accelerator is placed into a design of the user's own.
    tools : tuple of str
        Tools that can make its bitstreams: ``vivado``, ``open``; the default first. Empty without
        a shell.
    processing_system : tuple
        Its settings, names and values as in Vivado's scripts; empty if there is none.
    baud : int or None
        Bits per second of the serial line.
    file : Path
        The board file that was read.
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
        """Clock that is used if the user asks for none."""
        return self.clock.default_mhz

    def notes(self, clock_mhz: float) -> list[str]:
        """Remarks on predictions for this board at this clock."""
        notes = []
        if self.lut_inputs != PREDICTED_INPUTS:
            notes.append(
                f"LUT are predicted as LUT with {PREDICTED_INPUTS} inputs; the {self.device_lut:,} "
                f"LUT with {self.lut_inputs} inputs of {self.name} are counted as "
                f"{self.holds.lut:,.0f} of them"
            )
        if not self.clock.allows(clock_mhz):
            lowest, highest = self.clock.lowest_mhz, self.clock.highest_mhz
            span = f"{lowest:g}" if self.clock.fixed else f"{lowest:g} to {highest:g}"
            notes.append(f"{self.name} has no clock of {clock_mhz:g} MHz: it can give {span} MHz")
        return notes

    def lacks(self, used: Resources) -> list[tuple[str, float, float]]:
        """Resources that a design exceeds: name, used, available."""
        names = ("LUT", "FF", "BRAM36", "DSP")
        rows = zip(names, used.astuple(), self.holds.astuple(), strict=True)
        return [(name, need, have) for name, need, have in rows if need > have]

    @property
    def dsp48(self) -> bool:
        """Whether the usual tool of the board knows DSP48 slices; the open tools do not."""
        return self.tools[:1] != ("open",)

    @property
    def lut_per_bram36(self) -> float:
        """How many LUT count as much as one RAMB36 when costs are compared."""
        return self.holds.lut / self.holds.bram36


@dataclass(frozen=True)
class Target:
    """Board, clock and objective of a design.

    Attributes
    ----------
    fps : float or None
        Frames per second to reach with the fewest resources.
    fastest : bool
        Reach the highest frame rate that fits instead. With neither, the user's fixed foldings set
        the rate.
    latency_ms : float or None
        Maximum latency in milliseconds, from a frame's first input beat to its first output beat.
    lut_fraction : float
        Fraction of the board's LUT that the fastest design may use; the rest eases routing.
    prefer : str
        The resource to save: ``lut``, ``bram`` or ``dsp``. The others are used while there are any.
    dsp : bool
        Whether DSP slices may be used, if the board's usual tool knows them.
    """

    board: Board
    clock_mhz: float
    fps: float | None = None
    fastest: bool = False
    latency_ms: float | None = None
    lut_fraction: float = 0.7
    prefer: str = "lut"
    dsp: bool = True

    @property
    def cycles(self) -> int | None:
        """Most cycles per frame that reach ``fps``."""
        return None if self.fps is None else int(self.clock_mhz * 1e6 / self.fps)

    @property
    def budget(self) -> Resources:
        """Resources that the fastest design may use."""
        holds = self.board.holds
        return Resources(holds.lut * self.lut_fraction, holds.ff, holds.bram36, holds.dsp)

    def rate(self, cycles: int) -> float:
        """Frames per second at a number of cycles per frame."""
        return self.clock_mhz * 1e6 / cycles
