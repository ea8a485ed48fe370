# SPDX-License-Identifier: BSD-3-Clause
"""Networks by name on the command line: ``bonn-hw export package.module:factory``."""

import sys

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")
pytest.importorskip("brevitas")

from bonn_hw import frontend
from bonn_hw.cli.main import main

SOURCE = """
import torch
from brevitas import nn as qnn
def plain(bits=8):
    torch.manual_seed(0)
    net = torch.nn.Sequential(qnn.QuantIdentity(bit_width=bits), torch.nn.Flatten(),
                              qnn.QuantLinear(6, 3, bias=False, weight_bit_width=2))
    net.train()(torch.rand(4, 1, 2, 3))
    return net
def with_example():
    return plain(), torch.rand(2, 1, 2, 3)
def demanding(x):
    return plain()
network = plain()
number = 5
"""


@pytest.fixture
def nets(tmp_path, monkeypatch):
    (tmp_path / "my_nets_of_a_test.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield "my_nets_of_a_test"
    sys.modules.pop("my_nets_of_a_test", None)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("{}:plain", ["--shape", "1,2,3"]),
        ("{}.py:with_example", []),
        ("{}:network", ["--shape", "1,2,3"]),
    ],
)
def test_a_factory_is_exported(nets, name, options, tmp_path, capsys):
    out = tmp_path / "net.onnx"
    assert main(["export", name.format(nets), *options, "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "frames: " in said.out and "2/MatMul: weights 2 bit" in said.out
    assert said.err == f"wrote {out}\n"
    assert frontend.read(out).shapes["input"] == (1, 2, 3)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("{}:plain", [], "needs an example input: give --shape, such as --shape 1,28,28"),
        ("{}:plian", [], "has no 'plian' (did you mean 'plain'?)"),
        ("{}:number", [], "is a int: name a torch.nn.Module, or a function that returns one"),
        ("{}:demanding", [], "write a function without arguments that returns the network"),
        ("{}_none:plain", [], "no such Python module; its folder must be the current one"),
        ("none.py:plain", [], "none.py: no such file"),
        ("{}:plain", ["--shape", "7"], "refuses the example of the shape (1, 7)"),
        ("{}:plain", ["--example", "x.npy"], "--example x.npy cannot be read as a NumPy array"),
        ("runs/x", ["--shape", "7"], "--example and --shape go with package.module:factory"),
        ("runs/x", [], "runs/x: no such run folder; train first"),
    ],
)
def test_what_is_no_factory(nets, name, options, told, tmp_path, capsys):
    out = tmp_path / "net.onnx"
    assert main(["export", name.format(nets), *options, "--out", str(out)]) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not out.exists()
