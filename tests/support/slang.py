# SPDX-License-Identifier: BSD-3-Clause
"""slang, the strictest reader of SystemVerilog, as a lint: elaborates a module and its drivers.

Verilator and Yosys take names before they are declared and variables with two kinds of drivers;
slang refuses both, as other simulators and synthesisers do. All that it says by default, warnings
too, counts here.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from pyslang import Bag, DiagnosticEngine, SourceManager, TextDiagnosticClient
from pyslang.analysis import AnalysisManager
from pyslang.ast import Compilation, CompilationOptions
from pyslang.syntax import SyntaxTree

_MANAGER = SourceManager()


def lint(
    top: str, files: Iterable[str | Path], parameters: Mapping[str, object] | None = None
) -> str:
    """What slang has to say of a module with these parameters; the empty string if nothing."""
    options = CompilationOptions()
    options.topModules = {top}
    options.paramOverrides = [f"{name}={value}" for name, value in (parameters or {}).items()]
    compilation = Compilation(Bag([options]))
    for file in files:
        compilation.addSyntaxTree(_parsed(str(file)))
    engine, client = DiagnosticEngine(_MANAGER), TextDiagnosticClient()
    engine.addClient(client)
    engine.setWarningOptions(["default"])
    analysis = AnalysisManager()
    elaborated = compilation.getAllDiagnostics()
    analysis.analyze(compilation)  # who drives what; wants an elaborated compilation
    for found in (*elaborated, *analysis.getDiagnostics()):
        engine.issue(found)
    return client.getString()


@cache
def _parsed(file: str) -> SyntaxTree:
    """A file is read and parsed once, however many modules are elaborated from it."""
    return SyntaxTree.fromFile(file, _MANAGER)
