# SPDX-License-Identifier: BSD-3-Clause
"""Runs of `prune`: arguments, interruption, results."""

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


from bonn_hw import pipeline
from bonn_hw.boards import board
from bonn_hw.cli.main import main
from bonn_hw.errors import UserError
from bonn_hw.nn.export import export
from bonn_hw.nn.figures.plot import plot
from bonn_hw.nn.training import pruning, train
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.pruning import prune
from tests.support.pruned import TINY, WRN


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
