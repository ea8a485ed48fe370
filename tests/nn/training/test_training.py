# SPDX-License-Identifier: BSD-3-Clause
"""Runs: what they leave, how they go on, what is refused."""

import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest

# Slow: a minute and a half, which would else be the end of the run.
pytestmark = [pytest.mark.torch, pytest.mark.slow]
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("lightning")
pytest.importorskip("sklearn")

from bonn_hw import files
from bonn_hw.errors import UserError
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training import train as training
from bonn_hw.nn.training import training_module
from bonn_hw.nn.training.calibration import CalibrationSums
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.objective import Objective
from bonn_hw.nn.training.training_module import TEST_BATCH
from tests.support.processes import holding, kill
from tests.support.tiny_training import BONN, TINY, interrupt_in, train, weights


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One uninterrupted run: its folder and network."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return out, train(out)


def test_accuracy_is_that_of_the_exact_network_whatever_the_precision(tmp_path):
    """Autocast rounds sums of integers, which changes some of the classes of this network."""
    options = {"form": "hardware", "method": "bnn", "widths": [4, 4, 4, 4]}
    options |= {"in_channels": 1, "size": 8}
    experiment = replace(
        TINY, network="wrn22", options=options, epochs=1, precision="bf16-mixed", augment="none"
    )
    out = tmp_path / "run"
    checkpoint = train(out, experiment)
    test = experiment.data("test")
    last = json.loads((out / "metrics.json").read_text())["epochs"][-1]
    shares = last["test_accuracy"], checkpoint.accuracy(test.images, test.labels)
    logged, exact = (round(share * len(test.labels)) for share in shares)  # hits
    assert logged == exact
    with torch.autocast("cpu", torch.bfloat16):  # else the test could not fail
        rounded = checkpoint.predict(test.images)
    assert (rounded.argmax(1) != checkpoint.predict(test.images).argmax(1)).any()


def test_calibration_is_that_of_the_last_test(tmp_path):
    out = tmp_path / "run"
    checkpoint = train(out, replace(TINY, epochs=2))
    test = TINY.data("test")
    sums = CalibrationSums()
    # In batches of the size of the test's: even and odd images are counted in each of them.
    logits, labels = (
        torch.from_numpy(checkpoint.predict(test.images)),
        torch.from_numpy(test.labels),
    )
    for part in range(0, len(labels), TEST_BATCH):
        sums.add(logits[part : part + TEST_BATCH], labels[part : part + TEST_BATCH])
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["calibration"] == pytest.approx(sums.figures())
    assert all("calibration" not in epoch for epoch in metrics["epochs"])


def test_run_folder(whole):
    out, _ = whole
    names = ["experiment.toml", "kernels.json", "last.ckpt", "metrics.csv", "metrics.json"]
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
        patch.setattr(Objective, "__call__", interrupt_in(step))
        with pytest.raises(training.Interrupted) as error:
            train(out)
    assert signal.getsignal(signal.SIGINT) is handler
    assert str(error.value) == (
        f"{out}: interrupted after {finished} of 3 epochs; go on with "
        f"`bonn-hw train EXPERIMENT.toml --out {out} --resume`"
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


def test_two_processes_do_not_train_in_one_folder(whole):
    out, _ = whole
    before = {f.name: f.read_bytes() for f in out.iterdir()}

    def work(hold):
        with files.lock(out):
            hold()

    with holding(work) as other:
        with pytest.raises(UserError) as error:
            train(out, resume=True)
        kill(other)
    assert str(error.value) == (
        f"{out} is being written by another bonn-hw (pid {other}): wait for it, or choose another "
        "place (--out)"
    )
    assert {f.name: f.read_bytes() for f in out.iterdir()} == before


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


def test_held_out_images_are_tested_and_not_trained_on(tmp_path, monkeypatch):
    experiment = replace(TINY, held_out=100, epochs=1, test_every=1)
    rest, held_out = experiment.data("train"), experiment.data("held-out")
    everything = replace(TINY).data("train")
    assert (len(rest), len(held_out)) == (len(everything) - 100, 100)
    checkpoint = train(tmp_path / "run", experiment)
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["tested"] == "held-out"
    assert metrics["accuracy"] == checkpoint.accuracy(held_out.images, held_out.labels)


def test_tests_may_be_few(tmp_path):
    experiment = replace(TINY, epochs=3, fine_tune_epochs=2, test_every=100)
    train(tmp_path / "run", experiment)
    epochs = json.loads((tmp_path / "run/metrics.json").read_text())["epochs"]
    assert [e["test_accuracy"] is None for e in epochs] == [True, True, False, True, False]


def rates(experiment, count):
    data = experiment.data("train", 200)
    torch.manual_seed(0)
    module = training_module.TrainingModule(
        experiment, build("digits", **experiment.options), data, data
    )
    return [experiment.lr * module._factor(step) for step in range(count)]


@pytest.mark.parametrize("form", ["paper", "hardware"])
def test_mixed_precision(tmp_path, form):
    options = {"widths": [4, 4, 4, 4], "in_channels": 1, "size": 8, "form": form}
    experiment = replace(
        BONN, network="wrn22", options=options, epochs=1, fine_tune_epochs=1, precision="bf16-mixed"
    )
    checkpoint = train(tmp_path / "run", experiment)
    # The weights stay float32: the run is evaluated and exported as any other.
    assert {p.dtype for p in checkpoint.network.parameters()} == {torch.float32}


def test_schedules():
    """4 steps an epoch."""
    stepped = replace(TINY, lr=1.0, schedule="steps", milestones=(1, 2), decay=0.2)
    assert rates(stepped, 12) == pytest.approx([1] * 4 + [0.2] * 4 + [0.04] * 4)
    tuned = replace(stepped, epochs=1, milestones=(), fine_tune_epochs=1, fine_tune_lr=0.3)
    assert rates(tuned, 8) == pytest.approx([1] * 4 + [0.3] * 4)
    linear = replace(TINY, lr=1.0, epochs=1, schedule="linear", fine_tune_epochs=1)
    assert rates(linear, 8) == pytest.approx([1, 0.75, 0.5, 0.25, 0.1, 0.075, 0.05, 0.025])
    warm = replace(TINY, lr=1.0, schedule="constant", warm_up=1)
    assert rates(warm, 6) == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])


def poison_in(call):
    """An objective whose loss is NaN at one call of it."""
    calls, original = iter(range(1, 1000)), Objective.__call__

    def objective(self, *args):
        return original(self, *args) * (float("nan") if next(calls) == call else 1)

    return objective


def test_loss_that_is_not_finite_keeps_the_last_good_epoch(whole, tmp_path, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Objective, "__call__", poison_in(6))
        with pytest.raises(UserError) as error:
            train(out)
    assert str(error.value) == (
        "training: the loss is nan in epoch 2, step 2; the layers' values are finite, a term of "
        "the loss is not; all values must be finite: train again, into a new folder, with a lower "
        "lr than 0.01 (1 whole epochs are kept in this one)"
    )
    assert weights(train(out, resume=True)) == weights(whole[1])


def test_losses_are_looked_at_now_and_then_on_a_gpu(tmp_path, monkeypatch):
    """Each look waits for the device, so there is none in most steps."""
    monkeypatch.setitem(training_module.CHECK_EVERY, "cpu", 3)
    for call, place in ((6, "steps 1 to 3"), (8, "in one of its last steps")):
        with monkeypatch.context() as patch:
            patch.setattr(Objective, "__call__", poison_in(call))
            with pytest.raises(UserError) as error:
                train(tmp_path / str(call))
        assert f"training: a loss is not finite in epoch 2, {place}; " in str(error.value)


def test_layer_with_values_that_are_not_finite_is_named(tmp_path):
    data = TINY.data("train", 200)
    network = build("digits", **TINY.options)
    module = training_module.TrainingModule(TINY, network, data, data)
    network.layers.conv1.norm.register_forward_hook(lambda m, i, o: o / 0)
    with pytest.raises(UserError) as error:
        module._stop("the loss is nan", "step 1", torch.from_numpy(data.images[:4]))
    assert "the first layer that gives such values is 'layers.conv1.norm'" in str(error.value)
    network.layers.fc0.matrix.weight.data[0, 0] = float("inf")
    with pytest.raises(UserError) as error:
        module.finish_epoch()
    assert str(error.value) == (
        "training: a weight is not finite in epoch 1, after its last step; the first weights that "
        "are not finite are 'layers.fc0.matrix.weight'; all values must be finite: train again, "
        "into a new folder, with a lower lr than 0.01 (none is kept in this one)"
    )


def test_image_folders_are_trained_on(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    draw = np.random.default_rng(0)
    for split, count in (("train", 20), ("val", 5)):
        for shade, name in ((40, "dark"), (210, "light")):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(shade - 30, shade + 30, (40, 50, 3)).astype(np.uint8)
                pillow.fromarray(pixels).save(folder / f"{i}.png")
    experiment = Experiment(
        network="digits",
        options={"convs": [4, 4], "hidden": [8], "in_channels": 3, "size": 16, "classes": 2},
        dataset="imagenet",
        root=str(tmp_path / "images"),
        epochs=10,
        batch=8,
        lr=0.01,
    )
    training.train(experiment, tmp_path / "run", progress=False)
    assert json.loads((tmp_path / "run/metrics.json").read_text())["accuracy"] == 1.0
    with pytest.raises(UserError) as error:
        training.train(replace(experiment, root=None), tmp_path / "none", progress=False)
    assert str(error.value) == (
        "data set imagenet: root is missing; name the folder that holds train/ and val/ under "
        "[data]"
    )


@pytest.mark.large  # tests/end_to_end/test_demo.py trains the same network on the same images
def test_digits_are_learnt(tmp_path):
    experiment = Experiment(
        network="digits", dataset="digits", epochs=12, batch=64, lr=0.01, precision="32"
    )
    training.train(experiment, tmp_path / "run", progress=False)
    assert json.loads((tmp_path / "run/metrics.json").read_text())["accuracy"] >= 0.95


def test_logs_for_tensorboard(tmp_path):
    """The curves are those of metrics.json; a resumed run goes on in the same folder."""
    from tensorboardX.proto.event_pb2 import Event

    out = tmp_path / "run"
    train(out, replace(TINY, epochs=2), tensorboard=True)
    found = {}
    for path in (out / "tensorboard").glob("events.*"):
        data = path.read_bytes()
        place = 0
        while place < len(data):  # length, its checksum, the record, its checksum
            size = int.from_bytes(data[place : place + 8], "little")
            event = Event.FromString(data[place + 12 : place + 12 + size])
            place += 16 + size
            for value in event.summary.value:
                found[value.tag, event.step] = value.simple_value
    epochs = json.loads((out / "metrics.json").read_text())["epochs"]
    for epoch in epochs:
        assert found["loss", epoch["epoch"]] == pytest.approx(epoch["loss"])
        assert found["accuracy/test", epoch["epoch"]] == pytest.approx(epoch["test_accuracy"])
    assert any(name.startswith("mean_abs/") for name, _ in found)
