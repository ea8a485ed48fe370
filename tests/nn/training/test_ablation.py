# SPDX-License-Identifier: BSD-3-Clause
"""How the ablation chooses settings, corrects p values, and shows what is there so far."""

import json

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("lightning")

from benchmarks import ablation
from benchmarks.study import Study
from bonn_hw.nn.training.kernel_statistics import KERNELS
from bonn_hw.nn.training.run_files import METRICS


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "_scatter", lambda folder: 0.3)
    return Study(tmp_path, jobs=1)


def finish(study, name, experiment, accuracy):
    """A run folder as the training leaves it, as far as the table reads it."""
    folder = study.folder(name)
    folder.mkdir()
    metrics = {"accuracy": accuracy, "epochs": [{}] * experiment.all_epochs}
    (folder / METRICS).write_text(json.dumps(metrics))
    layers = {"conv": {"valley": 0.2, "bimodality": 0.5}}
    (folder / KERNELS).write_text(json.dumps({"epochs": [{"layers": layers}]}))


def choose(study, name, best):
    """Finish the held-out runs of a method; those named in `best` are the most accurate."""
    for stage in (ablation._rates, ablation._lambdas, ablation._thetas):
        for run, experiment in stage(name, study).items():
            finish(study, run, experiment, 0.9 if run in best else 0.8)


def test_holm():
    """An example that can be checked by hand: factors 4, 3, 2, 1, and never less than before."""
    found = ablation.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})
    assert ablation.holm({"a": 0.9, "b": 0.8}) == {"b": 1.0, "a": 1.0}


def test_settings_are_chosen_in_stages(study):
    assert ablation._final("both", 1, study) is None
    choose(study, "both", {"both_lr_0.01_start_0.01", "both_lambda_1e-05", "both_theta_1"})
    for name in ("both", "kernel", "feature", "none", "hardware"):
        experiment = ablation._final(name, 2, study)
        assert (experiment.lr, experiment.start, experiment.seed) == (0.01, 0.01, 2)
        assert experiment.lam == (0 if name in ("feature", "none") else 1e-5)
        assert experiment.theta == (0 if name in ("kernel", "none") else 1)
        assert experiment.held_out == 0
        assert experiment.all_epochs == 36
    assert experiment.options["form"] == "hardware"


def test_other_methods_choose_their_own_rate(study):
    choose(study, "xnor", {"xnor_lr_0.001_start_torch"})
    experiment = ablation._final("xnor", 1, study)
    assert (experiment.lr, experiment.lam, experiment.theta) == (0.001, 0, 0)
    assert experiment.options["method"] == "xnor"
    assert ablation._final("bnn", 1, study) is None


def test_a_table_of_what_there_is(study):
    choose(study, "both", {"both_lr_0.003_start_torch", "both_lambda_0.0001", "both_theta_0.01"})
    choose(study, "bnn", {"bnn_lr_0.003_start_torch"})
    for name, accuracies in {"none": (0.8, 0.81, 0.8), "both": (0.82, 0.83, 0.83)}.items():
        for seed, accuracy in enumerate(accuracies, 1):
            finish(study, f"{name}_{seed}", ablation._final(name, seed, study), accuracy)
    finish(study, "bnn_1", ablation._final("bnn", 1, study), 0.79)
    lines = ablation._table(study)[2:]
    assert [line.split(" | ")[0] for line in lines] == [
        "| neither loss",
        "| both (BONN)",
        "| plain BNN",
    ]
    assert "| 82.67 % | 0.58 | 82.00, 83.00, 83.00 | +2.33 (±1.43) points, p = 0.020 |" in lines[1]
    assert "| 79.00 % | – | 79.00 | – |" in lines[2]
    (ours, theirs) = ablation._choices(study)[2:]
    assert ours.startswith("* both (BONN): lr 0.001 start torch: 80.00%")
    assert theirs == (
        "* plain BNN: lr 0.001 start torch: 80.00%, lr 0.003 start torch: 90.00%, "
        "lr 0.01 start torch: 80.00%"
    )
