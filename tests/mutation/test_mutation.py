# SPDX-License-Identifier: BSD-3-Clause
"""The mutators make what they say, the judges tell what they find: a sample of `make mutate`."""

import ast
import tomllib

import pytest

from bonn_hw.emit.write import templates_folder
from tests.mutation import by_proof, by_tests, cpp, python, rtl, swap
from tests.mutation.__main__ import EQUIVALENT, mutants_of
from tests.mutation.areas import AREAS, ROOT, Area

# Mutants of one file each, and what the proofs say of them.
SAMPLE = (
    ("fifo.sv", "'- 1' to '- 2'", "killed"),
    ("stream_fork.sv", "if (rst)", "killed"),
    ("label_select.sv", '"1\'b0" to "1\'b1"', "killed"),
)


def of(file):
    return list(rtl.mutants(file, (templates_folder() / file).read_text()))


@pytest.fixture(scope="module")
def names():
    """The names of all mutants, by area."""
    return {area.name: {mutant.name for mutant in mutants_of(area)} for area in AREAS.values()}


def test_every_area_has_files_and_mutants(names):
    for area in AREAS.values():
        assert area.paths(), area.name
        for test in area.tests[:1]:
            assert (ROOT / test).exists()
    assert min(map(len, names.values())) > 25


@pytest.mark.parametrize("file", ["fifo.sv", "mvu.sv", "cells/counter.sv"])
def test_a_mutant_differs_in_one_line_and_in_no_comment(file):
    ours = (templates_folder() / file).read_text().splitlines()
    for mutant in of(file):
        changed = mutant.text.splitlines()
        differs = [i for i, (a, b) in enumerate(zip(ours, changed, strict=False)) if a != b]
        assert differs and differs[0] + 1 == mutant.line
        code = ours[differs[0]].split("//")[0]
        assert not changed[differs[0]].startswith(code), "only a comment changed"
        assert "$error" not in ours[differs[0]]


def test_mutants_of_python_are_python():
    text = (ROOT / "bonn_hw" / "passes" / "objectives.py").read_text()
    found = list(python.mutants("objectives.py", text))
    assert len({mutant.text for mutant in found} - {text}) == len(found) > 30
    for mutant in found:
        ast.parse(mutant.text)


def test_mutants_of_cpp_differ_in_one_line_and_in_no_comment():
    file = "bonn_hw/timing/events.cpp"
    ours = (ROOT / file).read_text().splitlines()
    found = list(cpp.mutants(file, (ROOT / file).read_text()))
    assert len(found) > 100
    for mutant in found:
        changed = mutant.text.splitlines()
        (line,) = (i for i, (a, b) in enumerate(zip(ours, changed, strict=True)) if a != b)
        assert line + 1 == mutant.line
        assert not changed[line].startswith(ours[line].split("//")[0])


FUNCTIONS = """
LIMIT = 3

def below(value):
    return all(v < LIMIT for v in value)
"""


def test_the_code_of_functions_is_exchanged():
    space = {}
    exec(compile(FUNCTIONS, "functions.py", "exec"), space)
    mutated = FUNCTIONS.replace("<", "<=")
    pairs = swap.exchanged(FUNCTIONS, mutated, "functions.py")
    swap.exchange(swap.functions({"functions.py"}), pairs)
    assert space["below"]([3]) and not space["below"]([4])
    assert swap.exchanged(FUNCTIONS, FUNCTIONS.replace("3", "4"), "functions.py") is None


def test_tests_kill_what_they_see():
    """In a file that is imported only when a model is read."""
    file = "bonn_hw/frontend/operators/convolution.py"
    found = list(python.mutants(file, (ROOT / file).read_text()))
    seen = next(mutant for mutant in found if "'>' to '>='" in mutant.change)  # LARGEST_KERNEL
    same = rtl.Mutant(file, seen.line, "nothing", (ROOT / file).read_text())
    test = "tests/frontend/test_edges.py::test_the_largest_kernel[Conv-31-1-1]"
    answers = list(by_tests.judge([seen, same], Area("one", (file,), (test,))))
    assert [(answer, by) for _, answer, by in answers] == [
        ("killed", test),
        ("survived", "no test runs it"),
    ]


def test_a_sample_is_judged():
    chosen = []
    for file, change, _ in SAMPLE:
        chosen.append(next(mutant for mutant in of(file) if change in mutant.name))
    found = {mutant.file: answer for mutant, answer, _ in by_proof.judge(chosen)}
    assert found == {file: answer for file, _, answer in SAMPLE}


def test_equivalent_mutants_exist_and_have_a_reason(names):
    every = set().union(*names.values())
    for entry in tomllib.loads(EQUIVALENT.read_text())["equivalent"]:
        assert entry["mutant"] in every
        assert len(entry["reason"]) > 20
