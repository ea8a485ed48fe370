# SPDX-License-Identifier: BSD-3-Clause
"""Runs with the Bayesian losses."""

import json
from dataclasses import replace

import numpy as np
import pytest

# Slow: a minute and a half, which would else be the end of the run.
pytestmark = [pytest.mark.torch, pytest.mark.slow]
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("lightning")
pytest.importorskip("sklearn")

from bonn_hw.errors import UserError
from bonn_hw.nn.training import train as training
from bonn_hw.nn.training.objective import Objective
from tests.support.tiny_training import BONN, TINY, interrupt_in, train, weights


@pytest.fixture(scope="module")
def bayesian(tmp_path_factory):
    """One run with both losses: its folder and network."""
    out = tmp_path_factory.mktemp("runs") / "bonn"
    return out, train(out, BONN)


def test_two_phases(bayesian):
    out, _ = bayesian
    epochs = json.loads((out / "metrics.json").read_text())["epochs"]
    assert [e["phase"] for e in epochs] == ["main", "main", "fine-tune", "fine-tune"]
    state = torch.load(out / "last.ckpt", weights_only=True)["state_dict"]
    assert state["losses.started"].all()
    kernels = json.loads((out / "kernels.json").read_text())["epochs"]
    assert [e["epoch"] for e in kernels] == [0, 1, 2, 3, 4]
    assert list(kernels[0]["layers"]) == ["conv0.matrix", "conv1.matrix", "fc0.matrix", "head"]
    assert all(facts["pull"] > 0 for facts in kernels[0]["layers"].values())
    # The scale that the network computes with is the one that is written.
    scale = state["network.head.weight_quant.tensor_quant.modulation"].mean().log2().round().exp2()
    assert kernels[-1]["layers"]["head"]["scale"] == scale


def test_losses_and_their_state_are_resumed(bayesian, tmp_path, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Objective, "__call__", interrupt_in(14))
        with pytest.raises(training.Interrupted, match="after 3 of 4 epochs"):
            train(out, BONN)
    train(out, BONN, resume=True)
    for name in ("metrics.json", "kernels.json"):
        assert (out / name).read_bytes() == (bayesian[0] / name).read_bytes()
    ends = [
        torch.load(o / "last.ckpt", weights_only=True)["state_dict"] for o in (out, bayesian[0])
    ]
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[1])


def test_each_loss_changes_the_training(bayesian, tmp_path):
    one = weights(bayesian[1])
    assert weights(train(tmp_path / "kernel", replace(BONN, theta=0.0))) != one
    assert weights(train(tmp_path / "feature", replace(BONN, lam=0.0))) != one


def test_bayesian_losses_need_the_modulation(tmp_path):
    with pytest.raises(UserError) as error:
        train(tmp_path / "run", replace(TINY, lam=1e-4))
    assert str(error.value) == (
        "experiment: lambda 0.0001 and theta 0.0 weigh the Bayesian losses, which need the learnt "
        'modulation; set [network] method = "bonn", or both to 0'
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "controls",
    [
        {"none": ("bonn", {"start": 0.01})},
        pytest.param({"xnor": ("xnor", {})}, marks=pytest.mark.large),
    ],
    ids=" ".join,
)
def test_kernel_loss_splits_the_kernels_into_two_modes(controls, tmp_path):
    """As in the paper's figures 3 and 4: without it, and in XNOR-Net, one mode stays."""
    widths = {"widths": [8, 16, 16], "blocks": [2, 2], "in_channels": 1, "size": 8}
    base = replace(TINY, network="wrn", options=widths, epochs=6, lr=0.02, nu=1e-3)
    found = {}
    runs = {"kernel": ("bonn", {"lam": 1e-3, "start": 0.01})} | controls
    for name, (method, losses) in runs.items():
        experiment = replace(base, options=widths | {"method": method}, **losses)
        training.train(experiment, tmp_path / name, progress=False, limit=1000)
        epochs = json.loads((tmp_path / name / "kernels.json").read_text())["epochs"]
        layers = [list(epoch["layers"].values()) for epoch in (epochs[0], epochs[-1])]
        found[name] = [np.median([facts["valley"] for facts in some]) for some in layers]
    # PyTorch's start is uniform: as many weights near 0 as elsewhere.
    assert all(0.9 < start < 1.1 for start, _ in found.values())
    assert found["kernel"][1] < 0.2
    assert all(found[name][1] > 1.2 for name in controls)
