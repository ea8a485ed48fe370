# SPDX-License-Identifier: BSD-3-Clause
"""Any Brevitas network becomes a QONNX file that computes what PyTorch computes."""

import warnings

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

import onnx
from brevitas import nn as qnn
from brevitas.quant.binary import SignedBinaryActPerTensorConst as BinaryActivation
from brevitas.quant.binary import SignedBinaryWeightPerTensorConst as BinaryWeights
from torch import nn

from bonn_hw import frontend
from bonn_hw.errors import UserError
from bonn_hw.nn import BayesianLosses
from bonn_hw.nn.brevitas_export import decisions
from bonn_hw.nn.brevitas_export.facts import Grid
from bonn_hw.nn.brevitas_export.module import export
from bonn_hw.nn.brevitas_export.trace import module_paths
from bonn_hw.nn.models.networks import build


class Block(nn.Module):
    """Nested modules, one activation that is used twice, a residual sum."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Sequential(qnn.QuantConv2d(3, 3, 3, padding=1, bias=False, weight_bit_width=3)),
            nn.BatchNorm2d(3),
        )
        self.act = qnn.QuantReLU(bit_width=4, return_quant_tensor=False)

    def forward(self, x):
        return self.act(self.body(self.act(x)))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = qnn.QuantIdentity(bit_width=8)
        self.stem = qnn.QuantConv2d(1, 3, 3, bias=True, weight_bit_width=4)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.sign = qnn.QuantIdentity(BinaryActivation)
        self.last = qnn.QuantLinear(48, 4, bias=False, weight_quant=BinaryWeights)

    def forward(self, x):
        x = self.stem(self.quant(x))
        for block in self.blocks:
            x = block(x)
        return self.last(self.sign(x - 0.5).flatten(1))


def calibrated(network, *shape, seed=0):
    torch.manual_seed(seed)
    frames = torch.rand(12, *shape) * 2 - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.train()(frames)
    return network, frames


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    torch.manual_seed(0)
    network, frames = calibrated(Network(), 1, 6, 6)
    path = tmp_path_factory.mktemp("export") / "new" / "net.onnx"
    return network, frames, export(network, frames, path)


def test_layers_have_the_names_of_their_modules(exported):
    path = exported[2].path
    names = [node.name for node in onnx.load(path).graph.node]
    assert names[:4] == ["quant", "stem.weight_quant", "stem", "blocks.0.act"]
    assert {"blocks.1.body.0.0", "blocks.1.body.1", "sign", "last.weight_quant"} <= set(names)
    assert len(set(names)) == len(names)
    assert [node.name for node in frontend.read(path).nodes if node.op_type == "Conv"] == [
        "stem",
        "blocks.0.body.0.0",
        "blocks.1.body.0.0",
    ]


def test_it_is_compared_with_pytorch(exported):
    _, _, result = exported
    found = result.agreement
    assert (found.frames, found.classes) == (16, 0) and found.largest < 1e-6
    assert result.notes == (str(found),) and "16 frames" in repr(result)


def test_the_grids_are_reported(exported):
    grids = {(one.layer, one.kind): one for one in exported[2].grids}
    assert grids["stem", "bias"] == Grid("stem", "bias", None, (0.0, 0.0), False)
    assert grids["stem", "weights"].bits == 4
    assert grids["blocks.0.body.0.0", "weights"].bits == 3
    assert grids["last/MatMul", "weights"].bits == 1
    assert grids["sign", "activations"] == Grid("sign", "activations", 1, (1.0, 1.0), True)
    assert grids["quant", "activations"].bits == 8
    text = str(exported[2])
    assert "stem: bias float32" in text and "sign: activations 1 bit, scale 1, a power" in text


def test_the_network_is_not_changed_and_the_file_is_the_same_again(exported, tmp_path):
    network, frames, result = exported
    assert network.training
    again = export(network, frames.numpy(), str(tmp_path / "again.onnx"))
    assert again.path.read_bytes() == result.path.read_bytes()
    assert again.sha256 == result.sha256


def test_three_lines_of_training_and_what_they_leave_behind(tmp_path):
    """The network holds tensors of its last forward pass, in the hooks of the losses."""
    network, frames = calibrated(Network(), 1, 6, 6)
    losses = BayesianLosses(network, lam=1e-4, theta=1e-3, nu=1e-4)
    (network(frames).square().mean() + losses.kernel()).backward()
    result = export(network, frames, tmp_path / "net.onnx")
    assert result.agreement.classes == 0
    assert all(one.grad is not None for one in [network.stem.weight])


def test_a_network_of_bonn_hw(tmp_path):
    torch.manual_seed(0)
    network = build("tfc", hidden=6, height=5, width=4).eval()
    result = export(network, torch.zeros(1, *network.input_shape), tmp_path / "tfc.onnx")
    assert result.notes == ("8 frames: equal to PyTorch layer by layer",)
    with pytest.raises(UserError, match="input_shape: must be the network's own"):
        export(network, torch.zeros(1, 1, 9, 9), tmp_path / "tfc.onnx")


def test_what_the_frontend_refuses_is_written_and_told(tmp_path):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.quant = qnn.QuantIdentity(bit_width=30)

        def forward(self, x):
            return self.quant(x)

    network, frames = calibrated(Two(), 4)
    result = export(network, frames, tmp_path / "two.onnx")
    assert result.path.is_file() and result.agreement is None and result.grids == ()
    assert result.notes[0].startswith("not compared with PyTorch, since bonn-hw refuses it: quant")


class Wrong(nn.Module):
    """A network whose file differs, since the tracer keeps what it sees: the batch of one."""

    def __init__(self, place):
        super().__init__()
        self.place = place
        self.quant = qnn.QuantIdentity(bit_width=8)
        self.hidden = qnn.QuantReLU(bit_width=4)

    def forward(self, x):
        exporting = torch.onnx.is_in_onnx_export()
        x = self.quant(x)
        if self.place == "hidden" and exporting:
            x = x * 1.5
        x = self.hidden(x)
        return x * 2 if self.place == "output" and exporting else x


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("hidden", r"^export: the file computes something else than PyTorch: hidden/Quant, frame"),
        ("output", r"differs by .* of the largest output, and all quantisers agree"),
    ],
)
def test_a_file_that_computes_something_else_is_not_written(place, told, tmp_path):
    network, frames = calibrated(Wrong(place), 4)
    with pytest.raises(UserError, match=told):
        export(network, frames, tmp_path / "wrong.onnx")
    assert not (tmp_path / "wrong.onnx").exists()


@pytest.mark.parametrize(
    ("model", "example", "told"),
    [
        (lambda: 5, torch.zeros(1, 3), "the model is a int: give a torch.nn.Module"),
        (nn.Identity, np.array(["a"]), "the example has the type <U1"),
        (nn.Identity, torch.zeros(3), "give float32 inputs, batch first"),
        (nn.Identity, torch.full((1, 2), torch.nan), "the example holds NaN"),
        (lambda: nn.Linear(3, 2), torch.zeros(1, 4), r"refuses the example of the shape \(1, 4\)"),
        (nn.LSTM, torch.zeros(1, 4), "the network refuses"),
    ],
)
def test_what_cannot_be_exported(model, example, told, tmp_path):
    made = model(4, 4) if model is nn.LSTM else model()
    if model is nn.LSTM:
        made = nn.LSTM(5, 5)
    with pytest.raises(UserError, match=told):
        export(made, example, tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("scopes", "paths"),
    [
        (["conv"], ["conv"]),
        (["stage", "stage.0", "conv"], ["stage", "stage.0", "stage.0.conv"]),
        (["a", "body", "body.0", "body.0.1"], ["a", "a.body", "a.body.0", "a.body.0.1"]),
        (["blocks.3", "act"], ["blocks.3", "blocks.3.act"]),
        ([], []),
    ],
)
def test_paths_of_modules(scopes, paths):
    assert module_paths(scopes) == paths


def places():
    return [decisions._Place("act/Quant", "act.act_quant", "before", "behind", 0.5)]


def differences(before, behind, theirs_before, theirs):
    def shaped(values):
        return np.array(values, np.float32).reshape(2, -1)

    calls = {"act.act_quant": [(shaped(theirs_before), shaped(theirs))]}
    values = {"before": shaped(before), "behind": shaped(behind)}
    return decisions._differences(places(), calls, values, 64)


def test_a_rounded_sum_may_lead_to_the_next_step():
    near = np.float32(0.25000003)
    assert differences([1, 0.25, 3, 4], [1, 0, 3, 4], [1, near, 3, 4], [1, 0, 3, 4]) == []
    (one,) = differences([1, 0.25, 3, 4], [1, 0, 3, 4], [1, near, 3, 4], [1, 0.5, 3, 4])
    assert one.rounded and (one.layer, one.frame, one.element) == ("act/Quant", 64, (1,))
    assert str(one) == (
        "act/Quant, frame 64, element (1,): 0 for 0.25, and PyTorch 0.5 for 0.25000003"
    )


@pytest.mark.parametrize(
    ("before", "theirs_before", "theirs"),
    [
        (0.25, 0.25, 0.5),  # equal inputs, another output
        (0.25, 0.30, 0.5),  # the inputs are not a rounding apart
        (0.25, np.float32(0.25000003), 1.5),  # three steps
    ],
)
def test_nothing_else_may(before, theirs_before, theirs):
    found = differences(
        [1, 1, before, 4], [1, 1, 0, 4], [1, 1, theirs_before, 4], [1, 1, theirs, 4]
    )
    assert [(one.frame, one.rounded) for one in found] == [(65, False)]


def test_a_module_for_a_batch_of_one_is_run_frame_by_frame():
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.quant = qnn.QuantIdentity(bit_width=4)

        def forward(self, x):
            return self.quant(x).reshape(1, 4)

    network, frames = calibrated(nn.Sequential(qnn.QuantIdentity(bit_width=4)), 2, 2)
    one = One().eval()
    one.quant = network[0].eval()
    outputs, calls = decisions._run(one, {"quant.act_quant"}, frames[:5].numpy())
    assert outputs.shape == (5, 4)
    ((before, behind),) = calls["quant.act_quant"]
    np.testing.assert_array_equal(before, frames[:5].numpy())
    np.testing.assert_array_equal(behind.reshape(5, 4), outputs)
