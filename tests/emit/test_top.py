# SPDX-License-Identifier: BSD-3-Clause
import re
from itertools import pairwise

import pytest

from bonn_hw.emit.top import emit
from bonn_hw.emit.write import write
from bonn_hw.passes.fifo_sizing import size_fifos
from bonn_hw.passes.folding import choose_foldings
from bonn_hw.passes.width_conversion import insert_width_converters
from tests.support import lint
from tests.support.networks import small_cnn


@pytest.fixture(scope="module")
def project():
    graph = small_cnn()
    design = insert_width_converters(graph, choose_foldings(graph, 800, {}, 380))
    return emit(size_fifos(design))


def test_the_same_design_gives_the_same_bytes(project):
    graph = small_cnn()
    design = insert_width_converters(graph, choose_foldings(graph, 800, {}, 380))
    assert emit(size_fifos(design)) == project


def test_names_are_relative_and_every_memory_is_there(project):
    named = set(re.findall(r'"(mem/[^"]+)"', project.files["top.v"]))
    assert named == {name for name in project.files if name.startswith("mem/")}
    assert all(not name.startswith("/") for name in project.files)


def test_one_instance_and_one_comment_a_stage(project):
    text = project.files["top.v"]
    for name in project.probes:
        assert len(re.findall(rf"^  // {name}: \d+ cycles a frame$", text, re.M)) == 1
        assert len(re.findall(rf"^  \) {name} \($", text, re.M)) == 1


def test_a_comment_names_the_ends_of_each_stream(project):
    ends = re.findall(r"^  // (\w+) -> (\w+): .*, \d+ lanes, \d+ beats a frame$",
                      project.files["top.v"], re.M)  # fmt: skip
    names = ["input", *project.probes, "output"]
    assert ends == [*pairwise(names)]


@pytest.mark.rtl
def test_the_whole_design_lints_clean(project, tmp_path):
    write(project, tmp_path)
    files = [tmp_path / name for name in ("top.v", *project.templates)]
    assert lint.verilator(project.top, files, waived=["UNUSEDSIGNAL"]) == ""
    assert lint.slang(project.top, files) == ""


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "mem/../../x"])
def test_a_name_that_leaves_the_folder_is_refused(project, name):
    from dataclasses import replace

    with pytest.raises(ValueError, match="leaves the project: use relative names"):
        replace(project, files={name: ""}).check()
