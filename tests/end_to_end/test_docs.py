# SPDX-License-Identifier: BSD-3-Clause
"""Every block of the documentation runs: commands, Python, notebooks; on one small network."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.walk import Walk, blocks

pytestmark = [pytest.mark.rtl, pytest.mark.torch]
pytest.importorskip("torch")
pytest.importorskip("brevitas")

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Commands that take too long for each page, or need a tool: and the test that runs each.
ELSEWHERE = {
    r"^bonn-hw (train|prune|release|plot)\b": "tests/end_to_end/test_demo.py",
    r"^bonn-hw export (runs|zoo)/": "tests/end_to_end/test_demo.py",
    r"--(checkpoint|dataset)\b": "tests/end_to_end/test_demo.py",
    r"^bonn-hw setup\b": "tests/cli/test_setup.py",
    r"^bonn-hw doctor\b": "tests/doctor/test_examination.py",
    r"^bonn-hw init\b|results/": "tests/cli/test_init.py",
    r"^bonn-hw (synth)\b": "tests/synth/test_synth.py",
    r"^bonn-hw (bitstream)\b": "tests/end_to_end/test_demo.py",
    r"^bonn-hw (witness)\b": "tests/interop/test_witness.py",
    r"^bonn-hw sweep\b": "tests/end_to_end/test_sweep.py",
    r"^bonn-hw explore\b": "tests/explore/test_study.py",
}
PATTERN = re.compile("|".join(ELSEWHERE))
# In the order of a reader; the first pages leave the network that the others use.
PAGES = ("howto/my_network", "howto/my_data", "howto/failed_verdict", "howto/timing_not_met")
PAGES += ("howto/from_finn", "howto/from_hls4ml", "cli", "folding")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files that pages speak of, made by the first pages; cnv is a stand-in."""
    patch = pytest.MonkeyPatch()
    place = tmp_path_factory.mktemp("docs")
    patch.chdir(place)
    patch.syspath_prepend(place)
    walk = Walk()
    for page in PAGES[:3]:
        follow(walk, page)
        if page == PAGES[0]:
            shutil.copy("net.onnx", "cnv.onnx")
    assert len(np.unique(np.load("y.npy").argmax(axis=1))) > 1  # else the test would be empty
    yield place, walk
    patch.undo()


def follow(walk, name):
    for language, text in blocks(DOCS / f"{name}.md"):
        if language == "python":
            walk.python(text)
        elif not language:
            walk.commands(text, PATTERN)


def pages():
    """The pages that the fixture has not followed; those that fold many times run nightly."""
    for name in PAGES[3:]:
        often = name in ("howto/timing_not_met", "howto/from_finn", "folding")
        yield pytest.param(name, marks=pytest.mark.large if often else ())


@pytest.mark.parametrize("name", list(pages()))
def test_the_blocks_run(folder, name):
    _, walk = folder
    follow(walk, name)  # each line must end with exit code 0


def test_every_block_runs_somewhere():
    """A new block must be run here, or by a test that is named."""
    for test in ELSEWHERE.values():
        assert (ROOT / test).is_file(), test
    pages = [ROOT / "README.md", *DOCS.glob("*.md"), *(DOCS / "howto").glob("*.md")]
    loose, python = [], set()
    for page in pages:
        name = str(page.relative_to(DOCS))[:-3] if page.is_relative_to(DOCS) else page.name
        for language, text in blocks(page):
            if language == "python" and name not in PAGES:
                python.add(name)
            if not language and name not in PAGES:
                lines = [line for line in text.splitlines() if line.startswith("bonn-hw ")]
                loose += [line for line in lines if not PATTERN.search(" ".join(line.split()))]
    # compile is of zoo's digits, simulate of api's build: tests/api/test_page.py runs api.
    # tests/explore/test_own.py runs own_space.
    assert python == {"api", "tutorial", "training", "finn", "howto/own_space"}
    here = {line for page in PAGES for _, text in blocks(DOCS / f"{page}.md")
            for line in text.splitlines()}  # fmt: skip
    tutorial = {line for _, text in blocks(DOCS / "tutorial.md") for line in text.splitlines()}
    assert [line for line in loose if line not in here | tutorial] == []


def test_three_lines_of_training():
    """The Python of docs/training.md, around a step of training."""
    torch = pytest.importorskip("torch")
    import brevitas.nn as qnn
    from brevitas.quant import SignedBinaryWeightPerTensorConst as Binary
    from torch.nn.functional import cross_entropy

    (text,) = (text for language, text in blocks(DOCS / "training.md") if language == "python")
    model = torch.nn.Sequential(
        qnn.QuantConv2d(1, 4, 3, weight_quant=Binary, bias=False),
        torch.nn.Flatten(),
        qnn.QuantLinear(16, 3, weight_quant=Binary, bias=False),
    )
    x, y = torch.randn(6, 1, 4, 4), torch.arange(6) % 3
    names = {"model": model, "torch": torch, "x": x, "y": y, "cross_entropy": cross_entropy}
    exec(text, names)
    names["loss"].backward()
    assert all(one.grad is not None for one in model.parameters())


@pytest.mark.parametrize("notebook", sorted((DOCS / "notebooks").glob("*.ipynb")),
                         ids=lambda path: path.stem)  # fmt: skip
def test_a_notebook(folder, notebook, monkeypatch):
    """All cells, in one process; the files have no outputs."""
    monkeypatch.syspath_prepend(str(DOCS / "notebooks"))
    document = json.loads(notebook.read_text())
    assert document["nbformat"] == 4
    names = {"__name__": "__main__"}
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            exec(compile("".join(cell["source"]), notebook.name, "exec"), names)
    assert names["build"].folder.is_dir() if "build" in names else names["front"]


def test_notebooks_are_listed():
    page = (DOCS / "howto" / "notebooks.md").read_text()
    listed = set(re.findall(r"notebooks/(\w+)\.ipynb", page))
    assert listed == {path.stem for path in (DOCS / "notebooks").glob("*.ipynb")}
