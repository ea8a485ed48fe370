# SPDX-License-Identifier: BSD-3-Clause
"""Every switch of a recipe, alone and together: it acts, is resumed, and costs no hardware."""

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
onnx = pytest.importorskip("onnx")

from bonn_hw.errors import Interrupted, UserError
from bonn_hw.nn.export import export
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training import train as training
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.objective import Objective

CHAIN = Experiment(
    network="digits",
    options={"convs": [4, 4], "hidden": [8]},
    dataset="digits",
    epochs=2,
    precision="32",  # on every processor
    batch=50,
    lr=0.01,
    test_every=2,
)
RESIDUAL = replace(
    CHAIN,
    network="wrn",
    options={
        "form": "hardware",
        "widths": [2, 2, 2],
        "blocks": [1, 2],
        "in_channels": 1,
        "size": 8,
    },
    epochs=1,
    fine_tune_epochs=1,
)
TRAINING = [
    {"optimiser": "adamw", "weight_decay": 0.1},
    {"warm_up": 1},
    {"label_smoothing": 0.1},
    {"average": 0.9},
    {"norm_epochs": 1},
    {"erase": 0.5},
    {"mixup": 0.5},
    {"cutmix": 1.0},
    {"kurtosis": 0.1},
    {"precision": "bf16-mixed"},
]
OPTIONS = [
    {"sign_gradient": "triangle"},
    {"sign_gradient": "ede"},
    {"sign_gradient": "sine"},
    {"latent": "recu"},
]
BAYESIAN = {"lam": 1e-3, "theta": 1e-2}


def merged(switches):
    return {key: value for switch in switches for key, value in switch.items()}


def with_switches(experiment, switches, options):
    return replace(experiment, **switches, options={**experiment.options, **options})


def train(out, experiment, **options):
    return training.train(experiment, out, progress=False, limit=100, **options)


def graph(checkpoint, path):
    """Operators, names and shapes of the exported file: what decides the size of the hardware."""
    model = onnx.load(export(checkpoint, path).path)
    shapes = {v.name: str(v.type) for v in [*model.graph.value_info, *model.graph.output]}
    # Equal scalars may share one constant, and weights may stand in any order.
    constants = sorted(tuple(c.dims) for c in model.graph.initializer if c.dims)
    nodes = [(n.op_type, n.name, [shapes.get(o) for o in n.output]) for n in model.graph.node]
    nodes.sort(key=lambda node: node[1])
    return nodes, constants


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The chain without any switch: its folder, digest and graph."""
    folder = tmp_path_factory.mktemp("plain")
    checkpoint = train(folder / "run", CHAIN)
    return folder / "run", checkpoint.digest(), graph(checkpoint, folder / "m.onnx")


def interrupted_and_resumed(out, experiment, monkeypatch, call):
    """Train with a Ctrl-C at one call of the objective, then go on."""
    calls, original = iter(range(1, 1000)), Objective.__call__

    def objective(self, *args):
        if next(calls) == call:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Objective, "__call__", objective)
        with pytest.raises(Interrupted, match="after 1 of 2 epochs"):
            train(out, experiment)
    torch.manual_seed(999)
    return train(out, experiment, resume=True)


@pytest.mark.parametrize(
    ("switches", "options"),
    [*((s, {}) for s in TRAINING), *(({}, o) for o in OPTIONS), ({"teacher": True}, {})],
    ids=lambda switch: "-".join(f"{k}={v}" for k, v in switch.items()) or " ",
)
def test_a_switch_acts_and_costs_no_hardware(plain, tmp_path, switches, options):
    run, digest, drawn = plain
    if "teacher" in switches:
        switches = {"teacher": str(run)}
    experiment = with_switches(CHAIN, switches, options)
    assert Experiment.parse(experiment.toml(), "copy") == experiment
    checkpoint = train(tmp_path / "run", experiment)
    assert checkpoint.digest() != digest
    assert graph(checkpoint, tmp_path / "m.onnx") == drawn
    test = checkpoint.test_set()
    metrics = training.read_state(tmp_path / "run/last.ckpt")["history"]
    # What was tested is what was saved.
    assert metrics[-1]["test_accuracy"] == checkpoint.accuracy(test.images, test.labels)


EVERYTHING = merged(s for s in TRAINING if "precision" not in s) | {
    "memory_format": "channels-last"
}


@pytest.mark.parametrize(
    ("experiment", "options"),
    [
        # The chain and each of these switches are in one of the others too.
        pytest.param(
            CHAIN,
            {"method": "bnn", "latent": "recu", "sign_gradient": "ede"},
            marks=pytest.mark.large,
        ),
        (replace(CHAIN, **BAYESIAN), {"method": "bonn", "latent": "recu", "sign_gradient": "sine"}),
        (
            RESIDUAL,
            {
                "method": "xnor",
                "latent": "recu",
                "sign_gradient": "ede",
                "shifts": True,
                "slopes": "learnt",
            },
        ),
    ],
    ids=["chain-bnn", "chain-bonn", "residual-xnor"],
)
def test_all_switches_together_are_resumed(monkeypatch, tmp_path, experiment, options):
    everything = with_switches(experiment, EVERYTHING, options)
    whole = train(tmp_path / "whole", everything)
    # 2 steps an epoch.
    again = interrupted_and_resumed(tmp_path / "again", everything, monkeypatch, 4)
    assert again.digest() == whole.digest()
    for name in ("metrics.json", "kernels.json"):
        files = [(tmp_path / run / name).read_bytes() for run in ("whole", "again")]
        assert files[0] == files[1]
    if experiment.network == "digits":
        drawn = graph(whole, tmp_path / "m.onnx")
        without = build("digits", **experiment.options, method=options["method"])
        assert drawn == graph(without.eval(), tmp_path / "plain.onnx")


def test_any_method_has_shifts_and_slopes(tmp_path):
    """Sums of constants beside what is there, and slopes that are shifts of bits."""
    torch.manual_seed(0)
    network = build("wrn", **RESIDUAL.options, method="bonn", shifts=True, slopes="learnt")
    for name, parameter in network.named_parameters():
        if ".shift." in name or ".activation." in name:
            torch.nn.init.normal_(parameter, 0.2, 0.1)
    model = onnx.load(export(network.eval(), tmp_path / "m.onnx").path)
    names = [node.name for node in model.graph.node if node.op_type == "Add"]
    for ending in ("sign_shift", "activation_before", "activation_behind"):
        assert sum(name.endswith(ending) for name in names) == 3
    values = {c.name: onnx.numpy_helper.to_array(c) for c in model.graph.initializer}
    slopes = [values[n.input[1]] for n in model.graph.node if n.op_type == "PRelu"]
    assert len(slopes) == 3
    for powers in map(np.log2, slopes):
        assert np.array_equal(powers, powers.round()) and np.unique(powers).size
    with pytest.raises(UserError, match="network digits: option 'shifts' is not known"):
        build("digits", shifts=True)


def test_clamping_of_latent_weights_follows_the_epochs(tmp_path):
    checkpoint = train(tmp_path / "run", with_switches(CHAIN, {}, {"latent": "recu"}))
    layer = checkpoint.network.layers.conv1.matrix
    # The second of two epochs began after half of the training.
    assert float(layer.latent.tau) == pytest.approx(0.85 + 0.14 * 0.377541, abs=1e-6)
    assert layer.weight.flatten(1).mean(1).abs().max() < 1e-7


@pytest.mark.parametrize(
    ("switches", "options", "message"),
    [
        (
            {"warm_up": 3},
            {},
            "experiment: warm_up is 3 epochs, but the main schedule has 2; the rates must have "
            "risen when it ends: set [training] warm_up lower",
        ),
        (
            {"kurtosis": 0.1},
            {"method": "float-weights"},
            "experiment: kurtosis 0.1 weighs a loss of 1-bit weights, and the network has none; "
            "set it to 0, or use another [network] method",
        ),
        (
            {},
            {"method": "float-weights", "latent": "recu"},
            'network: latent "recu" is for 1-bit weights, and this network has none; leave it out, '
            "or use another method",
        ),
        (
            {},
            {"sign_gradient": "step"},
            "network digits: option sign_gradient must be one of method, window, triangle, ede, "
            "sine, not 'step'",
        ),
    ],
)
def test_switches_that_do_not_fit(tmp_path, switches, options, message):
    with pytest.raises(UserError) as error:
        train(tmp_path / "run", with_switches(CHAIN, switches, options))
    assert str(error.value) == message
    assert not (tmp_path / "run").exists()


def test_float_networks_have_no_sign():
    with pytest.raises(UserError) as error:
        build("wrn22", method="float", sign_gradient="ede")
    assert str(error.value) == (
        'network: sign_gradient "ede" is for 1-bit activations, and this network has none; leave '
        "it out, or use another method"
    )
