# SPDX-License-Identifier: BSD-3-Clause
"""`bonn-hw sweep`: on this machine, on a Dask cluster, with a worker that is lost."""

import csv
import json
import os
import signal
import threading
import time
from dataclasses import replace

import pytest
from distributed import LocalCluster

from bonn_hw import cache, sweep
from bonn_hw.cli.main import main
from bonn_hw.sweep import read_sweep
from tests.support.pages import Page
from tests.support.sketch import Sketch

PATIENCE = 300  # seconds, of a machine that is busy with other things


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    sketch = Sketch(2, 6, 6).quant(6, scale=0.25).sign().conv(2, 2, pads=[1] * 4, name="conv1")
    sketch.quant(6, scale=0.25).flatten().few_bit_dense(72, 3, name="head")
    return sketch.write(tmp_path_factory.mktemp("model"))


def write(folder, model, **changes):
    keys = {"models": [model.name], "boards": ["pynq-z2"], "fps": [1000, "max"]} | changes
    path = model.parent / f"{folder.name}.toml"
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()))
    return path


def run(*arguments):
    return main(["sweep", *map(str, arguments)])


def test_a_sweep_and_what_it_leaves(model, tmp_path, capsys):
    path = write(tmp_path, model, clocks_mhz=[100, 200], fps=[1000, 1e9, "max"])
    assert run(path, "--out", tmp_path / "out", "--jobs", 2) == 1  # one rate is out of reach
    told = " ".join(capsys.readouterr().out.split())
    assert "1,000,000,000.0 frames per second are out of reach at 100 MHz" in told
    rows = json.loads((tmp_path / "out/sweep.json").read_text())
    assert [(row["clock_mhz"], row["fps"]) for row in rows] == [
        (100, 1000), (100, 1e9), (100, "max"), (200, 1000), (200, 1e9), (200, "max")
    ]  # fmt: skip
    assert ["error" in row for row in rows] == [False, True, False] * 2
    assert rows[5]["frames_per_second"] == pytest.approx(2 * rows[2]["frames_per_second"], abs=1)
    with (tmp_path / "out/sweep.csv").open() as file:
        assert [float(row["lut"] or 0) for row in csv.DictReader(file)] == [
            row.get("lut", 0) for row in rows
        ]
    page = Page((tmp_path / "out/sweep.html").read_text())
    assert "4 designs, and 2 refused." in page.said("section")
    for row in rows:
        assert ("error" in row) or os.path.isfile(f"{row['folder']}/folding.json")


def test_inputs_that_are_stated(model, tmp_path):
    sketch = Sketch(2, 4, 4).conv(3, 2, name="conv1").sign().flatten().dense(12, 2, name="last")
    plain = sketch.write(tmp_path)
    path = write(tmp_path / "s", plain, fps=[1000])
    assert run(path, "--out", tmp_path / "out") == 1  # its input has no quantiser
    assert run(path, "--out", tmp_path / "out", "--input", "uint8/255") == 0
    assert run(path, "--out", tmp_path / "out", "--input", "uint9") == 0  # another one
    job = read_sweep(path)[0]
    assert job.key != replace(job, grid="uint8/255").key


def test_finished_designs_are_kept_until_something_changes(model, tmp_path):
    pins = model.parent / "pins.json"
    pins.write_text('{"mvu_0": {"PE": 1, "SIMD": 1}}')
    path = write(tmp_path, model, folding="pins.json")
    out = tmp_path / "out"

    def written():
        return {p: p.stat().st_mtime_ns for p in out.glob("*/report.json")}

    assert run(path, "--out", out, "--jobs", 1) == 0
    first = written()
    assert len(first) == 2
    assert run(path, "--out", out, "--jobs", 1) == 0
    assert written() == first
    pins.write_text('{"mvu_0": {"PE": 2, "SIMD": 1}}')
    assert run(path, "--out", out, "--jobs", 1) == 0
    assert not written().items() & first.items()


def test_a_lost_worker_costs_its_job_a_rerun(model, tmp_path):
    path = write(tmp_path, model, clocks_mhz=[100, 110], fps=[1000, 2000])
    out = tmp_path / "out"
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        nanny = cluster.workers[0]
        lost = nanny.pid

        def kill():
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end and not list(out.glob("*/report.json")):
                time.sleep(0.01)  # it must be at work, with jobs left
            os.kill(lost, signal.SIGKILL)

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        assert run(path, "--out", out, "--cluster", cluster.scheduler_address) == 0
        killer.join(PATIENCE)
        assert nanny.pid != lost
    rows = json.loads((out / "sweep.json").read_text())
    assert len(rows) == 4 and not any("error" in row for row in rows)
    assert run(path, "--out", tmp_path / "alone", "--jobs", 1) == 0
    alone = json.loads((tmp_path / "alone/sweep.json").read_text())
    assert [row | {"folder": ""} for row in rows] == [row | {"folder": ""} for row in alone]


def test_no_scheduler(model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sweep, "SECONDS", 0.5)
    path = write(tmp_path, model)
    assert run(path, "--out", tmp_path / "out", "--cluster", "tcp://127.0.0.1:9") == 2
    text = capsys.readouterr().err
    assert "no Dask scheduler answers at tcp://127.0.0.1:9: start one with 'dask scheduler'" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 1}, "'colour' is not known; there are models, boards, clocks_mhz, fps,"),
        ({"models": ["none.onnx"]}, "there is no file"),
        ({"models": []}, "models must be a list of files, not []"),
        ({"boards": ["z9"]}, "board 'z9' is not known; choose one of"),
        ({"boards": "pynq-z2"}, "boards must be a list of boards, not 'pynq-z2'"),
        ({"fps": [0]}, 'fps must be a list of positive numbers or "max", not [0]'),
        ({"fps": [True]}, "fps must be a list of"),
        ({"clocks_mhz": ["fast"]}, "clocks_mhz must be a list of positive numbers, not ['fast']"),
        ({"lut_fraction": 2}, "lut_fraction must be above 0 and at most 1, not 2"),
        ({"fps": [5, 5.0]}, "two jobs would be"),
    ],
)
def test_sweep_files_that_make_no_sense(changes, message, model, tmp_path, capsys):
    assert run(write(tmp_path, model, **changes), "--out", tmp_path / "out") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_files_that_are_none(tmp_path, capsys):
    assert run(tmp_path / "no.toml", "--out", tmp_path / "out") == 2
    assert "no.toml cannot be read: No such file" in capsys.readouterr().err
    (tmp_path / "bad.toml").write_text("models = [")
    assert run(tmp_path / "bad.toml", "--out", tmp_path / "out") == 2
    assert "bad.toml is not TOML" in capsys.readouterr().err


def test_the_key_changes_with_the_model_and_with_our_code(model, tmp_path, monkeypatch):
    path = write(tmp_path, model)
    one, other = read_sweep(path)
    assert one.key != other.key == read_sweep(path)[1].key
    before = one.key
    monkeypatch.setattr(cache, "code", lambda: "other code")
    assert one.key != before
