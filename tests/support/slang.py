# SPDX-License-Identifier: BSD-3-Clause
"""slang, the strictest reader of SystemVerilog, as a lint: elaborates a module and its drivers.

Verilator and Yosys take names before they are declared and variables with two kinds of drivers;
slang refuses both, as other simulators and synthesisers do. All that it says by default, warnings
too, counts here.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pyslang import Bag, DiagnosticEngine, SourceManager, TextDiagnosticClient
from pyslang.analysis import AnalysisManager
from pyslang.ast import Compilation, CompilationOptions
from pyslang.syntax import SyntaxTree


def lint(
    top: str,
    files: Iterable[str | Path],
    parameters: Mapping[str, object] | None = None,
    waived: Iterable[str] = (),
) -> str:
    """What slang has to say of a module with these parameters; the empty string if nothing.

    Parameters
    ----------
    waived : str
        Names of warnings, as slang prints them.
    """
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
