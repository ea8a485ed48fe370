# SPDX-License-Identifier: BSD-3-Clause
"""Synthesise a build: the whole design, and each stage out of its context, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bonn_hw import tools
from bonn_hw.errors import UserError
from bonn_hw.synth.netlist import Use
from bonn_hw.synth.yosys import Job, synthesise, version

__all__ = ["family", "synthesise_all", "synthesise_stage", "version"]


def family(part: str) -> str:
    """Yosys' name of a device's family, from the vendor's name of the device.

    Raises UserError for another vendor's: their cells are not counted.
    """
    if not part.startswith("xc"):
        raise UserError(
            f"synth: {part} is no device of AMD's, and cells of others are not counted: 'bonn-hw "
            "bitstream' synthesises for it and reports what it takes"
        )
    return "xc7" if part.startswith("xc7") else "xcup"


def synthesise_all(
    folder: Path, part: str, stages: Sequence[str], jobs: int
) -> tuple[Use, dict[str, Use]]:
    """Synthesise the design in a folder and its stages; at most two processes.

    Raises
    ------
    ToolMissing
        If Yosys is not installed.
    """
    version()  # missing is told before anything is started
    kind = family(part)
    with tools.threads(min(2, jobs)) as pool:
        whole = pool.submit(synthesise, Job(folder, kind))
        apart = pool.submit(synthesise, Job(folder, kind, tuple(stages)))
        return whole.result()["top"], {name: apart.result()[name] for name in stages}


def synthesise_stage(folder: Path, part: str, stage: str) -> Use:
    """Synthesise one stage out of its context."""
    return synthesise(Job(folder, family(part), (stage,)))[stage]
