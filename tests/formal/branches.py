# SPDX-License-Identifier: BSD-3-Clause
"""Which generate blocks of the RTL the proved points have, as slang elaborates them."""

from pathlib import Path

from pyslang import Bag, SourceManager
from pyslang.ast import Compilation, CompilationOptions, Symbol, SymbolKind
from pyslang.syntax import SyntaxTree

from bonn_hw.emit.write import templates_folder
from bonn_hw.ir.rtl import Instance

Branch = tuple[str, str]  # file and name

# No point has them, for a reason.
ABSENT: dict[Branch, str] = {
    ("cells/counter.sv", "gen_high"): "more than 64 states: as many frames are too long for PDR",
    **{
        ("multi_threshold.sv", f"gen_{step}"): "the text of gen_0 with another file of levels"
        for step in range(3, 8)
    },
}


def branches(instance: Instance) -> tuple[set[Branch], set[Branch]]:
    """Named generate blocks of an instance's files: those that it has, and all.

    What only says that a parameter is illegal is left out.
    """
    top = instance.module
    options = CompilationOptions()
    options.topModules = tops = {top}
    options.paramOverrides = [f"{name}={value}" for name, value in instance.parameters.items()]
    compilation, manager = Compilation(Bag([options])), SourceManager()
    for name in instance.templates:
        compilation.addSyntaxTree(SyntaxTree.fromFile(str(templates_folder() / name), manager))
    root = compilation.getRoot()
    assert [one.name for one in root.topInstances] == list(tops)
    taken: set[Branch] = set()
    found: set[Branch] = set()

    def visit(symbol: Symbol) -> None:
        if symbol.kind == SymbolKind.GenerateBlock and symbol.name.startswith("gen_"):
            file = Path(manager.getFileName(symbol.location)).resolve()
            branch = str(file.relative_to(templates_folder().resolve())), symbol.name
            if "gen_illegal" not in symbol.name:
                found.add(branch)
                if not symbol.isUninstantiated:
                    taken.add(branch)

    root.visit(visit)
    return taken, found
