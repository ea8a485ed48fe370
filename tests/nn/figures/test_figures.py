# SPDX-License-Identifier: BSD-3-Clause
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from bonn_hw.cli import main
from bonn_hw.errors import UserError
from bonn_hw.nn.figures import plot as figures
from bonn_hw.nn.figures.plot import plot
from bonn_hw.nn.training.kernel_statistics import kernel_statistics

NAMES = ("stage1.conv0", "stage1.conv1", "stage2.conv0")


def statistics(draw, epoch, mode=0.01):
    shape = (8, 8, 3, 3)
    share = epoch / 4
    weights = draw.choice([-1, 1], shape) * mode * share + draw.normal(
        0, 0.01 - 0.002 * epoch, shape
    )
    return kernel_statistics(weights)


def write(folder, kernels, metrics) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernels.json").write_text(json.dumps({"epochs": kernels}, allow_nan=False))
    (folder / "metrics.json").write_text(json.dumps({"epochs": metrics}, allow_nan=False))
    return folder


def kernels(names=NAMES, epochs=4, seed=0, **extra):
    draw = np.random.default_rng(seed)
    return [
        {"epoch": e, "layers": {n: statistics(draw, min(e, 4)) | extra for n in names}}
        for e in range(epochs + 1)
    ]


def metrics(epochs=4, tune_from=None):
    return [
        {
            "epoch": e,
            "loss": 1 / e,
            "train_accuracy": 1 - 0.5 / e,
            "test_accuracy": 0.9 - 0.5 / e,
            "phase": "fine-tune" if tune_from and e >= tune_from else "main",
        }
        for e in range(1, epochs + 1)
    ]


@pytest.fixture
def run(tmp_path):
    return write(tmp_path / "bonn", kernels(), metrics())


@pytest.fixture
def other(tmp_path):
    return write(tmp_path / "control", kernels(seed=1), metrics(tune_from=3))


@pytest.fixture
def drawn():
    """For tests that draw; those of errors need no Matplotlib."""
    return pytest.importorskip("matplotlib")


def message(*arguments, **options):
    with pytest.raises(UserError) as error:
        plot(*arguments, **options)
    return str(error.value)


def names(files):
    return [path.name for path in files]


def both(*stems):
    return [f"{stem}.{suffix}" for stem in stems for suffix in ("png", "svg")]


def check(files):
    for path in files:
        payload = path.read_bytes()
        if path.suffix == ".png":
            assert payload.startswith(b"\x89PNG\r\n\x1a\n")
        else:
            assert ElementTree.fromstring(payload).tag.endswith("svg")
            assert b"<dc:date>" not in payload


@pytest.mark.torch
def test_a_run_alone(run, drawn):
    files = plot(run)
    assert names(files) == both("kernels_over_epochs", "mean_abs", "accuracy")
    assert sorted(os.listdir(run / "figures")) == sorted(names(files))
    check(files)


@pytest.mark.torch
def test_two_runs_with_a_pull(tmp_path, other, drawn):
    run = write(tmp_path / "bonn", kernels(pull=1e-4, scale=1.0), metrics(tune_from=4))
    files = plot(run, tmp_path / "out/here", other, (3, 1))
    assert names(files) == both(
        "kernels_over_epochs", "kernels_against", "mean_abs", "accuracy", "pull"
    )
    assert {path.parent for path in files} == {tmp_path / "out/here"}
    check(files)


@pytest.mark.torch
def test_svgs_are_the_same_bytes_whatever_style_the_user_has(run, other, tmp_path, drawn):
    first = plot(run, tmp_path / "a", other)
    # Another process, with another hash seed and style.
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: red\nfont.size: 20\n")
    arguments = ["plot", str(run), "--against", str(other), "--out", str(tmp_path / "b")]
    done = subprocess.run(
        [sys.executable, "-m", "bonn_hw.cli", *arguments],
        env=os.environ | {"PYTHONHASHSEED": "7", "MATPLOTLIBRC": str(tmp_path / "matplotlibrc")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [str(tmp_path / "b" / name) for name in names(first)]
    for path in first:
        if path.suffix == ".svg":
            assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


@pytest.mark.torch
@pytest.mark.filterwarnings("error")
def test_dead_layers_a_single_epoch_and_odd_names(tmp_path, drawn):
    weights = {"zero": np.zeros((4, 9)), "constant": np.full((4, 9), 0.1), "$^{": np.eye(9)}
    layers = {name: kernel_statistics(w) | {"pull": None} for name, w in weights.items()}
    layers["zero"]["pull"] = 0.0
    tuned = [{"epoch": 1, "train_accuracy": 0, "test_accuracy": 1, "phase": "fine-tune"}]
    run = write(
        tmp_path / "_$\\frac{ 1 of a very long name, seed 3",
        [{"epoch": e, "layers": layers} for e in (0, 1)],
        tuned,
    )
    check(plot(run, against=run))


@pytest.mark.torch
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [1, pytest.param(2, marks=pytest.mark.large), 45])
def test_any_number_of_layers(tmp_path, count, drawn):
    found = kernels([f"conv{i}" for i in range(count)], 1)
    del found[-1]["layers"]["conv0"]["valley"]
    found[0]["layers"]["conv0"]["pull"] = 0.0
    found[-1]["layers"]["conv0"]["pull"] = 1e-5
    check(plot(write(tmp_path / "run", found, metrics(1))))


def test_labels():
    assert figures._label(Path("/runs/seed3"), 1) == "seed3"
    assert figures._label(Path("/runs/seed3"), 2) == "runs/seed3"
    assert figures._label(Path("/a$b"), 1) == "a\\$b"
    assert figures._label(Path("/wrn22_cifar10_lambda1e-4_seed3"), 1) == (
        "wrn22_cifar10…mbda1e-4_seed3"
    )


@pytest.mark.parametrize(
    ("count", "shown"), [(1, [0]), (2, [1]), (5, [1, 4]), (10, [1, 7, 9]), (36, [1, 7, 13])]
)
def test_the_layers_of_the_paper_are_fitted_to_the_network(tmp_path, count, shown):
    ours = figures.TrainingRun("run", tuple(map(str, range(count))), (), ())
    assert figures._chosen(tmp_path, ours, figures.PAPER_LAYERS) == shown


def test_no_run_folder(tmp_path):
    run = tmp_path / "none"
    assert message(run) == (
        f"{run}: no such run folder; train first with `bonn-hw train EXPERIMENT.toml --out {run}`"
    )


def test_not_a_run_folder(tmp_path):
    assert message(tmp_path) == (
        f"{tmp_path}: not a run folder, it has no metrics.json; name a folder that was given to "
        "`bonn-hw train --out`"
    )


def test_run_of_an_older_version(run, other):
    (other / "kernels.json").unlink()
    assert message(run, against=other) == (
        f"{other}: has no kernels.json, so it was trained by an older version; train again, "
        "into a new folder"
    )


def test_no_1_bit_layers(tmp_path):
    run = write(tmp_path / "run", kernels([]), metrics())
    assert message(run) == (
        f"{run}: its network has no 1-bit layers, so there are no kernels to draw; plot a run "
        "whose network has some"
    )


def test_no_epoch_finished(tmp_path):
    run = write(tmp_path / "run", kernels(epochs=0), [])
    assert message(run) == (
        f"{run}: no epoch is finished, so there is nothing to draw; go on with "
        f"`bonn-hw train EXPERIMENT.toml --out {run} --resume`"
    )


@pytest.mark.parametrize(
    ("layers", "asked", "wrong"), [((1, 4, 0), "1,4,0", "4, 0"), ((), "", "none")]
)
def test_layers_out_of_range(run, layers, asked, wrong):
    assert message(run, layers=layers) == (
        f"--layers {asked}: {run} has 1-bit layers 1 to 3, not {wrong}; name some of these"
    )
    assert not (run / "figures").exists()


@pytest.mark.parametrize(
    ("theirs", "difference"),
    [
        (NAMES[:2], "2 instead of 3"),
        ((NAMES[0], "a", "b"), "number 2 is a instead of stage1.conv1"),
    ],
)
def test_runs_of_different_networks(run, tmp_path, theirs, difference):
    other = write(tmp_path / "other", kernels(theirs), metrics())
    assert message(run, against=other) == (
        f"--against {other}: its 1-bit layers are not those of {run} ({difference}); compare "
        "runs of one network"
    )


@pytest.mark.parametrize("name", ["kernels.json", "metrics.json"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"epochs": [', "Expecting value: line 1 column 13 (char 12)"),
        ("{}", "'epochs' is missing"),
        ('{"epochs": [{}]}', "'epoch' is missing"),
        ('{"epochs": 3}', "'int' object is not iterable"),
    ],
)
def test_damaged_files(run, name, text, reason):
    (run / name).write_text(text)
    assert message(run) == (
        f"{run / name}: not as training writes it ({reason}); it was cut short or edited: train "
        "again, into a new folder"
    )


def test_damaged_statistics(run):
    damaged = kernels()
    del damaged[2]["layers"]["stage1.conv1"]["counts"]
    write(run, damaged, metrics())
    assert "kernels.json: not as training writes it ('counts' is missing)" in message(run)
    damaged = kernels()
    del damaged[2]["layers"]["stage1.conv1"]
    write(run, damaged, metrics())
    assert "(epoch 2 has other layers than the first)" in message(run)


@pytest.mark.torch
def test_no_place_to_write(run, tmp_path, drawn):
    (tmp_path / "file").write_bytes(b"")
    assert "cannot be written" in message(run, tmp_path / "file/figures")


@pytest.mark.torch
def test_command(run, other, tmp_path, capsys, drawn):
    out = tmp_path / "out"
    words = ["plot", str(run), "--against", str(other), "--layers", "1,3", "--out", str(out)]
    assert main.main(words) == 0
    printed = capsys.readouterr().out.splitlines()
    assert sorted(printed) == sorted(str(path) for path in out.iterdir())


def test_command_with_an_error(run, capsys):
    assert main.main(["plot", str(run), "--layers", "9"]) == 2
    assert capsys.readouterr().err == (
        f"bonn-hw: --layers 9: {run} has 1-bit layers 1 to 3, not 9; name some of these\n"
    )


def test_layers_that_are_no_numbers(run, capsys):
    with pytest.raises(SystemExit):
        main.main(["plot", str(run), "--layers", "2,b"])
    assert "--layers: 2,b is not a list of numbers like 2,8,14" in capsys.readouterr().err


def test_without_matplotlib(run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main.main(["plot", str(run)]) == 2
    assert capsys.readouterr().err == (
        "bonn-hw: plot needs the package 'matplotlib', which is not installed: "
        "pip install 'bonn-hw[plot]'\n"
    )
    assert not (run / "figures").exists()


def test_the_command_line_starts_without_matplotlib():
    """And figures of a run are drawn without torch."""
    code = (
        "import sys, bonn_hw.cli, bonn_hw.nn.figures.plot\n"
        "print({'matplotlib', 'torch'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"
