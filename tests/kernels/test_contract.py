# SPDX-License-Identifier: BSD-3-Clause
"""What holds for every kernel: Python and RTL agree about parameters and about what is legal."""

import io
import json
import re
import subprocess
import tokenize
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bonn_hw.emit.write import templates_folder, write
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.rtl import Bits
from bonn_hw.kernels import kernels
from bonn_hw.kernels.cost import BRAM36_BITS
from bonn_hw.sim import locate
from bonn_hw.synth.kernel import side_by_side
from tests.support import contract, lint

EXAMPLES = contract.examples()
ILLEGAL = contract.illegal()


def identify(kernel):
    return f"{kernel.stem}-{kernel.inputs[0]}"


def sources(instance):
    """All files of a module."""
    return [str(templates_folder() / name) for name in instance.templates]


def test_every_kernel_has_its_three_files_and_examples_of_its_own():
    for stem, kind in kernels().items():
        assert kind.__module__ == f"bonn_hw.kernels.{stem}"
        assert {kernel.stem for kernel in contract.stated(stem).EXAMPLES} == {stem}
        assert {kernel.stem for kernel, _ in contract.grids()[stem].sample()} == {stem}
    for kernel in EXAMPLES:
        instance = kernel.rtl(next(iter(kernel.foldings())))
        assert (instance.stem, instance.module) == (kernel.stem, f"bonn_{kernel.stem}")
        assert all(Path(source).is_file() for source in sources(instance))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("EXAMPLES", "EXAMPLES, a list of small kernels, of every structure that the RTL has"),
        ("ILLEGAL", "ILLEGAL, a list of RTL parameters ({name: value}) that must end elaboration"),
        ("GRID", "GRID, a tests.support.grids.Grid of shapes and foldings that are synthesised"),
    ],
)
def test_what_a_kernel_lacks_is_told(name, sentence, monkeypatch):
    values = {"EXAMPLES": [1], "ILLEGAL": [1], "GRID": 1} | {name: None}
    monkeypatch.setattr(contract, "import_module", lambda _: SimpleNamespace(**values))
    with pytest.raises(AssertionError) as error:
        contract.stated.__wrapped__("pad")
    assert str(error.value).startswith(
        f"kernel pad: tests/kernels/test_pad.py must have {sentence}"
    )
    with pytest.raises(AssertionError, match=r"kernel lrn: add tests/kernels/test_lrn\.py"):
        contract.stated.__wrapped__("lrn")


def names_and_strings(text):
    """Those in the code of a file; comments are free to say "Add"."""
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    names = {token.string for token in tokens if token.type == tokenize.NAME}
    strings = {token.string for token in tokens if token.type == tokenize.STRING}
    return names, {re.sub(r"^\w*[\"']+|[\"']+$", "", string) for string in strings}


# Words of the field as much as stems: keys of reports and names of ONNX have them too.
PLAIN = {"add", "fifo", "pad", "threshold"}
# Passes that insert a kernel of their own, or ask what it takes.
INSERTED = {
    "width_conversion.py": "WidthConverter",
    "fifo_queues.py": "Fifo",
    "fifo_sizing.py": "Fifo",
    "ready_chains.py": "Fifo",
}


def breaches(name, text):
    """Kernels that a file names, by class or stem."""
    names, strings = names_and_strings(text)
    return {
        kind.__name__
        for stem, kind in kernels().items()
        if INSERTED.get(name) != kind.__name__
        and (kind.__name__ in names or stem in strings - PLAIN)
    }


def test_no_kernel_is_named_outside_of_its_file():
    package = templates_folder().parent / "bonn_hw"
    found = {
        str(path.relative_to(package)): named
        for path in sorted(package.rglob("*.py"))
        # Lowering makes kernels, others translate them; their own files name them.
        if path.relative_to(package).parts[0] not in ("frontend", "interop", "kernels")
        and (named := breaches(path.name, path.read_text()))
    }
    assert found == {}


def test_a_kernel_that_is_named_is_found():
    assert breaches("a.py", "x = MaxPool") == {"MaxPool"}
    assert breaches("a.py", 'x = node.stem == "max_pool"') == {"MaxPool"}
    assert breaches("fifo_sizing.py", "Fifo") == set()
    assert breaches("a.py", '# MaxPool\nmax_pool = "Add"') == set()


@pytest.fixture(scope="module")
def every_folding(tmp_path_factory):
    """All legal foldings of all kernels side by side: the module's name and the files."""
    folder = tmp_path_factory.mktemp("foldings")
    project = side_by_side(list(contract.folded_examples()))
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
    given = {*instance.parameters, *instance.memories}
    text = (templates_folder() / f"{instance.stem}.sv").read_text()
    files = set(re.findall(r'parameter (\w+) = ""', text))
    # Of files, those of steps that a kernel does not have may be left out.
    assert given <= found and found - given <= files


@pytest.mark.parametrize("kernel", EXAMPLES, ids=identify)
def test_promises_hold_together(kernel):
    """Lanes divide the tensors, cycles cover the beats, memories have the stated widths."""
    for folding in kernel.foldings():
        taken, (_, given) = kernel.input_lanes(folding), kernel.lanes(folding)
        beats_in, beats_out = kernel.schedule(folding).beats
        assert [beats_in * lanes for lanes in taken] == [kind.size for kind in kernel.inputs]
        assert beats_out * given == kernel.outputs[0].size
        assert kernel.cycles(folding) >= max(beats_in, beats_out)
        use = kernel.resources(folding)
        assert min(use.astuple()) >= 0
        assert use.block_bits <= use.bram36 * BRAM36_BITS
        assert (use.block_bits > 0) == (use.bram36 > 0)
        for value in kernel.rtl(folding).parameters.values():
            assert isinstance(value, int | Bits)


def test_equal_kernels_are_equal_by_value():
    one = next(kernel for kernel in EXAMPLES if kernel.stem == "mvu")
    assert one == replace(one, weights=one.weights.copy())
    assert one != replace(one, weights=-one.weights)
    assert one != next(kernel for kernel in EXAMPLES if kernel.stem == "pad")
    assert Folding(1, 2) < Folding(2, 1)
