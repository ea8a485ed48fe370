# SPDX-License-Identifier: BSD-3-Clause
import json
import os
import signal
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
from bonn_hw.cli.main import main
from bonn_hw.errors import UserError
from bonn_hw.nn.export import export
from bonn_hw.nn.figures.plot import plot
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training import filter_clustering, pruning, train
from bonn_hw.nn.training.channel_pruning import prunable, pruned
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.filter_clustering import (
    Blend,
    Groups,
    SharedGradient,
    cluster,
    group_means,
    pruning_loss,
)
from bonn_hw.nn.training.pruning import prune
from tests.support.qonnx_sessions import execute_onnx

TINY = Experiment(
    network="digits",
    options={"convs": [8, 8], "hidden": [12]},
    dataset="digits",
    epochs=2,
    precision="32",  # on every processor
    batch=50,
    lr=0.01,
)
WRN = {"form": "hardware", "widths": [4, 4, 6, 8], "in_channels": 1, "size": 8}


def network(name, seed=0, **options):
    """A network with batch norms as training leaves them."""
    torch.manual_seed(seed)
    net = build(name, **options)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 1)
            module.running_var.uniform_(1, 9)
            if module.affine:
                module.weight.data.normal_()
                module.bias.data.normal_(0, 0.5)
    return net.eval()


def grouped(net, rate=0.5, **settings):
    return Groups(prunable(net), rate, nu=1e-4, seed=0, **settings)


def on_grid(net, count=20):
    levels = np.random.default_rng(5).integers(-128, 128, (count, *net.input_shape))
    return (levels / 128).astype(np.float32)


def test_filters_that_stand_together_make_a_group():
    torch.manual_seed(0)
    centres = torch.randn(3, 1, 2, 3, 3)
    filters = (centres + 0.01 * torch.randn(3, 4, 2, 3, 3)).flatten(0, 1)
    labels = cluster(filters, 3, seed=1)
    assert labels.dtype == torch.int64
    groups = labels.view(3, 4)
    assert (groups == groups[:, :1]).all() and len(set(groups[:, 0].tolist())) == 3
    assert torch.equal(labels, cluster(filters, 3, seed=1))


def test_no_group_is_empty_even_where_filters_are_equal():
    assert sorted(cluster(torch.ones(6, 2, 3, 3), 4, seed=0).unique().tolist()) == [0, 1, 2, 3]


def test_how_many_filters_remain():
    assert [filter_clustering.kept_filters(*x) for x in ((16, 0.5), (5, 0.5), (3, 0.1))] == [
        8,
        2,
        1,
    ]


def test_representative_is_the_member_nearest_to_the_mean():
    latent = torch.tensor([0.0, 7.0, 1.0, 9.0, 5.0, 8.5])[:, None]
    labels = torch.tensor([1, 0, 1, 0, 1, 0])
    # Means 2 and 8.17.
    assert filter_clustering.representatives(latent, labels).tolist() == [2, 5]


def test_pruning_loss_and_its_gradients_are_the_closed_forms():
    torch.manual_seed(2)
    latent = torch.randn(7, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 2, 1, 0, 2, 2, 0])
    sigma = (torch.rand(3, dtype=torch.float64) + 0.1).requires_grad_()
    lam, nu = 0.3, 0.7
    loss = pruning_loss(latent, labels, sigma, nu, lam / 2)
    loss.backward()
    k, s = latent.detach().numpy(), sigma.detach().numpy()
    expected, for_sigma = 0.0, np.zeros(3)
    for group in range(3):
        members = np.flatnonzero(labels.numpy() == group)
        mean = k[members].mean(0)
        for i in members:
            distance = (k[i] - mean).ravel()
            squares = distance @ distance
            expected += squares + nu * squares / s[group] ** 2 + nu * 27 * np.log(s[group] ** 2)
            for_sigma[group] += lam * nu * (27 / s[group] - squares / s[group] ** 3)
            gradient = lam * (1 + nu / s[group] ** 2) * distance
            np.testing.assert_allclose(latent.grad[i].numpy().ravel(), gradient, 1e-12, 1e-12)
    np.testing.assert_allclose(loss.item(), lam / 2 * expected, 1e-12)
    np.testing.assert_allclose(pruning_loss(latent, labels, sigma, nu).item(), expected, 1e-12)
    np.testing.assert_allclose(sigma.grad.numpy(), for_sigma, 1e-12, 1e-12)


def test_sigma_starts_at_the_deviation_of_the_group_and_has_a_floor():
    net = network("digits", **TINY.options)
    layer = net.layers.conv1.matrix
    latent = layer.weight.detach().clone()
    groups = grouped(net)
    labels = groups.labels["conv1"]
    for group, sigma in enumerate(groups.sigma[1].tolist()):
        members = latent[labels == group]
        assert sigma == pytest.approx(
            max(1e-3, float((members - members.mean(0)).std(correction=0)))
        )
    with torch.no_grad():
        groups.sigma[1].fill_(-1)
    groups.loss()
    assert (groups.sigma[1] == filter_clustering.SMALLEST_SIGMA).all()


def test_blend_goes_from_the_filters_to_their_means():
    torch.manual_seed(1)
    latent = torch.randn(5, 2, 3, 3, dtype=torch.float64)
    blend = Blend(torch.tensor([1, 0, 1, 1, 0]))
    means = group_means(latent, blend.labels)
    assert torch.equal(means[0], (latent[1] + latent[4]) / 2)
    assert torch.equal(blend(latent), latent)
    blend.gamma = 0.25
    assert torch.equal(blend(latent), 0.75 * latent + 0.25 * means[blend.labels])
    blend.gamma = 1.0
    assert torch.equal(blend(latent), means[blend.labels])


@pytest.mark.parametrize("method", ["bonn", "xnor", "bnn"])
def test_the_quantiser_sees_the_blend(method):
    net = network("wrn22", **WRN, method=method)
    conv = net.layers.stage1_0.conv
    latent = conv.weight.detach().clone()
    groups = grouped(net, blended=True)
    labels = groups.labels["stage1_0"]
    assert torch.equal(conv.quant_weight().value.sign(), latent.sign())
    groups.blend(1.0)
    weights = conv.quant_weight().value
    means = group_means(latent, labels)
    assert torch.equal(weights.sign(), means.sign()[labels])
    # Scales too, also where they are statistics of the filter.
    assert all(len(weights[labels == group].unique(dim=0)) == 1 for group in range(len(means)))


def test_filters_of_a_group_learn_as_one_when_gamma_is_1():
    blend = Blend(torch.tensor([0, 0, 1]))
    blend.gamma = 1.0
    latent = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    gradient = torch.randn(3, 4, dtype=torch.float64)
    blend(latent).backward(gradient)
    mean = (gradient[0] + gradient[1]) / 2
    torch.testing.assert_close(latent.grad, torch.stack([mean, mean, gradient[2]]))


def test_filters_of_a_group_share_their_gradient():
    latent = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    gradient = torch.randn(3, 4, dtype=torch.float64)
    weight = SharedGradient(torch.tensor([0, 1, 0]))(latent)
    assert torch.equal(weight, latent)
    weight.backward(gradient)
    mean = (gradient[0] + gradient[2]) / 2
    torch.testing.assert_close(latent.grad, torch.stack([mean, gradient[1], mean]))


def test_filters_are_drawn_at_a_constant_rate():
    net = network("digits", **TINY.options)
    before = net.layers.conv0.matrix.weight.detach().clone()
    groups = grouped(net)
    labels = groups.labels["conv0"]
    means = group_means(before, labels)[labels]
    assert groups.apart == 1.0
    groups.draw(0.25)
    torch.testing.assert_close(groups.latent("conv0").detach(), 0.75 * before + 0.25 * means)
    groups.draw(0.25)
    assert groups.apart == pytest.approx(0.75**2, rel=1e-5)
    # Every member is drawn to its mean, so the mean stays.
    torch.testing.assert_close(
        group_means(groups.latent("conv0").detach(), labels)[labels], means, atol=1e-6, rtol=1e-6
    )
    groups.merge()
    weight = net.layers.conv0.matrix.weight
    assert not hasattr(net.layers.conv0.matrix, "parametrizations")
    for group in range(int(labels.max()) + 1):
        assert len(weight[labels == group].unique(dim=0)) == 1


def test_latent_weights_are_clipped_behind_the_blend():
    net = network("digits", method="bnn")
    groups = grouped(net)
    with torch.no_grad():
        groups.latent("conv0").fill_(3)
    groups.clip()
    assert (groups.latent("conv0") == 1).all()


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


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    run = tmp_path_factory.mktemp("tiny") / "run"
    train.train(TINY, run, progress=False, limit=200)
    return run


def test_arguments_are_checked_before_anything_is_written(tiny, tmp_path):
    out = tmp_path / "out"
    for rate in (0, 1, -0.5, float("nan")):
        with pytest.raises(UserError) as error:
            prune(tiny, out, rate)
        assert str(error.value) == (
            f"prune: rate must be between 0 and 1, not {rate}; it is the share of filters to keep"
        )
    with pytest.raises(UserError) as error:
        prune(tiny, out, recover=0)
    assert str(error.value) == "prune: recover must be at least 1, not 0"
    with pytest.raises(UserError) as error:
        prune(tiny, tiny)
    assert str(error.value) == f"{tiny}: exists already; name a new folder for the pruned run"
    assert not list(tmp_path.iterdir())


def test_runs_that_cannot_be_pruned(tiny, tmp_path, monkeypatch):
    half = tmp_path / "half"
    half.mkdir()
    (half / "last.ckpt").write_bytes((tiny / "last.ckpt").read_bytes())
    (half / "experiment.toml").write_text(replace(TINY, epochs=3).toml())
    with pytest.raises(UserError) as error:
        prune(half, tmp_path / "out")
    assert str(error.value) == (
        f"{half}: not finished, 2 of 3 epochs; go on with "
        f"`bonn-hw train EXPERIMENT.toml --out {half} --resume`, then prune"
    )
    options = {"widths": [2, 2], "in_channels": 1, "size": 8, "method": "float"}
    full = replace(TINY, network="wrn22", options=options, epochs=1)
    train.train(full, tmp_path / "float", progress=False, limit=50)
    with pytest.raises(UserError) as error:
        prune(tmp_path / "float", tmp_path / "out")
    assert str(error.value) == (
        f"{tmp_path}/float: its network 'wrn22' has no 1-bit layer to prune; name a run of another "
        'method than "float"'
    )
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError) as error:
        prune(tiny, tmp_path / "out")
    assert str(error.value) == "prune: runs as one process; start it without torchrun"


def interrupt(patch, step):
    """Send Ctrl-C to this process in the given step of training."""
    original, calls = pruning.TrainingModule.training_step, []

    def interrupted(self, batch, index):
        calls.append(index)
        if len(calls) == step:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, batch, index)

    patch.setattr(pruning.TrainingModule, "training_step", interrupted)


# 200 images in batches of 50: 4 steps an epoch.
def test_nothing_is_left_of_a_pruning_interrupted_in_its_first_epoch(tiny, tmp_path, monkeypatch):
    out = tmp_path / "out"
    interrupt(monkeypatch, 2)
    with pytest.raises(train.Interrupted) as error:
        prune(tiny, out, epochs=1, recover=1, progress=False)
    assert str(error.value) == (
        f"{out}: pruning was interrupted in its first epoch, and nothing is left of it; start "
        f"again with `bonn-hw prune {tiny} --out {out}`"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ramp", [False, pytest.param(True, marks=pytest.mark.large)])
def test_an_interrupted_pruning_goes_on_and_ends_as_without(
    tiny, tmp_path, monkeypatch, capsys, ramp
):
    at_once, out = tmp_path / "at once", tmp_path / "out"
    words = {"epochs": 2, "recover": 2, "ramp": ramp, "narrow": ramp}
    prune(tiny, at_once, progress=False, **words)
    kept = f"epochs, which are kept in {out}.unfinished; the same command goes on with the next one"
    for step, epoch in ((6, 1), (10, 3)):  # in the second epoch, and two epochs later
        with monkeypatch.context() as patch, pytest.raises(train.Interrupted) as error:
            interrupt(patch, step)
            prune(tiny, out, **words)
        assert str(error.value) == f"{out}: pruning was interrupted after {epoch} of 4 {kept}"
        assert not out.exists()
    with pytest.raises(UserError) as error:
        prune(tiny, out, **{**words, "epochs": 3})
    assert str(error.value) == (
        f"{out}.unfinished: an unfinished pruning with epochs 2 and not 3; start it as before to "
        "go on with it, or remove that folder"
    )
    capsys.readouterr()
    prune(tiny, out, **words)
    assert "going on after epoch 3 of 4 of the pruning\n" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["at once", "out"]
    assert Checkpoint.load(out).digest() == Checkpoint.load(at_once).digest()
    for name in ("metrics.json", "pruning.json", "kernels.json", "experiment.toml"):
        assert (out / name).read_bytes() == (at_once / name).read_bytes()


def test_a_folder_of_others_is_left_alone(tiny, tmp_path):
    place = tmp_path / "out.unfinished"
    place.mkdir()
    with pytest.raises(UserError) as error:
        prune(tiny, tmp_path / "out", epochs=1, recover=1, progress=False)
    assert str(error.value) == f"{place}: not the folder of an unfinished pruning; move it away"
    assert list(place.iterdir()) == []


def test_pruning_is_repeatable_and_leaves_an_ordinary_run(tiny, tmp_path, capsys):
    before = {f.name: f.read_bytes() for f in tiny.iterdir()}
    first, second = tmp_path / "first", tmp_path / "second"
    for out in (first, second):
        arguments = ["prune", str(tiny), "--epochs", "3", "--recover", "2", "--out", str(out)]
        assert main(arguments) == 0
    assert Checkpoint.load(first).digest() == Checkpoint.load(second).digest()
    names = sorted(f.name for f in first.iterdir())
    assert names == [
        *("experiment.toml", "kernels.json", "last.ckpt", "metrics.csv", "metrics.json"),
        "pruning.json",
    ]
    for name in ("metrics.json", "pruning.json", "kernels.json", "experiment.toml"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert {f.name: f.read_bytes() for f in tiny.iterdir()} == before
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == "filters: conv0 8 -> 4, conv1 8 -> 4, fc0 12 -> 6"
    assert shown[1].startswith("before: test ")
    assert [line.split()[:3] for line in shown[2:5]] == [
        ["prune", f"{n}/3", "apart"] for n in (1, 2, 3)
    ]
    apart = [epoch["apart"] for epoch in json.loads((first / "pruning.json").read_text())["epochs"]]
    assert 0 < apart[2] < apart[0] < 0.2  # steps of Adam keep them from being equal before the end
    assert [line.split()[:2] for line in shown[5:7]] == [["epoch", "1/2"], ["epoch", "2/2"]]
    # What takes run folders takes this one.
    assert Experiment.read(first / "experiment.toml").options["pruned"] == [4, 4, 6]
    train.train(Experiment.read(first / "experiment.toml"), first, resume=True, limit=200)
    assert Checkpoint.load(first).digest() == Checkpoint.load(second).digest()
    plot(first, tmp_path / "figures")


def test_a_ramp_and_a_narrower_chain(tiny, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["prune", str(tiny), "--epochs", "3", "--recover", "1", "--ramp", "--narrow"]
    assert main([*arguments, "--out", str(out)]) == 0
    shown = capsys.readouterr().err.splitlines()
    assert [line.split()[:4] for line in shown[2:5]] == [
        ["prune", f"{n}/3", "gamma", gamma] for n, gamma in ((1, "0.27"), (2, "0.64"), (3, "1.00"))
    ]
    options = Experiment.read(out / "experiment.toml").options
    assert (options["convs"], options["hidden"], options.get("pruned")) == ([4, 4], [6], None)


def test_how_filters_are_drawn_is_checked(tiny, tmp_path):
    out = tmp_path / "out"
    for gamma in (0, 1.5):
        with pytest.raises(UserError) as error:
            prune(tiny, out, gamma=gamma)
        assert str(error.value) == (
            f"prune: gamma must be above 0 and at most 1, not {gamma}; it is the share of the way "
            "to the mean that a filter goes with each step"
        )
    with pytest.raises(UserError) as error:
        prune(tiny, out, gamma=0.5, ramp=True)
    assert str(error.value) == (
        "prune: gamma 0.5 is a constant rate, and a ramp goes from 0 to 1; leave one of --gamma "
        "and --ramp out"
    )
    prune(tiny, tmp_path / "copied", epochs=1, recover=1, gamma=1.0, progress=False)
    with pytest.raises(UserError) as error:
        prune(tmp_path / "copied", out, narrow=True)
    assert str(error.value) == (
        f"{tmp_path / 'copied'}: was pruned with copies, and cannot become narrower; prune it "
        "without --narrow, or the run that it was made of with --narrow"
    )
    assert not out.exists()


def test_bonn_residual_run_is_pruned(tmp_path):
    options = {**WRN, "blocks": [2, 2, 2], "method": "bonn"}
    experiment = replace(TINY, network="wrn", options=options, lam=1e-4, theta=1e-4, epochs=1)
    train.train(experiment, tmp_path / "run", progress=False, limit=100)
    checkpoint = prune(tmp_path / "run", tmp_path / "pruned", progress=False)
    assert checkpoint.network.layers.stage1_0.copies.index.unique().tolist() == [0, 1]
    assert json.loads((tmp_path / "pruned/pruning.json").read_text())["layers"]["stage3_1"] == {
        "filters": 8,
        "kept": 4,
    }
    with pytest.raises(UserError) as error:
        prune(tmp_path / "run", tmp_path / "out", narrow=True)
    assert str(error.value) == (
        "prune: network 'wrn' cannot become narrower, since its shortcuts need every channel; "
        "leave --narrow out"
    )


@pytest.mark.large
def test_digits_survive_and_their_accelerator_shrinks(tmp_path):
    run, half = tmp_path / "run", tmp_path / "half"
    experiment = Experiment(
        network="digits", dataset="digits", epochs=12, batch=64, lr=0.01, precision="32"
    )
    train.train(experiment, run, progress=False)
    prune(run, half, rate=0.5, epochs=6, recover=8, progress=False, narrow=True)
    facts = json.loads((half / "pruning.json").read_text())
    assert facts["accuracy_before"] >= 0.95
    assert json.loads((half / "metrics.json").read_text())["accuracy"] >= 0.85
    used = []
    for folder in (run, half):
        model = tmp_path / f"{folder.name}.onnx"
        export(folder, model)
        target = pipeline.Target(board("pynq-z2"), 100.0, 50_000)
        report = pipeline.compile_model(model, target, tmp_path / f"{folder.name}_build")
        used.append({name: one.predicted for name, one in report.resources.named.items()})
    assert used[1]["lut"] < 0.8 * used[0]["lut"]
    assert used[1]["bram36"] <= used[0]["bram36"]


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
