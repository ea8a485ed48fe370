# SPDX-License-Identifier: BSD-3-Clause
"""Find the programs and data files of the open flow for the 7 series."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from bonn_hw import cache, tools
from bonn_hw.bitstream.open.xray import Database
from bonn_hw.errors import ToolMissing, UserError

ROUTER, PACKER, READER = "nextpnr-himbaechel-xilinx", "xc7frames2bit", "bitread"
OLDEST = (0, 9)  # supported nextpnr
# Prjxray's folder of a family, by the first letters of its parts.
DATABASES = {"xc7z": "zynq7", "xc7a": "artix7"}
REMEDY = "run 'bonn-hw setup open-toolchain' (Debian or Ubuntu, no root), or put them on PATH"


@dataclass(frozen=True)
class Toolchain:
    """The programs and their data files; ``version`` is the router's."""

    router: Path
    packer: Path
    reader: Path
    chip: Path
    database: Database
    version: str


def folder() -> Path:
    """The folder into which ``bonn-hw setup open-toolchain`` fetches it."""
    return cache.folder() / "open-toolchain"


def find(device: str, part: str) -> Toolchain:
    """Find everything for a part.

    Programs are searched on PATH and in the folder of ``bonn-hw setup open-toolchain``. Prjxray's
    database is searched in ``$PRJXRAY_DB_DIR`` and in the ``share`` folders of the programs.

    Raises
    ------
    ToolMissing
        If something is missing; the message lists all that is.
    UserError
        If the router is too old, or does not print its version.
    """
    own = folder()
    programs = {name: _program(name, own / "bin") for name in (ROUTER, PACKER, READER)}
    roots = {own / "usr", Path("/usr"), Path("/usr/local")}
    beside = {path.resolve().parents[1] for path in programs.values() if path}
    # `bonn-hw setup --out` has its programs in bin, and what Debian has in /usr in usr.
    roots |= beside | {root / "usr" for root in beside}
    shares = [root / "share" for root in sorted(roots)]
    chip = _first([share / f"nextpnr/himbaechel/xilinx/chipdb-{device}.bin" for share in shares])
    family = DATABASES[part[:4]]
    places = [Path(os.environ.get("PRJXRAY_DB_DIR", "/nonexistent")) / family]
    places += [share / "prjxray" / "database" / family for share in shares]
    database = _first([place / device / "tilegrid.json" for place in places])
    missing = [name for name, path in programs.items() if path is None]
    missing += [] if chip else [f"chipdb-{device}.bin"]
    missing += [] if database else ["prjxray's database"]
    if missing or chip is None or database is None:
        raise ToolMissing(f"the open flow lacks {', '.join(missing)}: {REMEDY}")
    router, packer, reader = (path for path in programs.values() if path)
    number = version(router)
    return Toolchain(
        router, packer, reader, chip, Database(database.parents[1], device, part), number
    )


def version(router: Path) -> str:
    """The router's version; raises UserError if it is too old."""
    output = tools.run([router, "--version"]).output.strip()
    match = re.search(r"Version (?:nextpnr-)?(\d+)\.(\d+)", output)
    if match is None:
        raise UserError(f"{router} --version says {output[:80]!r} and no version: {REMEDY}")
    if (int(match[1]), int(match[2])) < OLDEST:
        raise UserError(
            f"{ROUTER} is version {match[1]}.{match[2]}: the flow needs {OLDEST[0]}.{OLDEST[1]} or "
            f"newer; {REMEDY}"
        )
    return f"{match[1]}.{match[2]}"


def _program(name: str, folder: Path) -> Path | None:
    path = shutil.which(name) or shutil.which(name, path=str(folder))
    return Path(path) if path else None


def _first(paths: list[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)
