# SPDX-License-Identifier: BSD-3-Clause
"""What a training says when a layer of BONN leaves its range."""

import json

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("lightning")

from bonn_hw.nn.models import modulation
from bonn_hw.nn.training import experiment_keys, health
from bonn_hw.nn.training.kernel_statistics import KERNELS
from bonn_hw.nn.training.train import train

DIGITS = """
[network]
name = "digits"
method = "bonn"
convs = [4, 4]
hidden = [8]
[data]
name = "digits"
[training]
epochs = 2
batch = 64
lr = {lr}
seed = 1
[bayesian]
lambda = 1e-4
theta = 1e-3
{bayesian}
"""


def trained(tmp_path, lr=0.01, bayesian=""):
    path = tmp_path / "experiment.toml"
    path.write_text(DIGITS.format(lr=lr, bayesian=bayesian))
    train(path, tmp_path / "run", limit=400)
    return json.loads((tmp_path / "run" / KERNELS).read_text())["epochs"]


def layer(**changed):
    return {"scale": 0.1, "inside": 1.0, "pull": 2e-4, "flips": 0.1} | changed


def at(epoch, **layers):
    return {"epoch": epoch, "layers": layers}


@pytest.mark.parametrize(
    ("changed", "kind", "sentence"),
    [
        ({}, None, ""),
        ({"scale": 0.79}, None, ""),
        ({"scale": 0.9}, "growth", "conv1 9 times: mean(w) left the range of its start"),
        ({"scale": 0.01}, "growth", "conv1 0.1 times"),
        ({"inside": 0.49}, "window", "conv1 49%: less than half of X is in the window |w X| <= 1"),
        ({"flips": 0.45}, "flips", "conv1 45%: signs change as often as if they were drawn anew"),
        ({"pull": 2e-5}, "pull", "conv1 2.0e-05: the prior's pull λν/σ² is too weak to matter"),
        ({"pull": 0.0}, None, ""),
    ],
)
def test_each_kind_is_one_sentence(changed, kind, sentence):
    found = health.complaints(
        at(0, conv0=layer(), conv1=layer()), at(2, conv0=layer(), conv1=layer(**changed))
    )
    assert set(found) == ({kind} if kind else set())
    assert sentence in found.get(kind, "")


def test_layers_without_modulation_have_their_flips_only():
    assert health.complaints(at(0, fc={}), at(2, fc={"flips": 0.5})).keys() == {"flips"}


def test_many_signs_change_in_a_first_epoch():
    assert health.complaints(at(0, fc={}), at(1, fc={"flips": 0.5})) == {}


def test_w_that_runs_away_is_said_once(tmp_path, capsys):
    """With w free, as in the paper's text, and a rate of w above that of X."""
    kernels = trained(tmp_path, bayesian='modulation = "free"\nmodulation_lr = 0.3\nstart = 0.01')
    told = capsys.readouterr().err
    assert told.count("mean(w) left the range of its start; use [bayesian] modulation") == 1
    first, last = kernels[0]["layers"], kernels[-1]["layers"]
    assert max(abs(last[name]["scale"] / first[name]["scale"]) for name in first) > 8


def test_w_is_held_whatever_its_rate(tmp_path, capsys):
    kernels = trained(tmp_path, bayesian="modulation_lr = 0.3\nstart = 0.01")
    assert "mean(w)" not in capsys.readouterr().err
    for name, start in kernels[0]["layers"].items():
        for epoch in kernels[1:]:
            now = epoch["layers"][name]
            assert now["scale"] == start["scale"]
            assert now["inside"] == 1
    assert 0 < max(now["flips"] for now in kernels[-1]["layers"].values()) < 1


def test_a_pull_that_does_nothing_is_said(tmp_path, capsys):
    trained(tmp_path)
    assert "give [bayesian] start = 0.01" in capsys.readouterr().err


def test_ranges_of_experiments_are_those_of_the_quantiser():
    assert experiment_keys.RANGES == modulation.RANGES
