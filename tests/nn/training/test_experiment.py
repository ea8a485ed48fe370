# SPDX-License-Identifier: BSD-3-Clause
from pathlib import Path

import pytest

from bonn_hw.errors import UserError
from bonn_hw.nn.training.experiment import Experiment

FLOWS = Path(__file__).parents[3] / "flows" / "experiments"
GOOD = """
[network]
name = "cnv"
in_channels = 1
convs = [8, 8]
[data]
name = "fashion-mnist"
transform = "pad32"
[training]
epochs = 3
lr = 0.01
"""


def test_values_and_defaults():
    e = Experiment.parse(GOOD, "x.toml")
    assert (e.network, e.options) == ("cnv", {"in_channels": 1, "convs": [8, 8]})
    assert (e.dataset, e.transform, e.root) == ("fashion-mnist", "pad32", None)
    assert (e.epochs, e.batch, e.lr, e.optimiser) == (3, 100, 0.01, "adam")
    assert (e.schedule, e.seed, e.augment) == ("cosine", 0, "none")


def test_toml_is_read_back():
    e = Experiment.parse(GOOD, "x.toml")
    assert Experiment.parse(e.toml(), "copy") == e


@pytest.mark.parametrize("flow", sorted(FLOWS.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_flows_are_valid(flow):
    assert Experiment.read(flow).epochs > 0


@pytest.mark.torch
@pytest.mark.parametrize("flow", sorted(FLOWS.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_networks_can_be_built(flow):
    pytest.importorskip("brevitas")
    from bonn_hw.nn.models.networks import build

    e = Experiment.read(flow)
    build(e.network, **e.options)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "epochs = 3",
            "epochs = 0",
            "x.toml: [training] epochs must be a positive integer, not 0",
        ),
        ("epochs = 3\n", "", "x.toml: [training] epochs is missing; give a positive integer"),
        ("lr = 0.01", "lr = nan", "x.toml: [training] lr must be a positive number, not nan"),
        ("lr = 0.01", "batch = 1", "x.toml: [training] batch must be an integer above 1, not 1"),
        (
            "lr = 0.01",
            "wieght_decay = 1",
            "x.toml: key 'wieght_decay' of [training] is not known (did you mean 'weight_decay'?); "
            "choose from epochs, batch, lr, optimiser, momentum, nesterov, weight_decay, schedule, "
            "milestones, decay, warm_up, fine_tune_epochs, fine_tune_lr, test_every, precision, "
            "memory_format, seed, augment, erase, mixup, cutmix, label_smoothing, average, "
            "norm_epochs, init, teacher, teacher_weight, temperature, "
            "kurtosis",
        ),
        (
            "lr = 0.01",
            "milestones = [60, 0]",
            "x.toml: [training] milestones must be a list of epochs, not [60, 0]",
        ),
        (
            "[training]",
            "[bayesian]\nlambda = -1\n[training]",
            "x.toml: [bayesian] lambda must be 0 or a positive number, not -1",
        ),
        (
            "[training]",
            "[baysian]\nlambda = 1\n[training]",
            "x.toml: 'baysian' is not known here (did you mean 'bayesian'?); the tables are "
            "[network], [data], [training] and [bayesian]",
        ),
        (
            "pad32",
            "pad64",
            "x.toml: [data] transform must be one of none, pad32, half, pad32-half, not 'pad64'",
        ),
        (
            "[training]",
            "[optimiser]",
            "x.toml: 'optimiser' is not known here; the tables are [network], [data], [training] "
            "and [bayesian]",
        ),
        (
            "epochs = 3",
            "epochs = ",
            "x.toml: not valid TOML (Invalid value (at line 10, column 10)); mend that place",
        ),
    ],
)
def test_wrong_files(old, new, message):
    with pytest.raises(UserError) as error:
        Experiment.parse(GOOD.replace(old, new), "x.toml")
    assert str(error.value) == message


def test_experiments_that_are_shipped_are_found_from_any_folder(tmp_path, monkeypatch):
    named = "flows/experiments/digits.toml"
    here = Experiment.read(named)
    monkeypatch.chdir(tmp_path)
    assert Experiment.read(named) == here
    own = tmp_path / named
    own.parent.mkdir(parents=True)
    own.write_text(GOOD)
    assert Experiment.read(named) == Experiment.parse(GOOD, named)  # one's own comes first


def test_missing_file(tmp_path):
    with pytest.raises(UserError) as error:
        Experiment.read(tmp_path / "none.toml")
    assert str(error.value) == (
        f"{tmp_path}/none.toml: cannot be read (No such file or directory); name an experiment "
        "file such as flows/experiments/digits.toml"
    )
