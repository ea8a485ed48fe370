# SPDX-License-Identifier: BSD-3-Clause
"""A bug of ours in the lowering stops: it neither gives a wrong graph nor blames the model."""

from dataclasses import replace

import numpy as np
import pytest
from onnx import helper

from bonn_hw import frontend
from bonn_hw.errors import InternalError, UnsupportedModel
from bonn_hw.frontend import operators
from bonn_hw.frontend.graph_builder import GraphBuilder
from bonn_hw.frontend.host import Host
from bonn_hw.frontend.requantization import fit
from bonn_hw.frontend.staircase import gather
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.multi_threshold import MultiThreshold
from bonn_hw.kernels.requantize import Requantize
from tests.support.sketch import Sketch, lowered


def network(scale=1.0):
    sketch = Sketch(2, 5, 5, seed=3).quant(4).conv(3, 2, pads=[1] * 4, name="conv")
    return sketch.sign().flatten().dense(75, 3, name="head", scale=scale)


def test_a_wrong_graph_stops(tmp_path, monkeypatch):
    plain = GraphBuilder.pad

    def wrong(self, frame, pads, value, origin):
        plain(self, frame, pads, value + 1, origin)

    monkeypatch.setattr(GraphBuilder, "pad", wrong)
    with pytest.raises(InternalError) as error:
        lowered(network(), tmp_path)
    text = str(error.value)
    assert text.startswith("conv: the lowered graph differs from the model: ")
    assert " of 675 values differ on 9 trial frames. " in text
    assert text.endswith("please report it with the model file")


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_a_finding_about_rounding_excuses_nothing(scale, tmp_path, monkeypatch):
    assert bool(lowered(network(scale), tmp_path).findings) == (scale == 0.3)
    plain = Host.decode
    monkeypatch.setattr(Host, "decode", lambda self, integers: plain(self, integers) + 1)
    with pytest.raises(InternalError, match="the host's part: the lowered graph differs"):
        lowered(network(scale), tmp_path)


def broken(branch, node):
    raise KeyError("flipped")


def test_a_bug_in_an_operator_is_no_fault_of_the_model(tmp_path, monkeypatch):
    entry = replace(operators.table()["Conv"], lower=broken)
    monkeypatch.setitem(operators.table(), "Conv", entry)
    with pytest.raises(InternalError) as error:
        lowered(network(), tmp_path)
    assert str(error.value) == "conv: the lowering of this Conv failed (KeyError: 'flipped')"
    assert isinstance(error.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("pads", [1, 1], "the attribute 'pads' has 2 integers, not 4"),
        ("strides", [0, 1], "a 3x3 window at strides of 0 and 1"),
        ("group", 1.5, "the attribute 'group' is 1.5, not an integer"),
        ("auto_pad", 3, "the attribute 'auto_pad' is 3, not a string"),
        ("dilations", "ab", "the attribute 'dilations' is b'ab', not a list of integers"),
    ],
)
def test_attributes_that_make_no_sense_are_the_fault_of_the_model(name, value, reason, tmp_path):
    model = frontend.read(network().write(tmp_path))
    (conv,) = (node for node in model.nodes if node.name == "conv")
    kept = [item for item in conv.attribute if item.name != name]
    del conv.attribute[:]
    conv.attribute.extend([*kept, helper.make_attribute(name, value)])
    with pytest.raises(UnsupportedModel) as error:
        frontend.lower(model)
    text = f"conv: this Conv cannot be understood ({reason}): export the model again"
    assert str(error.value) == text


def test_a_flag_is_0_or_1(tmp_path):
    """ONNX's checker and ONNX Runtime read other numbers as opposites."""
    model = frontend.read(Sketch(4).quant(8).dense(4, 3, name="last").write(tmp_path))
    (last,) = (node for node in model.nodes if node.name == "last")
    last.op_type = "Gemm"
    last.attribute.append(helper.make_attribute("transB", 1 << 32))
    with pytest.raises(UnsupportedModel, match="the attribute 'transB' is 4294967296, not 0 or 1"):
        frontend.lower(model)


def test_an_input_that_no_layer_gives(tmp_path):
    model = frontend.read(network().write(tmp_path))
    (conv,) = (node for node in model.nodes if node.name == "conv")
    conv.input[0] = "nothing"
    with pytest.raises(UnsupportedModel) as error:
        frontend.lower(model)
    assert str(error.value) == (
        "conv: this Conv cannot be understood (its input 'nothing' is the output of no layer): "
        "export the model again"
    )


def test_a_model_that_cannot_be_run(tmp_path, monkeypatch):
    def fail(self, frames):
        raise RuntimeError("no kernel\nat all")

    monkeypatch.setattr(frontend.Model, "run", fail)
    with pytest.raises(UnsupportedModel, match=r"the model cannot be run \(no kernel\): export"):
        lowered(network(), tmp_path)


def test_a_requantizer_that_is_not_its_quantiser_stops(monkeypatch):
    domain = np.arange(-8, 8)
    stairs = gather([(domain, (domain // 2)[:, None])], np.array([-8]), np.array([7]))
    kind = TensorType((1, 1, 1), Element(-8, 7))
    for kernel in (Requantize, MultiThreshold):  # whichever is smaller
        plain = kernel.apply
        monkeypatch.setattr(kernel, "apply", lambda *args, plain=plain: plain(*args) + 1)
    with pytest.raises(InternalError, match="layer: the fitted kernel differs"):
        fit(stairs, kind, Element(-4, 3), "layer")


@pytest.mark.parametrize("element", [BIPOLAR, Element(-8, 7)])
def test_trial_frames_have_all_corners(element):
    order = np.arange(6).reshape(1, 2, 3)
    host = Host((1, 2, 3), None, None, 0.5, element, order, order, np.ones(1, np.float32))
    frames = host.trial_frames()
    low, high = element.low / 2, element.high / 2
    assert frames.shape == (9, 1, 2, 3) and frames.dtype == np.float32
    assert element.holds((frames[:4] / 0.5).astype(int)) and len(np.unique(frames[:4])) > 1
    assert (frames[4] == low).all() and (frames[5] == high).all()
    assert frames[6].reshape(-1).tolist() == [low, high] * 3
