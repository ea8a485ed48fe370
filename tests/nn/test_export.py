# SPDX-License-Identifier: BSD-3-Clause
import hashlib

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

import onnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.change_batchsize import ChangeBatchSize
from qonnx.transformation.infer_shapes import InferShapes

from bonn_hw.errors import UserError
from bonn_hw.nn import export as exporting
from bonn_hw.nn.export import export
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training.checkpoint import Checkpoint
from tests.support.qonnx_sessions import execute_onnx

NETWORKS = {
    "tfc": {"hidden": 6, "height": 5, "width": 4},
    "cnv": {"in_channels": 3, "convs": [4, 5, 6], "hidden": [7], "size": 14},
    "cnv_padded": {"in_channels": 1, "convs": [4, 5, 6], "hidden": [7], "size": 8, "classes": 3},
    "digits": {},
    "wrn": {
        "form": "hardware",
        "widths": [3, 3, 4],
        "blocks": [1, 2],
        "in_channels": 1,
        "size": 8,
    },
    "resnet18": {"form": "hardware", "widths": [3, 3, 4, 5, 6], "size": 32, "classes": 7},
}


def random_network(name, seed=0):
    """A network with batch norms as training leaves them, gamma of both signs."""
    torch.manual_seed(seed)
    network = build(name, **NETWORKS[name])
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 4)
            module.running_var.uniform_(1, 50)
            if module.affine:
                module.weight.data.normal_()
                module.bias.data.normal_(0, 0.5)
    return network.eval()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.large if name == "resnet18" else ())
        for name in NETWORKS
    ],
)
def test_qonnx_answers_like_pytorch(name, tmp_path):
    network = random_network(name)
    result = export(network, tmp_path / "new/folder/model.onnx")
    assert result.ties == ()
    assert result.sha256 == hashlib.sha256(result.path.read_bytes()).hexdigest()
    checkpoint = Checkpoint(network)
    model = ModelWrapper(str(result.path))
    levels = np.random.default_rng(5).integers(-128, 128, (3, *network.input_shape))
    for image in (levels / 128).astype(np.float32)[:, None]:
        context = execute_onnx(model, {"global_in": image}, return_full_exec_context=True)
        head = context["head_out0"]
        unit = (
            np.abs(head[head != 0]).min() / np.abs(checkpoint.accumulators(image)[head != 0]).min()
        )
        assert np.array_equal(head, checkpoint.accumulators(image) * unit)
        if name in ("wrn", "resnet18"):
            assert np.array_equal(context["global_out"], checkpoint.predict(image))
        assert context["global_out"].argmax() == checkpoint.predict(image).argmax()


@pytest.mark.parametrize(
    "method", ["bonn", "xnor", "bnn", "bireal", "react", "rebnn", "adabin", "bnn with shifts"]
)
def test_every_method_is_exact_in_hardware_form(method, tmp_path):
    torch.manual_seed(1)
    name, _, shifts = method.partition(" with ")
    options = NETWORKS["wrn"] | {"method": name, "slopes": "learnt", "shifts": bool(shifts)}
    network = build("wrn", **options).train()
    for part, parameter in network.named_parameters():
        if ".shift." in part or ".activation." in part:
            torch.nn.init.normal_(parameter, 0.2, 0.1)
    images = torch.randint(-128, 128, (40, *network.input_shape)) / 128
    network(images)
    result = export(network.eval(), tmp_path / "m.onnx")
    assert result.ties == ()
    context = execute_onnx(
        ModelWrapper(str(result.path)).transform(ChangeBatchSize(40)).transform(InferShapes()),
        {"global_in": images.numpy()},
    )
    assert np.array_equal(context["global_out"], Checkpoint(network).predict(images.numpy()))


def test_nodes_of_a_residual_network_carry_the_layers_names(tmp_path):
    model = ModelWrapper(str(export(random_network("wrn"), tmp_path / "m.onnx").path))
    names = [node.name for node in model.graph.node if "weights" not in node.name]
    block = "norm norm_add sign conv branch"
    assert names[:11] == [
        *("input", "stem_conv", "stem_stream"),
        *(f"stage1_0_{part}" for part in block.split()),
        *("stage1_0", "stage1_0_activation", "stage1_0_stream"),
    ]
    assert len(set(names)) == len(names)
    shortcut = [name for name in names if name.startswith("stage2_0_shortcut")]
    parts = "conv fine norm norm_add grid pool stream"
    assert shortcut == [f"stage2_0_shortcut_{part}" for part in parts.split()]


def test_paper_form_is_exported_as_far_as_floats_allow(tmp_path):
    network = build("wrn", **NETWORKS["wrn"] | {"form": "paper"}).eval()
    assert len(export(network, tmp_path / "m.onnx").ties) <= 1


def test_graph_has_shapes_and_the_layers_names(tmp_path):
    model = ModelWrapper(str(export(random_network("digits"), tmp_path / "m.onnx").path))
    assert [node.name for node in model.graph.node if "weights" not in node.name] == [
        *("input", "conv0", "conv0_norm", "conv0_sign"),
        *("conv1", "conv1_norm", "conv1_sign", "conv1_pool", "flatten"),
        *("fc0", "fc0_norm", "fc0_sign", "head", "scale"),
    ]
    assert model.get_tensor_shape("global_in") == [1, 1, 8, 8]
    assert all(model.get_tensor_shape(o) for node in model.graph.node for o in node.output)
    weights = model.get_initializer("conv1_weights_param0")
    assert np.array_equal(np.unique(weights), [-1, 1])


def test_same_weights_same_bytes_without_paths(tmp_path):
    first = export(random_network("tfc"), tmp_path / "first.onnx")
    second = export(random_network("tfc"), tmp_path / "elsewhere/second.onnx")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert export(random_network("tfc", seed=1), tmp_path / "other.onnx").sha256 != first.sha256
    proto = onnx.load(first.path)
    facts = {p.key: p.value for p in proto.metadata_props}
    assert facts["checkpoint_sha256"] == Checkpoint(random_network("tfc")).digest()
    assert proto.producer_name == "bonn_hw"
    content = first.path.read_bytes()
    assert b"/site-packages" not in content and str(tmp_path).encode() not in content


def test_export_leaves_the_network_as_it_was(tmp_path):
    network = random_network("tfc")
    image = np.zeros((1, *network.input_shape), np.float32)
    before = Checkpoint(network).predict(image)
    export(network, tmp_path / "m.onnx")
    assert np.array_equal(Checkpoint(network).predict(image), before)


def test_difference_is_found_and_named(tmp_path):
    network = random_network("cnv")
    model = ModelWrapper(str(export(network, tmp_path / "m.onnx").path))
    weights = model.get_initializer("conv1_weights_param0").copy()
    weights[0, 0] *= -1
    model.set_initializer("conv1_weights_param0", weights)
    images = exporting._grid_images(network, 4)
    with pytest.raises(RuntimeError, match="conv1: qonnx and PyTorch differ"):
        exporting.compare(model, Checkpoint(network), images)


def test_tie_is_named_and_is_no_failure(tmp_path):
    network = random_network("cnv")
    model = ModelWrapper(str(export(network, tmp_path / "m.onnx").path))
    bias = model.get_initializer("conv1_norm_param1")
    model.set_initializer("conv1_norm_param1", -bias - 10)
    images = exporting._grid_images(network, 4)
    assert exporting.compare(model, Checkpoint(network), images) == ("conv1_sign",)


def test_wrong_calls(tmp_path):
    with pytest.raises(UserError) as error:
        export(random_network("tfc"), tmp_path / "m.onnx", (1, 3, 5, 4))
    assert str(error.value) == (
        "input_shape: must be the network's own, (1, 1, 5, 4), not (1, 3, 5, 4); leave it out"
    )
    with pytest.raises(UserError, match="no such run folder; train first with"):
        export(tmp_path / "none", tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []
