# SPDX-License-Identifier: BSD-3-Clause
"""Trainings that build on another run: two stages by `init`, distillation by `teacher`."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("lightning")
pytest.importorskip("sklearn")

from bonn_hw.errors import UserError
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training import train as training
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.release import release
from bonn_hw.nn.training.teacher import Teacher
from bonn_hw.nn.training.warm_start import start_from

CHAIN = {"convs": [4, 4], "hidden": [8]}
RESIDUAL = {"widths": [2, 2, 2, 2], "in_channels": 1, "size": 8}
FIRST = Experiment(
    network="digits",
    options=CHAIN | {"method": "float-weights"},
    dataset="digits",
    epochs=1,
    precision="32",  # on every processor
    batch=50,
    lr=0.01,
)


def train(out, experiment, **options):
    return training.train(experiment, out, progress=False, limit=100, **options)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A run with 1-bit activations and float weights."""
    out = tmp_path_factory.mktemp("runs") / "first"
    train(out, FIRST)
    return out


@pytest.fixture(scope="module")
def react(tmp_path_factory):
    """A run of a residual network with shifts and slopes in the paper form."""
    out = tmp_path_factory.mktemp("runs") / "react"
    options = RESIDUAL | {"method": "react", "slopes": "learnt"}
    train(out, replace(FIRST, network="wrn22", options=options))
    return out


@pytest.mark.parametrize("method", ["bnn", "bonn"])
def test_second_stage_starts_where_the_first_one_ended(first, method, monkeypatch, tmp_path):
    stage = replace(FIRST, options=CHAIN | {"method": method}, init=str(first))
    source = Checkpoint.load(first).network.state_dict()
    found = {}
    original = training.TrainingModule

    def module(experiment, network, *data):
        found.update({n: v.clone() for n, v in network.state_dict().items()})
        return original(experiment, network, *data)

    monkeypatch.setattr(training, "TrainingModule", module)
    checkpoint = train(tmp_path / "second", stage)
    assert all(torch.equal(found[name], value) for name, value in source.items())
    # The signs are those of the first stage's weights, and then some change.
    weight = "layers.conv1.matrix.weight"
    changed = (checkpoint.network.state_dict()[weight] >= 0) != (source[weight] >= 0)
    assert 0 < changed.float().mean() < 0.5
    # Not needed any more.
    shutil.move(first, tmp_path / "moved")
    try:
        assert train(tmp_path / "second", stage, resume=True).digest() == checkpoint.digest()
    finally:
        shutil.move(tmp_path / "moved", first)


def test_first_stage_has_float_weights_and_no_integers(first):
    network = Checkpoint.load(first).network
    assert not network.exact
    weights = network.layers.conv1.matrix.quant_weight()
    assert torch.equal(weights, network.layers.conv1.matrix.weight)
    signs = network.layers.conv0(network.input(torch.zeros(1, 1, 8, 8)))
    assert set(signs.unique().tolist()) <= {-1.0, 1.0}
    for other in (network, build("wrn22", form="hardware", method="float-weights", **RESIDUAL)):
        with pytest.raises(UserError) as error:
            other.accumulators(torch.zeros(1, 1, 8, 8))
        assert str(error.value) == (
            'network: method "float-weights" has float weights and so no integers to compile; '
            'train a second run of a 1-bit method from this one: [training] init = "RUN"'
        )


def test_weights_of_another_form_and_method_fit(react):
    """Paper to hardware form; xnor's scales to BONN's modulation, which starts on its own."""
    source = Checkpoint.load(react).network.state_dict()
    network = build("wrn22", **RESIDUAL, method="react", form="hardware", slopes="learnt")
    start_from(str(react), network)
    state = network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in source.items())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"widths": [2, 2, 3, 2], "method": "react", "slopes": "learnt"},
            "its layers.stage2_0.conv.weight is (2, 2, 3, 3), not (3, 2, 3, 3)",
        ),
        (
            {"method": "xnor", "slopes": "learnt"},
            "it has learnt layers.stage1_0.sign.shift.bias, which the network lacks",
        ),
        (
            {"method": "react"},
            "it has learnt layers.stage1_0.activation.weight, which the network lacks",
        ),
    ],
)
def test_another_network_is_no_start(react, options, reason):
    with pytest.raises(UserError) as error:
        start_from(str(react), build("wrn22", **RESIDUAL | options))
    assert str(error.value) == (
        f"experiment: init {react} does not fit the network: {reason}; name a run of the same "
        "network with the same options (its method and form may differ)"
    )


def test_other_wrong_starts(first, tmp_path):
    with pytest.raises(UserError) as error:
        train(tmp_path / "run", replace(FIRST, init=f"{tmp_path}/none"))
    assert str(error.value) == (
        f"experiment: init: {tmp_path}/none: no such run folder; train first with "
        f"`bonn-hw train EXPERIMENT.toml --out {tmp_path}/none`"
    )
    wrong = replace(FIRST, options=CHAIN | {"convs": [4, 4, 4]}, init=str(first))
    with pytest.raises(UserError, match=r"it has no layers\.conv2\.matrix\.weight; name a run of"):
        train(tmp_path / "run", wrong)
    assert not (tmp_path / "run").exists()
    release(Checkpoint.load(first).network, first, tmp_path / "released")
    with pytest.raises(UserError) as error:
        train(tmp_path / "run", replace(FIRST, init=str(tmp_path / "released")))
    assert str(error.value) == (
        f"experiment: init {tmp_path}/released is a released run, of whose latent weights only the "
        "signs are left; name the run that it was made of"
    )


def test_teachers_answers_are_learnt_beside_the_labels(first, tmp_path):
    """With the whole weight on the teacher the labels do not matter."""
    student = replace(FIRST, options=CHAIN, teacher=str(first), teacher_weight=1.0)
    one = train(tmp_path / "one", student)
    assert train(tmp_path / "two", replace(student, label_smoothing=0.3)).digest() == one.digest()
    for change in ({"temperature": 1.0}, {"teacher_weight": 0.5}):
        other = train(tmp_path / str(len(change)) / next(iter(change)), replace(student, **change))
        assert other.digest() != one.digest()
    # The teacher is no part of the run.
    state = torch.load(tmp_path / "one/last.ckpt", weights_only=True)["state_dict"]
    assert not any("teacher" in name for name in state)


def test_loss_is_the_divergence_from_the_teacher():
    torch.manual_seed(0)
    network = build("digits", **CHAIN)
    images, logits = torch.rand(6, 1, 8, 8), torch.randn(6, 10, requires_grad=True)
    loss = Teacher(network, 3.0).loss(images, logits)
    p = torch.softmax(network.eval()(images).detach() / 3, 1).double()
    q = torch.softmax(logits.detach() / 3, 1).double()
    assert float(loss) == pytest.approx(float(9 * (p * (p / q).log()).sum(1).mean()), rel=1e-5)
    loss.backward()
    # Hinton's gradient: temperature times the difference of the shares.
    assert np.allclose(logits.grad, 3 * (q - p) / 6, atol=1e-6)
    own = Teacher(network, 3.0).loss(images, network(images).detach())
    assert float(own) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"options": CHAIN | {"classes": 7}},
            "experiment: teacher {run} has 10 classes, but network digits has 7; name a run with "
            "the same classes",
        ),
        (
            {"options": CHAIN | {"size": 16}},
            "experiment: teacher {run} takes images (1, 8, 8), but network digits takes "
            "(1, 16, 16) (C, H, W); name a run with the same images",
        ),
        (
            {"dataset": "fashion-mnist"},
            "experiment: teacher {run} was trained on digits, whose classes are not those of "
            "fashion-mnist; name a run with the same classes",
        ),
        (
            {"teacher": "none"},
            "experiment: teacher: none: no such run folder; train first with `bonn-hw train "
            "EXPERIMENT.toml --out none`",
        ),
    ],
)
def test_wrong_teachers(first, change, message):
    student = replace(FIRST, **{"teacher": str(first)} | change)
    with pytest.raises(UserError) as error:
        Teacher.load(student, build("digits", **student.options))
    assert str(error.value) == message.format(run=first)
