# SPDX-License-Identifier: BSD-3-Clause
"""Yosys, from its Python package: a module and its parameters become a netlist of primitives."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from bonn_hw import extras
from bonn_hw.errors import ToolMissing
from bonn_hw.ir.rtl import module_name
from bonn_hw.synth import netlist
from bonn_hw.synth.netlist import Use, read
from bonn_hw.timing.native import cache_folder

PACKAGE = "pyosys"
# -noiopad, -noclkbuf: the module will stand inside of a larger design.
SYNTHESIS = "synth_xilinx -family {family} -flatten -noiopad -noclkbuf -abc9"


@dataclass(frozen=True)
class Job:
    """A project that is synthesised, as a whole or each stage out of its context.

    Attributes
    ----------
    folder : Path
        Where ``top.v``, the templates and the memory images lie.
    family : str
        ``xc7`` (7 series) or ``xcup`` (UltraScale+).
    stages : tuple of str
        Instances of the top that are kept apart; none: all are flattened into one.
    """

    folder: Path
    family: str
    stages: tuple[str, ...] = ()

    @property
    def script(self) -> list[str]:
        """Yosys' commands."""
        cells = sorted(f"cells/{path.name}" for path in self.folder.glob("cells/*.sv"))
        modules = sorted(path.stem for path in self.folder.glob("*.sv"))
        # Deferred: modules with file parameters make sense with their values only.
        lines = [
            f"read_verilog -sv -defer {' '.join([*cells, *(f'{name}.sv' for name in modules)])}",
            "read_verilog top.v",
            "hierarchy -top top",
        ]
        if self.stages:
            apart = [module_name(stem) for stem in modules]
            lines += [
                f"delete top/t:* {' '.join(f'top/{name} %d' for name in self.stages)}",
                "setattr -set keep 1 top/t:*",  # whatever their outputs lead to
                "hierarchy -top top",
                f"setattr -mod -set keep_hierarchy 1 {' '.join(f'*{name}' for name in apart)}",
            ]
        return [*lines, SYNTHESIS.format(family=self.family)]

    @property
    def key(self) -> str:
        """Changes with the commands, any file that they may read, Yosys and how we count."""
        digest = hashlib.sha256("\n".join([version(), *self.script]).encode())
        digest.update(Path(netlist.__file__).read_bytes())
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                digest.update(str(path.relative_to(self.folder)).encode() + path.read_bytes())
        return digest.hexdigest()[:32]


def version() -> str:
    """Version of Yosys; raises ToolMissing."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise ToolMissing(extras.missing("synth", PACKAGE)) from error


def synthesise(job: Job) -> dict[str, Use]:
    """Synthesise and count, unless the same was done before.

    Returns
    -------
    uses : dict
        ``top``: all, or what is left of it beside the stages; and each stage.

    Raises
    ------
    ToolMissing
        If Yosys is not installed.
    RuntimeError
        If Yosys fails: a bug of ours, with the end of its log.
    """
    known = kept(job.key)
    if known is not None:
        return known
    with tempfile.TemporaryDirectory(prefix="bonn_hw-") as scratch:
        written = Path(scratch) / "netlist.json"
        run_script([*job.script, f"write_json {written}"], job.folder, Path(scratch) / "log")
        uses = read(written)
    keep(job.key, uses)
    return uses


def run_script(commands: Sequence[str], folder: Path, log: Path) -> None:
    """Run Yosys' commands in a folder; raises RuntimeError with the end of the log if it fails."""
    script = log.with_suffix(".ys")
    script.write_text("\n".join(commands))
    with log.open("w") as stream:
        done = subprocess.run(
            [sys.executable, "-m", "bonn_hw.synth.worker", str(script.resolve())],
            cwd=folder,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
    if done.returncode:
        tail = "\n".join(log.read_text().splitlines()[-15:])
        raise RuntimeError(f"Yosys failed in {folder}:\n{tail}")


def _place(key: str) -> Path:
    return cache_folder() / "synth" / f"{key}.json"


def kept(key: str) -> dict[str, Use] | None:
    """What was kept under a key."""
    place = _place(key)
    if not place.is_file():
        return None
    return {name: Use(**use) for name, use in json.loads(place.read_text()).items()}


def keep(key: str, uses: dict[str, Use]) -> None:
    """Keep what was counted."""
    place = _place(key)
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f".{place.name}.{os.getpid()}.{threading.get_ident()}")
    fresh.write_text(json.dumps({name: asdict(use) for name, use in uses.items()}))
    fresh.replace(place)
