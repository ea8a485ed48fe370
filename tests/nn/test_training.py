# SPDX-License-Identifier: BSD-3-Clause
import json
import os
import signal
from dataclasses import replace

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("lightning")
pytest.importorskip("sklearn")

from bonn_hw.errors import UserError  # noqa: E402
from bonn_hw.nn import training  # noqa: E402
from bonn_hw.nn.experiment import Experiment  # noqa: E402

TINY = Experiment(
    network="digits",
    options={"convs": [4, 4], "hidden": [8]},
    dataset="digits",
    epochs=3,
    batch=50,
    lr=0.01,
    seed=3,
    augment="shift",
)


def train(out, experiment=TINY, **options):
    return training.train(experiment, out, progress=False, limit=200, **options)


def weights(checkpoint) -> dict:
    return {k: v.numpy().tobytes() for k, v in checkpoint.network.state_dict().items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One uninterrupted run: its folder and network."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return out, train(out)


class InterruptIn:
    """Stands in for the objective; presses Ctrl-C at one call of it."""

    def __init__(self, call):
        self.call = call
        self.original = training.objective

    def __call__(self, *args):
        self.call -= 1
        if self.call == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return self.original(*args)


def test_run_folder(whole):
    out, _ = whole
    names = ["experiment.toml", "last.ckpt", "metrics.csv", "metrics.json"]
    assert sorted(os.listdir(out)) == names
    assert Experiment.read(out / "experiment.toml") == TINY
    metrics = json.loads((out / "metrics.json").read_text())
    assert [e["epoch"] for e in metrics["epochs"]] == [1, 2, 3]
    assert metrics["accuracy"] == metrics["epochs"][-1]["test_accuracy"]
    assert (out / "metrics.csv").read_text().count("\n") == 4


def test_metrics_are_those_of_the_checkpoint(whole):
    out, checkpoint = whole
    test = checkpoint.test_set()
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["accuracy"] == checkpoint.accuracy(test.images, test.labels)


def test_repeatable_and_seeded(whole, tmp_path):
    out, checkpoint = whole
    again = train(tmp_path / "again")
    assert weights(again) == weights(checkpoint)
    assert (tmp_path / "again/metrics.json").read_bytes() == (out / "metrics.json").read_bytes()
    assert weights(train(tmp_path / "other", replace(TINY, seed=4))) != weights(checkpoint)


# 200 images in batches of 50: 4 steps an epoch.
@pytest.mark.parametrize(("step", "finished"), [(2, 0), (7, 1), (9, 2)])
def test_resumed_run_equals_uninterrupted_one(whole, tmp_path, monkeypatch, step, finished):
    out = tmp_path / "run"
    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(training, "objective", InterruptIn(step))
        with pytest.raises(training.Interrupted) as error:
            train(out)
    assert signal.getsignal(signal.SIGINT) is handler
    assert str(error.value) == (
        f"{out}: interrupted after {finished} of 3 epochs; go on with "
        f"`bonn-hw train FLOW.toml --out {out} --resume`"
    )
    # What the interrupted process left in the generators must not matter.
    torch.manual_seed(999)
    assert weights(train(out, resume=True)) == weights(whole[1])
    assert (out / "metrics.json").read_bytes() == (whole[0] / "metrics.json").read_bytes()


def test_finished_run_resumes_to_itself(whole):
    out, checkpoint = whole
    before = (out / "last.ckpt").read_bytes()
    assert weights(train(out, resume=True)) == weights(checkpoint)
    assert (out / "last.ckpt").read_bytes() == before


def test_figures_lost_to_an_interruption_come_back(whole):
    out, _ = whole
    before = [(out / name).read_bytes() for name in ("metrics.json", "metrics.csv")]
    (out / "metrics.json").unlink()
    (out / "metrics.csv").write_text("half")
    train(out, resume=True)
    assert [(out / name).read_bytes() for name in ("metrics.json", "metrics.csv")] == before


def test_existing_run_is_not_overwritten(whole):
    out, _ = whole
    before = {f.name: f.read_bytes() for f in out.iterdir()}
    with pytest.raises(UserError) as error:
        train(out)
    assert str(error.value) == (
        f"{out}: already holds a run; go on with it by --resume, or name another folder"
    )
    with pytest.raises(UserError) as error:
        train(out, replace(TINY, lr=0.1), resume=True)
    assert str(error.value) == (
        f"{out}: its run is of another experiment than the one given (experiment.toml and "
        "metrics.json say which); resume with that one, or name another folder"
    )
    assert {f.name: f.read_bytes() for f in out.iterdir()} == before


def test_places_that_hold_no_run(tmp_path):
    with pytest.raises(UserError) as error:
        train(tmp_path / "none", resume=True)
    assert str(error.value) == (
        f"{tmp_path}/none: no run to resume; leave --resume out to start one"
    )
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(UserError) as error:
        train(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: not empty, and not a run; name a new folder for the run"
    )
    assert not (tmp_path / "none").exists()


def test_network_and_data_must_fit(tmp_path):
    wrong = replace(TINY, options={"size": 16})
    with pytest.raises(UserError) as error:
        train(tmp_path / "run", wrong)
    assert str(error.value) == (
        "experiment: network digits takes images (1, 16, 16), but digits with transform none gives "
        "(1, 8, 8) (C, H, W); set in_channels and the size in [network], or transform in [data]"
    )
    with pytest.raises(UserError) as error:
        train(tmp_path / "run", replace(TINY, options={"classes": 3}))
    assert str(error.value) == (
        "experiment: network digits has 3 classes, but digits has 10; set [network] classes"
    )
    assert not (tmp_path / "run").exists()


def test_loss_that_is_not_finite(tmp_path, monkeypatch):
    monkeypatch.setattr(
        training, "objective", lambda network, logits, labels: logits.sum() * float("nan")
    )
    with pytest.raises(UserError) as error:
        train(tmp_path / "run")
    assert str(error.value) == (
        "training: the loss is nan in epoch 1, step 1; it must be finite: train again, into a new "
        "folder, with a lower lr than 0.01"
    )


def test_digits_are_learnt(tmp_path):
    experiment = Experiment(network="digits", dataset="digits", epochs=12, batch=64, lr=0.01)
    training.train(experiment, tmp_path / "run", progress=False)
    assert json.loads((tmp_path / "run/metrics.json").read_text())["accuracy"] >= 0.95
