# SPDX-License-Identifier: BSD-3-Clause
"""`bonn-hw check`: what a model becomes, or why it cannot be compiled."""

from bonn_hw.cli.main import main
from tests.support.sketch import Sketch


def block(scale):
    """A residual block whose branches lie on grids of 0.25 and ``scale``."""
    sketch = Sketch(2, 4, 4).quant(6, scale=0.25)
    entry = sketch.last
    sketch.sign().conv(2, 2, pads=[1] * 4, name="conv1").quant(6, scale=scale)
    sketch.join(entry, "sum1").quant(6, scale=0.25)
    return sketch.flatten().few_bit_dense(32, 3, name="head")


def test_layers_and_their_kernels(tmp_path, capsys):
    assert main(["check", str(block(0.25).write(tmp_path))]) == 0
    told = capsys.readouterr().out
    assert "9 kernels; the model can be compiled" in told
    assert "stream_fork_0" in told and "add_0" in told and "sum1" in told


def test_branches_on_different_grids(tmp_path, capsys):
    assert main(["check", str(block(0.5).write(tmp_path))]) == 2
    told = capsys.readouterr().err
    assert "sum1: its branches have different scales" in told.replace("\n", " ")
