# SPDX-License-Identifier: BSD-3-Clause
"""Imports go downwards only, in no circle, and heavy packages stay where they belong.

Imports under TYPE_CHECKING and inside functions count like any other.
"""

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import bonn_hw

ROOT = Path(bonn_hw.__file__).parent

# From the bottom up. A package imports only from the lines above its own.
ORDER = (
    ("version",),  # read by the build, before there is a package
    ("errors", "progress", "driver"),  # the driver is copied to the board: nothing of ours is there
    ("files", "ir", "extras", "console", "marked_page"),
    ("cache", "manifest", "tools"),
    ("boards", "kernels"),
    ("timing", "frontend", "emit"),
    ("passes", "sim"),
    ("synth", "interop", "board_sim", "engine"),
    ("sliced",),
    ("report",),
    ("bitstream", "nn"),
    ("build_folder", "images", "doctor"),
    ("locate",),
    ("after_build", "pipeline"),
    ("sweep", "verification"),
    ("explore",),
    ("api",),
    ("__init__",),  # the public names, which nothing below the command line uses
    ("cli",),
)
RANK = {package: rank for rank, packages in enumerate(ORDER) for package in packages}
# Packages that only some of ours may import, as module prefixes.
ONLY_IN = {
    "torch": ("nn", "api"),  # api: for type checkers only, as the next test says
    "brevitas": ("nn",),
    "lightning": ("nn",),
    "sklearn": ("nn",),
    "matplotlib": (
        "nn.figures",
        "report.pictures",
        "report.layers_picture",
        "report.front_picture",
    ),
    "PIL": ("nn.data",),
    "pyosys": ("synth",),
    "optuna": ("explore",),
    "onnx": ("frontend", "interop", "nn.export", "nn.brevitas_export"),
    "qonnx": ("frontend", "interop", "nn"),  # Brevitas' quantisers become qonnx's nodes
    "finn": ("interop",),
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}


@cache
def imports(text: str) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """The import statements of a file, wherever they stand; all tests here read the same files."""
    kinds = ast.Import | ast.ImportFrom
    return tuple(node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds))


def imported(text: str, modules: dict[str, Path]) -> set[str]:
    """Every module that a file imports; ours without the ``bonn_hw.`` in front."""
    found = set()
    for node in imports(text):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            inner = {name for name in within if name.removeprefix("bonn_hw.") in modules}
            found |= inner or {node.module}
    return found


def ours(text: str, modules: dict[str, Path]) -> set[str]:
    names = imported(text, modules)
    return {n.removeprefix("bonn_hw.") for n in names if n.startswith("bonn_hw.")} | (
        {"__init__"} & {n.replace("bonn_hw", "__init__") for n in names}
    )


def breaches(texts: dict[str, str]) -> list[str]:
    """Imports that do not go downwards, one sentence each."""
    found = []
    for module, text in sorted(texts.items()):
        here = module.split(".")[0]
        if here not in RANK:
            found.append(f"{module}: the package {here!r} has no place in ORDER: give it one")
            continue
        for name in sorted(ours(text, dict.fromkeys(texts, ROOT))):
            there = name.split(".")[0]
            if there != here and RANK.get(there, len(ORDER)) >= RANK[here]:
                found.append(f"{module} imports {name}: {there!r} is not below {here!r} in ORDER")
    return found


TEXTS = {module: path.read_text() for module, path in MODULES.items()}


def test_imports_go_downwards():
    assert breaches(TEXTS) == []


def circle(texts: dict[str, str]) -> list[str]:
    graph = {m: ours(text, dict.fromkeys(texts, ROOT)) - {m} for m, text in texts.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_circle_of_files():
    assert circle(TEXTS) == []


@pytest.mark.parametrize(
    ("module", "text", "told"),
    [
        ("foo", "import numpy", ["foo: the package 'foo' has no place in ORDER: give it one"]),
        (
            "kernels.foo",
            "from bonn_hw.passes import plan",
            ["kernels.foo imports passes.plan: 'passes' is not below 'kernels' in ORDER"],
        ),
        (
            "kernels.foo",
            "if TYPE_CHECKING:\n    from bonn_hw.pipeline import Build",
            ["kernels.foo imports pipeline: 'pipeline' is not below 'kernels' in ORDER"],
        ),
    ],
)
def test_a_breach_is_named(module, text, told):
    assert breaches(TEXTS | {module: text}) == told


def test_a_circle_is_named():
    back = {"ir.tensor": "from typing import TYPE_CHECKING\nimport bonn_hw.ir.graph"}
    assert {"ir.tensor", "ir.graph"} <= set(circle(TEXTS | back))


def test_heavy_packages_stay_where_they_belong():
    found = [
        f"{module} imports {name}"
        for module, text in TEXTS.items()
        for name in imported(text, MODULES)
        if (homes := ONLY_IN.get(name.split(".")[0]))
        and not any(module == home or module.startswith(f"{home}.") for home in homes)
    ]
    assert found == []


# What only some modules may do, as regular expressions; the driver is alone on its board.
ONLY_BY = {
    r"\bos\.(replace|rename)\b|\.rename\(": ("files.targets", "cache", "driver.measure"),
    r"\b(mkstemp|mkdtemp|TemporaryDirectory|NamedTemporaryFile)\b": (
        "driver.measure",
        "cli.bug_report",
    ),
    r"\bfcntl\b": ("files.locks", "files.partial"),
    r"\bsubprocess\b|\bos\.(fork|system|exec\w*|spawn\w*)\b": ("tools.processes",),
    r"XDG_CACHE_HOME\"\)": ("cache",),
}


@pytest.mark.parametrize("pattern", ONLY_BY)
def test_files_locks_and_programs_are_one_modules_business(pattern):
    found = [module for module, text in TEXTS.items() if re.search(pattern, text)]
    assert sorted(found) == sorted(ONLY_BY[pattern])
