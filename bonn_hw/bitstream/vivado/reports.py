# SPDX-License-Identifier: BSD-3-Clause
"""Read Vivado's reports: utilisation (UG906, report_utilization) and timing summary."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bonn_hw.ir.resources import Resources

# Rows of report_utilization by family: Slice for 7 series, CLB for UltraScale+. A star marks a
# count from before placement.
ROWS = {
    "lut": ("Slice LUTs", "CLB LUTs"),
    "ff": ("Slice Registers", "CLB Registers"),
    "bram36": ("Block RAM Tile",),
    "dsp": ("DSPs",),
}
# Recovery and removal are the setup and hold checks of an asynchronous reset.
KINDS = {"Setup": "setup", "Recovery": "setup", "Hold": "hold", "Removal": "hold"}


@dataclass(frozen=True)
class TimingPath:
    """A timing path, in nanoseconds.

    Attributes
    ----------
    kind : str
        ``setup`` or ``hold``.
    levels : int
        Vivado's "Logic Levels": cells between the two registers.
    logic : float
        Share of the delay that is in cells, not in wires.
    """

    kind: str
    slack_ns: float
    source: str
    destination: str
    requirement_ns: float
    delay_ns: float
    logic: float
    levels: int

    def __str__(self) -> str:
        return (
            f"{self.source} -> {self.destination} ({self.delay_ns:.3f} ns of "
            f"{self.requirement_ns:.3f} ns, {self.levels} logic levels, {self.logic:.0%} in logic)"
        )


@dataclass(frozen=True)
class Timing:
    """A timing summary: worst slacks (setup, hold, pulse width) in nanoseconds, worst paths first.

    Attributes
    ----------
    clock_mhz : float
        The fastest clock of the design, as it was analysed.
    """

    wns_ns: float
    whs_ns: float
    wpws_ns: float
    failing: int
    clock_mhz: float
    paths: tuple[TimingPath, ...]

    @property
    def met(self) -> bool:
        """Whether all timing constraints are met."""
        return min(self.wns_ns, self.whs_ns, self.wpws_ns) >= 0

    @property
    def reached_mhz(self) -> float:
        """The highest clock at which this placement meets its setup times."""
        return 1000 / (1000 / self.clock_mhz - self.wns_ns)


class ReportFault(ValueError):
    """A report has an unknown format; the message names the file and what is missing."""


# The header of every report; those of UltraScale+ pad the names with spaces.
_VERSION = re.compile(r"^\| Tool Version\s*: Vivado v\.(\d{4}\.\d)", re.MULTILINE)
_DEVICE = re.compile(r"^\| Device\s*: (\S+)", re.MULTILINE)


def made_by(file: Path) -> tuple[str, str]:
    """Version of Vivado and device of a report, by its header; raises ReportFault without one."""
    text = file.read_text()
    version, device = _VERSION.search(text), _DEVICE.search(text)
    if version is None or device is None:
        raise ReportFault(f"{file.name}: no header with 'Tool Version' and 'Device'")
    return version[1], device[1]


def read_utilisation(file: Path) -> Resources:
    """Read ``report_utilization``; raises ReportFault if a row is not there."""
    rows: dict[str, list[str]] = {}
    for line in file.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) > 1:
            rows.setdefault(cells[0].rstrip("*"), cells)
    header = rows.get("Site Type")
    if header is None or "Used" not in header:
        raise ReportFault(f"{file.name}: no table with the columns 'Site Type' and 'Used'")
    used = header.index("Used")
    return Resources(**{key: _used(file, rows, names, used) for key, names in ROWS.items()})


def _used(file: Path, rows: dict[str, list[str]], names: tuple[str, ...], column: int) -> float:
    for name in names:
        if name in rows:
            return float(rows[name][column])
    raise ReportFault(f"{file.name}: no row {' or '.join(repr(name) for name in names)}")


def read_timing(file: Path) -> Timing:
    """Read ``report_timing_summary``; raises ReportFault if its tables are not there."""
    text = file.read_text()
    summary = _summary(file, text)
    clocks = [float(mhz) for mhz in re.findall(_CLOCK, _section(text, "Clock Summary"))]
    if not clocks:
        raise ReportFault(f"{file.name}: no clock in the section 'Clock Summary'")
    paths = sorted(_paths(text), key=lambda path: path.slack_ns)
    return Timing(
        wns_ns=summary["WNS(ns)"],
        whs_ns=summary["WHS(ns)"],
        wpws_ns=summary["WPWS(ns)"],
        failing=int(summary["TNS Failing Endpoints"] + summary["THS Failing Endpoints"]),
        clock_mhz=max(clocks),
        paths=tuple(paths),
    )


# Clock  Waveform(ns)  Period(ns)  Frequency(MHz)
_CLOCK = r"(?m)^\s*\S+\s+\{[^}]*\}\s+[\d.]+\s+([\d.]+)\s*$"


def _section(text: str, title: str) -> str:
    """The text between a boxed title and the next one."""
    match = re.search(rf"\| {re.escape(title)}\n\| -+\n-+\n(.*?)(?=\n-+\n\| |\Z)", text, re.DOTALL)
    return match[1] if match else ""


def _summary(file: Path, text: str) -> dict[str, float]:
    lines = [line for line in _section(text, "Design Timing Summary").splitlines() if line.strip()]
    if len(lines) < 3:
        raise ReportFault(f"{file.name}: no section 'Design Timing Summary'")
    names = re.split(r"\s{2,}", lines[0].strip())
    figures = lines[2].split()
    if len(names) != len(figures) or "NA" in figures:
        raise ReportFault(
            f"{file.name}: the timing summary has no figures: the design's clock is not constrained"
        )
    return {name: float(figure) for name, figure in zip(names, figures, strict=True)}


_PATH = re.compile(
    r"^Slack \((?:VIOLATED|MET)\) :\s+(?P<slack>-?[\d.]+)ns.*?"
    r"^\s+Source:\s+(?P<source>\S+).*?"
    r"^\s+Destination:\s+(?P<destination>\S+).*?"
    r"^\s+Path Type:\s+(?P<kind>\w+).*?"
    r"^\s+Requirement:\s+(?P<requirement>-?[\d.]+)ns.*?"
    r"^\s+Data Path Delay:\s+(?P<delay>[\d.]+)ns\s+\(logic [\d.]+ns \((?P<logic>[\d.]+)%\).*?"
    r"^\s+Logic Levels:\s+(?P<levels>\d+)",
    re.DOTALL | re.MULTILINE,
)


def _paths(text: str) -> list[TimingPath]:
    paths = []
    for part in re.split(r"(?m)^(?=Slack \()", text)[1:]:
        match = _PATH.match(part)
        if match and match["kind"] in KINDS:
            paths.append(
                TimingPath(
                    kind=KINDS[match["kind"]],
                    slack_ns=float(match["slack"]),
                    source=match["source"],
                    destination=match["destination"],
                    requirement_ns=float(match["requirement"]),
                    delay_ns=float(match["delay"]),
                    logic=float(match["logic"]) / 100,
                    levels=int(match["levels"]),
                )
            )
    return paths
