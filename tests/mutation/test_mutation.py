# SPDX-License-Identifier: BSD-3-Clause
"""The mutators make what they say, the judges tell what they find: a sample of `make mutate`."""

import ast
import tomllib

import pytest

from bonn_hw.emit.write import templates_folder
from tests.mutation import by_proof, python, rtl
from tests.mutation.__main__ import EQUIVALENT, mutants_of
from tests.mutation.areas import AREAS, ROOT

# Mutants of one file each, and what the proofs say of them.
SAMPLE = (
    ("fifo.sv", "'- 1' to '- 2'", "killed"),
    ("stream_fork.sv", "if (rst)", "killed"),
    ("label_select.sv", '"1\'b0" to "1\'b1"', "killed"),
)


def of(file):
    return list(rtl.mutants(file, (templates_folder() / file).read_text()))


def test_every_area_has_files_and_mutants():
    for area in AREAS.values():
        assert area.paths(), area.name
        for test in area.tests[:1]:
            assert (ROOT / test).exists()
    assert sum(len(mutants_of(area)) for area in AREAS.values()) > 400


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


def test_a_sample_is_judged():
    chosen = []
    for file, change, _ in SAMPLE:
        chosen.append(next(mutant for mutant in of(file) if change in mutant.name))
    found = {mutant.file: answer for mutant, answer, _ in by_proof.judge(chosen)}
    assert found == {file: answer for file, _, answer in SAMPLE}


def test_equivalent_mutants_exist_and_have_a_reason():
    names = {mutant.name for area in AREAS.values() for mutant in mutants_of(area)}
    for entry in tomllib.loads(EQUIVALENT.read_text())["equivalent"]:
        assert entry["mutant"] in names
        assert len(entry["reason"]) > 20
