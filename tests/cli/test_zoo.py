# SPDX-License-Identifier: BSD-3-Clause
import json

import numpy as np
import pytest

from bonn_hw.cli.main import main
from bonn_hw.cli.zoo import TrainedNetwork, folders


def test_the_list_shows_what_the_folders_hold(capsys):
    assert main(["zoo", "list"]) == 0
    shown = capsys.readouterr().out
    for name, folder in folders().items():
        accuracy = json.loads((folder / "metrics.json").read_text())["accuracy"]
        (line,) = [one for one in shown.splitlines() if f"{accuracy:.2%}" in one]
        assert line.split()[0] == name


def test_the_list_as_json(capsys):
    assert main(["zoo", "list", "--json"]) == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert listed.keys() == folders().keys()
    digits = listed["digits"]
    # Two convolutions of 16 and 32 filters, 512 inputs of 64 neurons, 10 classes.
    assert digits["binary_weights"] == 16 * 9 + 32 * 16 * 9 + 64 * 512 + 10 * 64
    assert (digits["network"], digits["method"], digits["dataset"]) == ("digits", "bonn", "digits")
    assert (digits["images"], digits["epochs"]) == (None, 30)


def test_weights_are_counted_in_any_run_folder(tmp_path):
    np.savez(
        tmp_path / "weights.npz",
        **{"bits a": np.zeros(2, np.uint8), "shape a": np.array([3, 5]), "b": np.zeros(7)},
    )
    metrics = {
        "experiment": {"network": "tfc", "options": {}, "dataset": "mnist"},
        "accuracy": None,
        "limit": 100,
        "epochs": [{}, {}],
    }
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    one = TrainedNetwork.read(tmp_path)
    assert (one.binary_weights, one.other_parameters, one.method) == (15, 7, "default")
    assert (one.images, one.epochs, one.accuracy) == (100, 2, None)


@pytest.mark.torch
def test_a_copy_is_a_run_folder_and_its_model_compiles(tmp_path, monkeypatch, capsys):
    pytest.importorskip("brevitas")
    from bonn_hw import frontend
    from bonn_hw.nn.training.checkpoint import Checkpoint

    monkeypatch.chdir(tmp_path)
    assert main(["zoo", "get", "digits", "--onnx"]) == 0
    assert capsys.readouterr().err == "wrote digits/model.onnx\n"
    source = folders()["digits"]
    copied = {path.name: path.read_bytes() for path in (tmp_path / "digits").iterdir()}
    assert copied.pop("model.onnx")
    assert copied == {path.name: path.read_bytes() for path in source.iterdir()}
    network = Checkpoint.load(tmp_path / "digits")
    assert network.digest() == Checkpoint.load(source).digest()
    assert frontend.lower(frontend.read(tmp_path / "digits" / "model.onnx")).findings == ()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["get", "digit"],
            "zoo: network 'digit' is not known (did you mean 'digits'?); the networks are ",
        ),
        (["get"], "zoo: name the network to copy, one of digits, "),
        (
            ["list", "digits"],
            "zoo: list shows all networks and takes no name; `bonn-hw zoo get digits` copies one",
        ),
        (["get", "digits", "--out", "."], ".: exists already; name a new folder with --out"),
    ],
)
def test_what_cannot_be_copied_is_told(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["zoo", *words]) == 2
    assert capsys.readouterr().err.startswith(f"bonn-hw: {message}")
    assert not list(tmp_path.iterdir())
