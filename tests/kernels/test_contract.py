# SPDX-License-Identifier: BSD-3-Clause
"""What holds for every kernel: Python and RTL agree about parameters and about what is legal."""

import json
import subprocess
import tokenize
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bonn_hw.emit.write import templates_folder, write
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.rtl import Bits
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels import kernels
from bonn_hw.kernels.add import Add
from bonn_hw.kernels.average_pool import AveragePool
from bonn_hw.kernels.cost import BRAM36_BITS
from bonn_hw.kernels.fifo import Fifo
from bonn_hw.kernels.label_select import LabelSelect
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.requantize import Requantize
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.kernels.stream_fork import StreamFork
from bonn_hw.kernels.threshold import Threshold
from bonn_hw.kernels.width_converter import WidthConverter
from bonn_hw.sim import locate
from bonn_hw.synth.kernel import side_by_side
from tests.support import lint

BITS = TensorType((4, 4, 6), BIPOLAR)
INTEGERS = TensorType((4, 4, 6), Element(-100, 100))
WEIGHTS = np.ones((4, 6), np.int8)
CLASSES = ((0, 1, 1, 2), (0, 1, 1, 2))
EXAMPLES = [
    Pad(BITS, (1, 1, 1, 1), -1),
    SlidingWindow(BITS, (3, 3), (1, 1)),
    Mvu((4, 4), BIPOLAR, WEIGHTS, np.zeros((9, 4), np.int64), None, *CLASSES),
    Mvu((1, 1), Element(-8, 7), WEIGHTS, None, np.zeros((1, 4), np.int64), (0,), (0,)),
    Mvu((1, 1), Element(-8, 7), 5 * WEIGHTS, None, np.zeros((1, 4), np.int64), (0,), (0,)),
    Threshold(INTEGERS, np.zeros(6, np.int64), np.zeros(6, bool)),
    MaxPool(BITS, (2, 2)),
    MaxPool(INTEGERS, (2, 2)),
    AveragePool(INTEGERS, (2, 3)),
    AveragePool(INTEGERS, (4, 4)),
    LabelSelect(INTEGERS),
    StreamFork(BITS, 3),
    Add(INTEGERS, TensorType((4, 4, 6), Element(0, 9))),
    Add(INTEGERS, TensorType((4, 4, 6), Element(100, 100))),  # the sum has fewer bits than the left
    Requantize(INTEGERS, Element(-8, 7), *np.ones((2, 6, 1), np.int64), 2, True, 0),
    Requantize(INTEGERS, Element(-8, 7), *np.ones((2, 1, 2), np.int64), 2, True, 1),
    WidthConverter(TensorType((1, 2, 6), BIPOLAR)),
    Fifo(BITS, 1),
    Fifo(BITS, 5),
    Fifo(BITS, 40),
    Fifo(BITS, 512),
]
# Parameters one step outside of what Python would ever write.
ILLEGAL = {
    "pad": [{"FOLDS": 0}, {"TOP": -1}],
    "sliding_window": [{"KH": 5}, {"SX": 0}, {"DEPTH": 8}, {"DEPTH": 48}],
    "mvu": [
        *({"PE": 3}, {"SIMD": 4}, {"IN_KIND": 3}, {"WEIGHT_BITS": 0}, {"ROW_CLASSES": 5}),
        *({"COL_CLASSES": 4}, {"OUT_BITS": 23}),
    ],
    "requantize": [{"FOLDS": 0}, {"SEGMENT_BITS": 9}, {"SHIFT": -1}],
    "threshold": [{"FOLDS": 0}, {"LEVEL_BITS": 3}],
    "max_pool": [{"KH": 5}, {"KW": 0}],
    "average_pool": [{"KH": 5}, {"KW": 0}, {"FOLDS": 0}, {"OUT_BITS": 7}],
    "label_select": [{"LANES": 0}, {"INDEX_BITS": 2}],
    "stream_fork": [{"COPIES": 1}, {"WIDTH": 0}],
    "add": [{"LANES": 0}, {"LEFT_BITS": 0}, {"RIGHT_BITS": 0}, {"OUT_BITS": 0}],
    "width_converter": [{"IN_LANES": 4, "OUT_LANES": 6}, {"IN_LANES": 3, "OUT_LANES": 3}],
    "fifo": [
        {"DEPTH": 0},
        {"DEPTH": 1, "STYLE": 1},
        {"DEPTH": 33, "STYLE": 1},
        {"STYLE": 0, "DEPTH": 5},
        {"STYLE": 4},
        {"WIDTH": 0},
    ],
}


def identify(kernel):
    return f"{kernel.stem}-{kernel.inputs[0]}"


def sources(instance):
    """All files of a module."""
    return [str(templates_folder() / name) for name in instance.templates]


def test_every_kernel_has_its_three_files_and_an_example():
    root = Path(__file__).parent
    assert {kernel.stem for kernel in EXAMPLES} == set(kernels()) == set(ILLEGAL)
    for stem, kind in kernels().items():
        assert kind.__module__ == f"bonn_hw.kernels.{stem}"
        assert (root / f"test_{stem}.py").is_file()
    for kernel in EXAMPLES:
        instance = kernel.rtl(next(iter(kernel.foldings())))
        assert (instance.stem, instance.module) == (kernel.stem, f"bonn_{kernel.stem}")
        assert all(Path(source).is_file() for source in sources(instance))


def identifiers(path):
    """Names in the code of a file; comments and documentation are free to say "Add"."""
    with path.open() as file:
        tokens = tokenize.generate_tokens(file.readline)
        return {token.string for token in tokens if token.type == tokenize.NAME}


def test_no_kernel_is_named_outside_of_its_file():
    package = templates_folder().parent / "bonn_hw"
    for path in package.rglob("*.py"):
        if path.parent.name in ("frontend", "interop", "kernels"):
            continue  # lowering makes kernels, others translate them; their own files name them
        inserted = {"width_conversion.py": "WidthConverter"}
        inserted |= dict.fromkeys(("fifo_queues.py", "fifo_sizing.py"), "Fifo")
        for kind in kernels().values():
            if inserted.get(path.name) != kind.__name__:
                assert kind.__name__ not in identifiers(path), (path, kind)


@pytest.fixture(scope="module")
def every_folding(tmp_path_factory):
    """All legal foldings of all kernels side by side: the module's name and the files."""
    folder = tmp_path_factory.mktemp("foldings")
    points = [(kernel, folding) for kernel in EXAMPLES for folding in kernel.foldings()]
    project = side_by_side(points)
    write(project, folder)
    return project.top, [str(folder / name) for name in ("top.v", *project.templates)]


@pytest.mark.rtl
def test_every_legal_folding_elaborates_without_a_warning(every_folding):
    top, files = every_folding
    unconnected = ["PINMISSING", "PINCONNECTEMPTY"]  # nothing stands around the kernels
    assert lint.verilator(top, files, waived=unconnected) == ""


@pytest.mark.rtl
def test_debians_verilator_elaborates_every_legal_folding(every_folding, debian_verilator):
    top, files = every_folding
    command = [debian_verilator, "--lint-only", "-Wno-lint", "--top-module", top, *files]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kernel", EXAMPLES, ids=identify)
def test_every_legal_folding_is_legal_systemverilog(kernel):
    for folding in kernel.foldings():
        instance = kernel.rtl(folding)
        assert lint.slang(instance.module, sources(instance), instance.parameters) == "", folding


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("kernel", "change"),
    [(kernel, change) for kernel in EXAMPLES for change in ILLEGAL[kernel.stem]],
    ids=lambda value: value.stem if hasattr(value, "stem") else str(value),
)
def test_illegal_parameters_end_elaboration_with_the_values(kernel, change):
    instance = kernel.rtl(next(iter(kernel.foldings())))
    parameters = instance.parameters | change
    for reader in (lint.verilator, lint.slang):
        told = reader(instance.module, sources(instance), parameters)
        assert f"{instance.stem}: " in told
        assert str(next(iter(change.values()))) in told


@pytest.mark.rtl
@pytest.mark.parametrize("kernel", EXAMPLES, ids=identify)
def test_parameters_are_those_of_the_module(kernel, tmp_path):
    instance = kernel.rtl(next(iter(kernel.foldings())))
    tool = locate.verilator()
    tree = tmp_path / "tree.json"
    meta = tmp_path / "meta.json"
    subprocess.run(
        [*tool.command, "--json-only", "--json-only-output", str(tree)]
        + ["--json-only-meta-output", str(meta), "--Mdir", str(tmp_path)]
        + [*sources(instance), "--top-module", instance.module],
        check=True,
        capture_output=True,
        env=tool.environment,
    )
    found: set[str] = set()

    def walk(node):
        if isinstance(node, dict):
            if node.get("type") == "MODULE" and node["name"] != instance.module:
                return
            if node.get("type") == "VAR" and node.get("isGParam") in (True, "true"):
                found.add(node["name"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(json.loads(tree.read_text()))
    assert found == {*instance.parameters, *instance.memories}


@pytest.mark.parametrize("kernel", EXAMPLES, ids=identify)
def test_promises_hold_together(kernel):
    """Lanes divide the tensors, cycles cover the beats, memories have the stated widths."""
    for folding in kernel.foldings():
        taken, given = kernel.lanes(folding)
        beats_in, beats_out = kernel.schedule(folding).beats
        assert beats_in * taken == kernel.inputs[0].size
        assert beats_out * given == kernel.outputs[0].size
        assert kernel.cycles(folding) >= max(beats_in, beats_out)
        use = kernel.resources(folding)
        assert min(use.astuple()) >= 0
        assert use.block_bits <= use.bram36 * BRAM36_BITS
        assert (use.block_bits > 0) == (use.bram36 > 0)
        for value in kernel.rtl(folding).parameters.values():
            assert isinstance(value, int | Bits)


def test_equal_kernels_are_equal_by_value():
    one = EXAMPLES[2]
    assert one == replace(one, weights=one.weights.copy())
    assert one != replace(one, weights=-one.weights)
    assert one != EXAMPLES[0]
    assert Folding(1, 2) < Folding(2, 1)
