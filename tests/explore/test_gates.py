# SPDX-License-Identifier: BSD-3-Clause
"""Gates over channels: their cost, the narrower network that they compute, and the new run."""

import json
from dataclasses import replace

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from bonn_hw.boards import board
from bonn_hw.errors import UserError
from bonn_hw.explore import gates as explore_gates
from bonn_hw.explore.hardware import Hardware
from bonn_hw.explore.space import Candidate, Goal
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training.channel_pruning import narrowed
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.gates import Costs, Gates
from bonn_hw.nn.training.train import train

OPTIONS = {"size": 8, "convs": [8, 12], "pools": [1], "hidden": [8], "method": "bnn"}
GOAL = Goal((board("pynq-z2"),), 100.0, 100_000.0)
EXPERIMENT = Experiment(
    "chain", "digits", 1, OPTIONS, batch=64, lr=0.05, precision="32", seed=1, held_out=100
)
STEPS = {"conv0": (2, 4, 8), "conv1": (4, 6, 12), "fc0": (8,)}


def area(widths):
    """A cost that is easy to check: products of neighbours; nothing below 4 fits in conv1."""
    if widths["conv1"] < 4:
        return float("inf")
    return float(widths["conv0"] * widths["conv1"] + widths["conv1"] * widths["fc0"])


def test_a_channel_costs_its_share_of_the_next_step():
    costs = Costs({**STEPS, "conv1": (3, 4, 6, 12)}, area)
    slopes = costs.slopes({"conv0": 8, "conv1": 12, "fc0": 8})
    assert slopes == {"conv0": 12.0, "conv1": 16.0, "fc0": 0.0}  # fc0 has no smaller step
    assert costs.slopes({"conv0": 2, "conv1": 4, "fc0": 8})["conv1"] == 0  # 3 does not fit


def test_closed_channels_are_those_of_the_narrower_network():
    torch.manual_seed(3)
    network = build("chain", **OPTIONS)
    images = torch.randint(-128, 128, (40, 1, 8, 8)) / 128
    network.train()(images)
    network.eval()
    plain = network(images)
    gates = Gates(network, Costs(STEPS, area))
    assert torch.equal(network(images), plain)  # all are open
    gates.values["conv0"].data[:] = torch.tensor([0.1, 0.9, 0.2, 0.8, 0.45, 0.7, 0.0, 0.3])
    gates.values["conv1"].data[5:] = 0.0
    # 3 and 5 are open: the next steps are 4 and 6, and the largest gates below a half are opened.
    assert gates.widths == {"conv0": 4, "conv1": 6, "fc0": 8}
    assert gates.kept()["conv0"].tolist() == [1, 3, 4, 5]
    gated = network(images)
    assert not torch.equal(gated, plain)
    gates.detach()
    options, smaller = narrowed(network, EXPERIMENT, gates.kept())
    assert (options["convs"], options["hidden"]) == ([4, 6], [8])
    assert torch.equal(smaller.eval()(images), gated)


def test_both_gradients_move_a_gate():
    torch.manual_seed(3)
    network = build("chain", **OPTIONS)
    gates = Gates(network, Costs(STEPS, area))
    logits = network(torch.rand(8, 1, 8, 8))
    torch.nn.functional.cross_entropy(logits, torch.arange(8)).backward()
    assert all((value.grad != 0).any() for value in gates.values.values())
    gates.values["conv0"].grad = None
    gates.cost({"conv0": 2.0, "conv1": 0.5}).backward()
    assert (gates.values["conv0"].grad == 2).all()


def test_a_run_becomes_a_narrower_run(tmp_path):
    train(EXPERIMENT, tmp_path / "run", progress=False)
    made = explore_gates.narrow(tmp_path / "run", tmp_path / "out", GOAL, 3.0)
    again = Checkpoint.load(tmp_path / "out")
    options = again.experiment.options
    assert explore_gates.widths_of(options) == made.widths
    assert made.widths_before == {"conv0": 8, "conv1": 12, "fc0": 8}
    assert sum(made.widths.values()) < 28
    # It costs what was said, and is as accurate as an ordinary run says of itself.
    table = {"name": "chain", **options}
    assert Hardware(GOAL).fold(Candidate({"network": table})).figures.cost == made.cost
    assert made.cost < made.cost_before
    tests = again.experiment.data("held-out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert again.accuracy(tests.images, tests.labels) == pytest.approx(metrics["accuracy"], abs=0)
    assert explore_gates.read(tmp_path / "out") == made
    assert explore_gates.narrow(tmp_path / "run", tmp_path / "out", GOAL, 3.0) == made  # at once
    with pytest.raises(UserError, match=r"out: was narrowed with --gates 3, not 2; give this str"):
        explore_gates.narrow(tmp_path / "run", tmp_path / "out", GOAL, 2.0)
    assert f"conv0 8 -> {made.widths['conv0']}" in str(made)
    assert not (tmp_path / "out.unfinished").exists()
    with pytest.raises(UserError, match=r"does not fit the target; narrow a run that does"):
        explore_gates.narrow(tmp_path / "run", tmp_path / "o", replace(GOAL, lut=0.001), 3.0)


def test_only_chains_are_narrowed(tmp_path):
    (tmp_path / "experiment.toml").write_text(replace(EXPERIMENT, network="wrn").toml())
    with pytest.raises(UserError, match="--gates narrows networks of the name 'chain', and this"):
        explore_gates.narrow(tmp_path, tmp_path / "out", GOAL, 1.0)


def test_widths_and_options():
    widths = explore_gates.widths_of(OPTIONS)
    assert widths == {"conv0": 8, "conv1": 12, "fc0": 8}
    assert explore_gates.with_widths(OPTIONS, {**widths, "fc0": 4})["hidden"] == [4]
