# SPDX-License-Identifier: BSD-3-Clause
"""Imports go downwards only, and heavy packages stay where they belong."""

import ast
from pathlib import Path

import bonn_hw

ROOT = Path(bonn_hw.__file__).parent
# A package may import those of its own rank and below; nn stands beside the frontend.
RANK = {
    "driver": 0,  # it is copied to the board: nothing of ours is there
    "ir": 0,
    "kernels": 1,
    "interop": 2,
    "timing": 2,
    "frontend": 3,
    "nn": 3,
    "passes": 3,
    "emit": 4,
    "boards": 4,
    "sim": 5,
    "synth": 5,
    "board_sim": 6,
    "plan": 5,
    "build": 6,
    "pictures": 6,
    "report": 6,
    "tables": 7,
    "pipeline": 7,
    "witness": 7,
    "sweep": 8,
    "commands": 9,
    "cli": 10,
}
FREE = {"errors", "artifacts", "style"}
ONLY_IN = {
    "torch": "nn",
    "brevitas": "nn",
    "lightning": "nn",
    "sklearn": "nn",
    "matplotlib": ("nn", "pictures"),
    "PIL": "nn",
    "pyosys": "synth",
    "onnx": ("frontend", "interop", "nn"),  # nn.export writes the file
    "qonnx": ("frontend", "interop", "nn"),
    "finn": "interop",
}


def imports(path):
    """Every imported module of a file, and whether the import runs when the file is loaded."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_imports_go_downwards():
    for path in ROOT.rglob("*.py"):
        here = package(path)
        for module in imports(path):
            parts = module.split(".")
            if parts[0] != "bonn_hw" or len(parts) < 2 or parts[1] == here:
                continue
            there = parts[1]
            if here in FREE or here == "__init__":
                assert there in FREE, (path, module)
            elif there in RANK:
                above = RANK[there] >= RANK[here]
                lazily = (here, there) in {("pipeline", "nn"), ("cli", "nn")}
                assert not above or lazily, (path, module)


def test_heavy_packages_stay_where_they_belong():
    for path in ROOT.rglob("*.py"):
        for module in imports(path):
            homes = ONLY_IN.get(module.split(".")[0], package(path))
            assert package(path) in (homes if isinstance(homes, tuple) else (homes,)), (
                path,
                module,
            )
