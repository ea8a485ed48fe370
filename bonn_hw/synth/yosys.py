# SPDX-License-Identifier: BSD-3-Clause
"""Yosys, from its Python package: synthesise RTL into a netlist of primitives."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from bonn_hw import cache, extras, files, tools
from bonn_hw.errors import ToolMissing
from bonn_hw.ir.rtl import module_name
from bonn_hw.synth.netlist import Use, read
from bonn_hw.synth.paths import LongestPath

PACKAGE = "pyosys"
SOURCES = ("*.sv", "cells/*.sv", "mem/*.hex")  # besides the top
COUNTS = ("cells.py", "netlist.py", "paths.py")  # what counts the cells of a netlist
USES = "uses.json"  # file in a cache entry
# Share of a clock period that ABC9 may fill with LUT and short wires; the rest is for routing.
LOGIC = 0.6
# -noiopad, -noclkbuf: the module will be part of a larger design.
SYNTHESIS = "synth_xilinx -family {family} -flatten -noiopad -noclkbuf -abc9"


@dataclass(frozen=True)
class Job:
    """A project to synthesise, as a whole or each stage out of context.

    Attributes
    ----------
    folder : Path
        Folder of the top module, the templates and the memory images.
    family : str
        ``xc7`` (7 series) or ``xcup`` (UltraScale+).
    stages : tuple of str
        Instances of the top that are synthesised separately; empty: flatten the whole design.
    top : str
        Name of the top module and its file.
    clock_mhz : float or None
        Clock to map for: paths that are short enough for it are mapped for area. None: all paths
        are mapped for delay, which takes about 5 % more LUT.
    """

    folder: Path
    family: str
    stages: tuple[str, ...] = ()
    top: str = "top"
    clock_mhz: float | None = None

    @property
    def script(self) -> list[str]:
        """Yosys' commands."""
        found = sorted(f"cells/{path.name}" for path in self.folder.glob("cells/*.sv"))
        modules = sorted(path.stem for path in self.folder.glob("*.sv"))
        # Deferred: modules with file parameters can only be elaborated with their values.
        lines = [
            f"read_verilog -sv -defer {' '.join([*found, *(f'{name}.sv' for name in modules)])}",
            f"read_verilog {self.top}.v",
            f"hierarchy -top {self.top}",
            *([f"rename {self.top} top"] if self.top != "top" else []),
        ]
        if self.stages:
            apart = [module_name(stem) for stem in modules]
            lines += [
                f"delete top/t:* {' '.join(f'top/{name} %d' for name in self.stages)}",
                "setattr -set keep 1 top/t:*",  # even if their outputs are unused
                "hierarchy -top top",
                f"setattr -mod -set keep_hierarchy 1 {' '.join(f'*{name}' for name in apart)}",
            ]
        if self.clock_mhz is not None:
            lines.append(f"scratchpad -set abc9.D {round(LOGIC * 1e6 / self.clock_mhz)}")
        return [*lines, SYNTHESIS.format(family=self.family)]

    @property
    def key(self) -> str:
        """Cache key: digest of the commands, the sources, Yosys' version and what counts cells.

        The name of the top does not count, so that a design has one entry under all names.
        """
        script = replace(self, top="top").script
        digest = hashlib.sha256("\n".join([version(), *script]).encode())
        for name in COUNTS:
            digest.update(Path(__file__).with_name(name).read_bytes())
        text = (self.folder / f"{self.top}.v").read_text()
        digest.update(re.sub(rf"^module {self.top}\b", "module top", text, flags=re.M).encode())
        for path in sorted(path for kind in SOURCES for path in self.folder.glob(kind)):
            digest.update(str(path.relative_to(self.folder)).encode() + path.read_bytes())
        return digest.hexdigest()[:32]


def version() -> str:
    """Version of Yosys; raises ToolMissing."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise ToolMissing(extras.missing("synth", PACKAGE)) from error


def synthesise(job: Job) -> dict[str, Use]:
    """Synthesise and count the resources, or get the result from the cache.

    Returns
    -------
    uses : dict
        ``top``: the whole design, or the rest of it without the stages; and each stage by name.

    Raises
    ------
    ToolMissing
        If Yosys is not installed.
    RuntimeError
        If Yosys fails, which is a bug; with the end of its log.
    """
    known = cached(job.key)
    if known is not None:
        return known
    uses = synthesise_anew(job)
    store(job.key, uses)
    return uses


def synthesise_anew(job: Job) -> dict[str, Use]:
    """The same without the cache."""
    with files.scratch() as scratch:
        written = scratch / "netlist.json"
        run_script([*job.script, f"write_json {written}"], job.folder, scratch / "log")
        return read(written)


def run_script(commands: Sequence[str], folder: Path, log: Path) -> None:
    """Run Yosys' commands in a folder; raises RuntimeError with the end of the log if it fails.

    UserError if something outside stopped it.
    """
    script = log.with_suffix(".ys")
    script.write_text("\n".join(commands))
    done = tools.run(
        [sys.executable, "-m", "bonn_hw.synth.worker", script.resolve()],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        log=log,
    )
    if done.code:
        raise replace(done, program="Yosys").error(f"Yosys failed in {folder}:\n{done.last}")


def cached(key: str) -> dict[str, Use] | None:
    """The result in the cache for a key; None without one."""
    place = cache.find("synth", key)
    if place is None:
        return None
    known = json.loads((place / USES).read_text())
    return {name: _use(tree) for name, tree in known.items()}


def _use(tree: dict[str, Any]) -> Use:
    path = tree["longest"]
    return Use(**tree | {"longest": path and LongestPath(**path)})


def store(key: str, uses: dict[str, Use]) -> None:
    """Store a result in the cache."""
    text = json.dumps({name: asdict(use) for name, use in uses.items()})

    def make(folder: Path) -> None:
        (folder / USES).write_text(text)

    cache.entry("synth", key, make)
