# SPDX-License-Identifier: BSD-3-Clause
"""Synthesise a build: the whole design, and in parallel each stage out of context."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bonn_hw import tools
from bonn_hw.errors import UserError
from bonn_hw.synth.netlist import Use
from bonn_hw.synth.yosys import Job, synthesise, version

__all__ = ["family", "synthesise_all", "synthesise_stage", "version"]


def family(part: str) -> str:
    """Yosys' name of the device family of a part.

    Raises UserError for devices of another vendor than AMD: their cells are not counted.
    """
    if not part.startswith("xc"):
        raise UserError(
            f"synth: {part} is not an AMD device, and only cells of these are counted: 'bonn-hw "
            "bitstream' synthesises for it and reports its resources"
        )
    return "xc7" if part.startswith("xc7") else "xcup"


def synthesise_all(
    folder: Path,
    part: str,
    stages: Sequence[str],
    jobs: int,
    top: str = "top",
    clock_mhz: float | None = None,
) -> tuple[Use, dict[str, Use]]:
    """Synthesise the design in a folder and its stages; in at most two processes.

    Parameters
    ----------
    top : str
        Name of the top module and its file.
    clock_mhz : float or None
        The clock to map for (`Job`).

    Raises
    ------
    ToolMissing
        If Yosys is not installed.
    """
    version()  # raises ToolMissing before anything is started
    kind = family(part)
    with tools.threads(min(2, jobs)) as pool:
        whole = pool.submit(synthesise, Job(folder, kind, top=top, clock_mhz=clock_mhz))
        apart = pool.submit(synthesise, Job(folder, kind, tuple(stages), top, clock_mhz))
        return whole.result()["top"], {name: apart.result()[name] for name in stages}


def synthesise_stage(
    folder: Path, part: str, stage: str, top: str = "top", clock_mhz: float | None = None
) -> Use:
    """Synthesise one stage out of context."""
    return synthesise(Job(folder, family(part), (stage,), top, clock_mhz))[stage]
