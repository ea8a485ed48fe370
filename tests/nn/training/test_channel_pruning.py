# SPDX-License-Identifier: BSD-3-Clause
"""Networks without the duplicates: the same answers, narrower hardware."""

from dataclasses import replace

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("lightning")
pytest.importorskip("sklearn")

from qonnx.core.modelwrapper import ModelWrapper

from bonn_hw import frontend, pipeline, verification
from bonn_hw.boards import board
from bonn_hw.errors import UserError
from bonn_hw.nn.export import export
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training.channel_pruning import prunable, pruned
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.filter_clustering import (
    Groups,
)
from tests.support.pruned import TINY, WRN, grouped, network, on_grid
from tests.support.qonnx_sessions import execute_onnx


@pytest.mark.parametrize("method", ["bonn", "xnor", "bnn", "bireal", "react", "rebnn", "adabin"])
def test_residual_network_without_the_duplicates_is_the_same_network(method, tmp_path):
    options = WRN | {"blocks": [2, 2, 2], "method": method}
    net = network("wrn", **options)
    groups = grouped(net)
    groups.draw(1.0)
    images = on_grid(net)
    blended = Checkpoint(net).predict(images)
    experiment = replace(TINY, network="wrn", options=options)
    changed, smaller = pruned(net, experiment, groups)
    assert changed == {**options, "pruned": [2] * 2 + [3] * 2 + [4] * 2}
    assert smaller.layers.stage2_0.conv.weight.shape == (3, 4, 3, 3)
    assert np.array_equal(Checkpoint(smaller.eval()).predict(images), blended)
    # Once more: now of the filters that are left.
    groups = grouped(smaller)
    groups.draw(1.0)
    blended = Checkpoint(smaller).predict(images)
    again, smallest = pruned(smaller, replace(experiment, options=changed), groups)
    assert again["pruned"] == [1] * 4 + [2] * 2
    assert np.array_equal(Checkpoint(smallest.eval()).predict(images), blended)


def test_pruned_residual_network_is_exported(tmp_path):
    options = WRN | {"widths": [4, 4, 6], "blocks": [1, 2]}
    net = network("wrn", **options)
    experiment = replace(TINY, network="wrn", options=options)
    _, smaller = pruned(net, experiment, grouped(net))
    path = tmp_path / "model.onnx"
    assert export(smaller.eval(), path).ties == ()
    model = ModelWrapper(str(path))
    copies = [node.name for node in model.graph.node if node.op_type == "Gather"]
    assert copies == [f"{block}_copies" for block in ("stage1_0", "stage2_0", "stage2_1")]
    images = on_grid(net, 6)
    answers = [execute_onnx(model, {"global_in": x[None]})["global_out"][0] for x in images]
    assert np.array_equal(np.stack(answers), Checkpoint(smaller).predict(images))


@pytest.mark.parametrize(
    ("name", "options", "kept"),
    [
        ("digits", {}, [8, 16, 32]),
        ("cnv", {"convs": [4, 5, 6], "hidden": [7, 9], "size": 14}, [2, 2, 3, 3, 4]),
        ("cnv_padded", {"convs": [4, 5, 6], "hidden": [7], "size": 16}, [2, 2, 3, 3]),
        ("tfc", {"hidden": 8, "height": 4, "width": 3}, [4, 4, 4]),
    ],
)
def test_chain_without_the_duplicates_is_the_same_network(name, options, kept, tmp_path):
    """Every channel keeps its norm; the network that is exported is the same too."""
    net = network(name, **options)
    groups = grouped(net)
    groups.draw(1.0)
    images = on_grid(net)
    alike = Checkpoint(net).predict(images)
    changed, smaller = pruned(net, replace(TINY, network=name, options=options), groups)
    assert changed == {**options, "pruned": kept}
    assert np.array_equal(Checkpoint(smaller.eval()).predict(images), alike)
    path = tmp_path / "model.onnx"
    export(smaller, path)
    lowered = frontend.lower(frontend.read(path), Checkpoint(smaller).activations())
    answers = lowered.host.decode(lowered.graph.run(lowered.host.encode(images)))
    assert np.array_equal(answers.argmax(1), alike.argmax(1))
    units = [node.kernel for node in lowered.graph.nodes if node.kernel.stem == "mvu"]
    assert [unit.outputs[0].shape[2] for unit in units] == [*kept, net.classes]


@pytest.mark.parametrize(
    ("name", "options", "widths"),
    [
        ("digits", {}, {"convs": [8, 16], "hidden": [32]}),
        ("digits", {"convs": [4, 4], "hidden": []}, {"convs": [2, 2], "hidden": []}),
        (
            "cnv",
            {"convs": [4, 5, 6], "hidden": [7, 9], "size": 14},
            {"convs": [2, 2, 3], "hidden": [3, 4]},
        ),
        (
            "cnv_padded",
            {"convs": [4, 5, 6], "hidden": [7], "size": 16, "method": "bonn"},
            {"convs": [2, 2, 3], "hidden": [3]},
        ),
        ("tfc", {"hidden": 8, "height": 4, "width": 3}, {"hidden": 4}),
    ],
)
def test_chains_become_narrower(name, options, widths):
    net = network(name, **options)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    groups = grouped(net)
    kept = groups.representatives()
    experiment = replace(TINY, network=name, options=options)
    changed, smaller = pruned(net, experiment, groups, narrow=True)
    assert changed == {**options, **widths}
    assert smaller.classes == net.classes and smaller.input_shape == net.input_shape
    state = smaller.state_dict()
    for block, chosen in kept.items():
        for part in ("weight", "bias", "running_mean", "running_var"):
            key = f"layers.{block}.norm.{part}"
            assert torch.equal(state[key], before[key][chosen])
    assert torch.equal(state["scale.running_mean"], before["scale.running_mean"])
    smaller.eval()(torch.from_numpy(on_grid(smaller, 2)))


def test_inputs_of_a_narrowed_layer_are_those_of_the_kept_channels():
    """Silent channels can go without a difference: whatever they say is weighed with 0."""
    net = network("digits", convs=[2, 6], hidden=[5])
    labels = {"conv0": [0, 1], "conv1": [0, 0, 1, 1, 2, 2], "fc0": [0, 1, 2, 3, 4]}
    layers = prunable(net)
    groups = Groups(layers, 0.5, nu=1e-4, seed=0)
    kept = {"conv0": [0, 1], "conv1": [1, 2, 5], "fc0": [0, 1, 2, 3, 4]}
    for name in kept:
        groups.labels[name] = torch.tensor(labels[name])
    with torch.no_grad():
        for name, chosen in kept.items():
            # Equal members: the mean is each of them.
            latent = groups.latent(name)
            latent.copy_(latent[[chosen[label] for label in labels[name]]])
    groups.representatives = lambda: {name: torch.tensor(x) for name, x in kept.items()}
    experiment = replace(TINY, options={"convs": [2, 6], "hidden": [5]})
    _, smaller = pruned(net, experiment, groups, narrow=True)
    smaller.eval()
    images = torch.from_numpy(on_grid(net))
    with torch.inference_mode():
        wide = net.layers[:2](net.input(images))
        narrow = smaller.layers[:2](smaller.input(images))
        assert torch.equal(narrow, wide[:, kept["conv1"]])
        gone = [c for c in range(6) if c not in kept["conv1"]]
        weights = net.layers.fc0.matrix.quant_weight().value.unflatten(1, (6, 16)).clone()
        weights[:, gone] = 0
        expected = wide.flatten(1) @ weights.flatten(1).T
        assert torch.equal(smaller.layers.fc0.matrix(narrow.flatten(1)), expected)


def test_option_pruned_must_fit_the_blocks():
    with pytest.raises(UserError) as error:
        build("wrn22", pruned=[3, 3])
    widths = [16] * 6 + [32] * 6 + [64] * 6
    assert str(error.value) == (
        f"network: pruned [3, 3] must give every block its filters, at most {widths}; leave it out "
        "for a network that is not pruned"
    )
    with pytest.raises(UserError, match="must give every block its filters"):
        build("wrn22", pruned=[17] * 18)


@pytest.mark.rtl
def test_pruned_residual_network_is_smaller_and_its_rtl_is_equal(tmp_path):
    """Half of the weights, fewer LUT; PyTorch, ONNX Runtime, graph and RTL answer the same."""
    options = {"form": "hardware", "in_channels": 1, "size": 8}
    options |= {"widths": [16, 16, 32], "blocks": [1, 2]}
    experiment = replace(TINY, network="wrn", options=options)
    net = network("wrn", **options)
    export(net, tmp_path / "whole.onnx")
    _, smaller = pruned(net, experiment, grouped(net))
    export(smaller.eval(), tmp_path / "half.onnx")
    weights, cost = {}, {}
    for name in ("whole", "half"):
        # Weights in LUT: idle block memories come in halves, which hide what is saved.
        target = pipeline.Target(board("pynq-z2"), 100.0, 20_000, prefer="bram")
        pipeline.compile_model(tmp_path / f"{name}.onnx", target, tmp_path / name)
        stages = pipeline.Build.load(tmp_path / name).design.stages
        units = [stage for stage in stages if stage.node.kernel.stem == "mvu"]
        binary = [one for one in units if one.node.kernel.element.bipolar]
        assert len(binary) == 3
        resources = [one.node.kernel.resources(one.folding) for one in binary]
        weights[name] = sum(one.node.kernel.weights.size for one in binary)
        cost[name] = sum(one.lut + 380 * one.bram36 for one in resources)
    assert weights["half"] == weights["whole"] / 2
    assert cost["half"] < 0.8 * cost["whole"]
    build = pipeline.Build.load(tmp_path / "half")
    assert sum(stage.node.kernel.stem == "copy_channels" for stage in build.design.stages) == 3
    images = on_grid(smaller, 6)
    logits = Checkpoint(smaller).predict(images)
    for stall in (None, 1):
        answers = verification.simulate(build, images, stall=stall)
        np.testing.assert_array_equal(answers.rtl, answers.integer)
        np.testing.assert_array_equal(answers.y, answers.qonnx)
        np.testing.assert_array_equal(answers.y, logits)
        if stall is None:
            assert answers.run.interval == build.report.cycles_per_frame.predicted
