# SPDX-License-Identifier: BSD-3-Clause
"""A project in a folder: it comes back with the files that the folder has now."""

import json

import pytest

from bonn_hw.emit.stored import read_project, write_project
from bonn_hw.errors import UserError
from bonn_hw.ir.rtl import Port, RtlProject
from bonn_hw.ir.tensor import Element

PROJECT = RtlProject(
    top="top",
    templates=("mvu.sv", "cells/counter.sv"),
    files={"top.v": "module top;\n", "mem/a.hex": "3\n"},
    source=Port(2, Element(-128, 127), 32),
    sink=Port(1, Element(-1, 1, True), 10),
    probes=("mvu_0",),
)


def test_a_project_comes_back(tmp_path):
    write_project(PROJECT, tmp_path)
    assert read_project(tmp_path) == PROJECT
    assert (tmp_path / "cells/counter.sv").is_file()


def test_what_counts_is_what_stands_there(tmp_path):
    write_project(PROJECT, tmp_path)
    (tmp_path / "mem/a.hex").write_text("2\n")
    assert read_project(tmp_path).files["mem/a.hex"] == "2\n"


def test_a_file_that_is_gone(tmp_path):
    write_project(PROJECT, tmp_path)
    (tmp_path / "mem/a.hex").unlink()
    told = r"lacks a\.hex \(No such file or directory\): compile the model again$"
    with pytest.raises(UserError, match=told):
        read_project(tmp_path)
    (tmp_path / "project.json").unlink()
    with pytest.raises(UserError, match=r"lacks project\.json"):
        read_project(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "Expecting property name"),
        ("{}", "has no 'top'"),
        (None, "leaves the project: use relative names"),
    ],
)
def test_a_description_that_makes_no_sense(text, told, tmp_path):
    write_project(PROJECT, tmp_path)
    path = tmp_path / "project.json"
    if text is None:
        text = json.dumps(json.loads(path.read_text()) | {"templates": ["../mvu.sv"]})
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_project(tmp_path)
    assert str(caught.value).startswith(f"{path} cannot be read: ")
    assert told in str(caught.value)
    assert str(caught.value).endswith(": compile the model again")
