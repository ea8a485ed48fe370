# SPDX-License-Identifier: BSD-3-Clause
"""docs/api.md: its reference is that of the docstrings, and its code runs as it stands there."""

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bonn_hw
from bonn_hw.api import page

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "api.md"


def test_the_reference_is_that_of_the_docstrings():
    text = PAGE.read_text()
    assert page.documented(text) == text, "run python -m bonn_hw.api.page docs/api.md"
    with pytest.raises(ValueError, match="the page lacks one of the marks"):
        page.documented("nothing")


def test_every_public_name_is_there():
    heads = set(re.findall(r"^##+ (?:bonn_hw\.)?([\w.]+)", PAGE.read_text(), re.M))
    assert {"export", "Model", "Build", "Simulation"} <= heads
    for kind in (bonn_hw.Model, bonn_hw.Build, bonn_hw.Simulation):
        described = getattr(kind, "__dataclass_fields__", ())  # among the class's attributes
        members = {one for one in vars(kind) if not one.startswith("_")} - set(described)
        assert {f"{kind.__name__}.{one}" for one in members} <= heads


@pytest.mark.rtl
@pytest.mark.torch
def test_the_code_runs_as_it_stands(tmp_path, monkeypatch):
    pytest.importorskip("brevitas")
    example, more = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.S | re.M)
    assert len(example.splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    said = io.StringIO()
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(said):
        exec(example, names)
    expected = re.findall(r"^```text\n( .*?)^```", PAGE.read_text(), re.S | re.M)[0]

    def unnumbered(text):  # the weights are random, and so is how many frames are rounded
        lines = [line.partition("PyTorch:")[0] for line in text.splitlines()]
        return [re.sub(r"\d[\d,]*", "N", line) for line in lines]

    assert unnumbered(said.getvalue()) == unnumbered(expected)
    assert names["build"].compare(names["x"], save=False).equal  # by default with its network
    with contextlib.redirect_stdout(said):
        exec(more, names)
    assert names["hidden"].shape == (20, 1, 1, 16)

    wrong = [*names["net"]]
    with torch.no_grad():
        wrong[2].weight.mul_(torch.where(torch.arange(64) == 5, -1.0, 1.0))
    found = names["build"].compare(names["x"], torch=torch.nn.Sequential(*wrong), save=False)
    assert not found.equal and not found.difference.rounded
    assert found.difference.layer == "3/Quant"
    assert "FAILED  RTL and PyTorch: " in str(found)


def test_the_import_is_light():
    program = (
        "import sys, bonn_hw\n"
        "names = set(dir(bonn_hw)) & {'Build', 'Model', 'Simulation', 'export', '__version__'}\n"
        "heavy = {'numpy', 'torch', 'onnx', 'qonnx', 'rich', 'inspect'} & set(sys.modules)\n"
        "bonn_hw.Build, bonn_hw.Model, bonn_hw.export, bonn_hw.UserError\n"
        "print(len(names), heavy, 'torch' in sys.modules, 'matplotlib' in sys.modules)\n"
        "try: bonn_hw.nothing\n"
        "except AttributeError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.splitlines() == [
        "5 set() False False",
        "module 'bonn_hw' has no attribute 'nothing'",
    ]
