# SPDX-License-Identifier: BSD-3-Clause
"""Event simulators as users start them: Verilator with --binary, and Icarus Verilog."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ICARUS = (12, 0)  # the oldest that reads the RTL


@dataclass(frozen=True)
class Compiled:
    """A compiled test bench."""

    command: list[str]

    def run(self, folder: Path, *options: str) -> tuple[bool, str]:
        """Whether it ended well, and what it printed."""
        done = subprocess.run(
            [*self.command, *options], cwd=folder, capture_output=True, text=True, timeout=120
        )
        return done.returncode == 0, done.stdout + done.stderr


def installed() -> list[str]:
    """Names of those that are here: Debian's Verilator always, as other tests need it too."""
    found = shutil.which("iverilog")
    if found is None:
        return ["verilator"]
    text = subprocess.run([found, "-V"], capture_output=True, text=True).stdout
    version = re.search(r"version (\d+)\.(\d+)", text)
    new = version is not None and (int(version[1]), int(version[2])) >= ICARUS
    return ["verilator", "icarus"] if new else ["verilator"]


def compiled(name: str, top: str, rtl: Path, work: Path, verilator: str) -> Compiled:
    """Compile ``<top>_tb`` from its file lists; the bench looks for files in ``rtl``.

    Parameters
    ----------
    verilator : str
        The program; the one from PyPI has no make files for --binary.
    """
    bench, lists = f"{top}_tb", ["-f", f"{top}.f", "-f", f"{top}_tb.f"]
    place = f'FOLDER="{rtl}"'
    if name == "verilator":
        optimise = " ".join(f"OPT_{part}=-O0" for part in ("FAST", "SLOW", "GLOBAL"))
        command = [verilator, "--binary", "--timing", "--top-module", bench, f"-G{place}"]
        command += ["--Mdir", str(work), "-MAKEFLAGS", optimise, *lists]
        result = Compiled([str(work / f"V{bench}")])
    else:
        made = str(work / bench)
        command = ["iverilog", "-g2012", "-s", bench, f"-P{bench}.{place}", "-o", made, *lists]
        result = Compiled(["vvp", "-n", made])
    done = subprocess.run(command, cwd=rtl, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return result
