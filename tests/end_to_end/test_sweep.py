# SPDX-License-Identifier: BSD-3-Clause
"""`bonn-hw sweep`: on this machine, on a Dask cluster, with a worker that is lost."""

import csv
import json
import os
import signal
import socket
import sys
import threading
import time

import pytest
from distributed import LocalCluster
from rich.console import Console
from sketch import Sketch

from bonn_hw import sweep
from bonn_hw.cli import main
from bonn_hw.sweep import read_sweep


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
    for row in rows:
        assert ("error" in row) or os.path.isfile(f"{row['folder']}/folding.json")


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
    path = write(tmp_path, model, clocks_mhz=[100, 110, 120, 130, 140], fps=[1000, 2000])
    out = tmp_path / "out"
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        nanny = cluster.workers[0]
        lost = nanny.pid

        def kill():
            while not list(out.glob("*/report.json")):  # at work, with jobs left
                time.sleep(0.01)
            os.kill(lost, signal.SIGKILL)

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        assert run(path, "--out", out, "--cluster", cluster.scheduler_address) == 0
        killer.join(10)
        assert nanny.pid != lost
    rows = json.loads((out / "sweep.json").read_text())
    assert len(rows) == 10 and not any("error" in row for row in rows)
    assert run(path, "--out", tmp_path / "alone", "--jobs", 2) == 0
    alone = json.loads((tmp_path / "alone/sweep.json").read_text())
    assert [row | {"folder": ""} for row in rows] == [row | {"folder": ""} for row in alone]


def odd_workers(folder, code, count=2):
    """Workers that first run `code`."""
    (folder / "odd.py").write_text(code)
    return LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        preload=[str(folder / "odd.py")],
    )


def test_a_job_that_every_worker_dies_of_is_a_row(model, tmp_path):
    """As one does that needs more memory than they have."""
    path = write(tmp_path, model, fps=[1000, 3000, 2000])
    code = """
import os, signal
from bonn_hw import sweep
usual = sweep.run_job
def run_job(job, out):
    if job.fps == 3000:
        os.kill(os.getpid(), signal.SIGKILL)
    return usual(job, out)
sweep.run_job = run_job
"""
    with odd_workers(tmp_path, code) as cluster:
        address = cluster.scheduler_address
        assert run(path, "--out", tmp_path / "out", "--cluster", address) == 1
    rows = json.loads((tmp_path / "out/sweep.json").read_text())
    assert ["error" in row for row in rows] == [False, True, False]
    assert "every worker that took this job was lost" in rows[1]["error"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.modules['bonn_hw'] = None", "the worker cannot run this job (ModuleNo"),
        (
            "import pathlib; pathlib.Path.is_file = lambda path: False",
            "model.onnx is not to be seen by this worker: share the folder with it",
        ),
        (
            "from bonn_hw import sweep; sweep.run_job = lambda job, out: {'folder': '/elsewhere'}",
            "the worker wrote /elsewhere, which is not to be seen here: share the folder with it",
        ),
    ],
)
def test_workers_that_lack_something(code, message, model, tmp_path):
    path = write(tmp_path, model, fps=["max"])
    with odd_workers(tmp_path, code, 1) as cluster:
        address = cluster.scheduler_address
        assert run(path, "--out", tmp_path / "out", "--cluster", address) == 1
    (row,) = json.loads((tmp_path / "out/sweep.json").read_text())
    assert message in row["error"]


def test_a_scheduler_without_workers(model, tmp_path, capsys):
    path = write(tmp_path, model)
    with LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        assert run(path, "--out", tmp_path / "out", "--cluster", address) == 2
    assert f"has no worker: start some with 'dask worker {address}'" in capsys.readouterr().err


def test_an_address_of_something_else(model, tmp_path, capsys):
    """It accepts connections and says nothing."""
    path = write(tmp_path, model)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        assert run(path, "--out", tmp_path / "out", "--cluster", address) == 2
    assert f"no Dask scheduler answers at {address}" in capsys.readouterr().err


def test_cluster_needs_distributed(model, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert run(write(tmp_path, model), "--out", tmp_path / "out", "--cluster", "tcp://x:1") == 2
    assert "pip install 'bonn-hw[cluster]'" in capsys.readouterr().err


def test_a_killed_process_ends_the_sweep_with_a_word(model, tmp_path, capsys, monkeypatch):
    path = write(tmp_path, model)

    def run_job(job, out):
        os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "run_job", run_job)
        assert run(path, "--out", tmp_path / "out", "--jobs", 2) == 2
    assert "one of 2 processes was killed" in capsys.readouterr().err
    assert run(path, "--out", tmp_path / "out", "--jobs", 2) == 0


def test_a_bug_is_a_row_and_keeps_its_traceback(model, tmp_path, capsys, monkeypatch):
    path, out = write(tmp_path, model, fps=[1000]), tmp_path / "out"

    def broken(*arguments):
        raise KeyError("[/odd]")  # no markup

    with monkeypatch.context() as patch:
        patch.setattr("bonn_hw.pipeline.fold_model", broken)
        assert run(path, "--out", out, "--jobs", 1) == 1
    (failure,) = out.glob("*.error.txt")
    assert "in broken" in failure.read_text()
    assert "KeyError: '[/odd]' (a bug of ours" in " ".join(capsys.readouterr().out.split())
    assert run(path, "--out", out, "--jobs", 1) == 0
    assert not failure.exists()


def test_brackets_in_names_are_shown(capsys):
    row = {"model": "a[b]", "board": "x", "clock_mhz": 1, "fps": "max", "folder": "/a", "error": ""}
    sweep.show([row], Console())
    assert "a[b]" in capsys.readouterr().out


def test_an_interrupted_sweep_goes_on(model, tmp_path, monkeypatch):
    """What was finished before Ctrl-C is not done again."""
    path, out = write(tmp_path, model, fps=[1000, 2000]), tmp_path / "out"
    usual = sweep.run_job

    def run_job(job, out):
        if job.fps == 2000:
            raise KeyboardInterrupt
        return usual(job, out)

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "run_job", run_job)
        assert run(path, "--out", out, "--jobs", 1) == 130
    (first,) = out.glob("*/report.json")
    before = first.stat().st_mtime_ns
    assert run(path, "--out", out, "--jobs", 1) == 0
    assert len(list(out.glob("*/report.json"))) == 2 and first.stat().st_mtime_ns == before


def test_damaged_marks_are_not_trusted(model, tmp_path):
    path, out = write(tmp_path, model, fps=[1000]), tmp_path / "out"
    assert run(path, "--out", out, "--jobs", 1) == 0
    (mark,) = out.glob("*/job.json")
    for damaged in (mark, mark.with_name("report.json")):
        damaged.write_text("{")
        assert run(path, "--out", out, "--jobs", 1) == 0
        assert json.loads(damaged.read_text())


def test_out_is_a_file(model, tmp_path, capsys):
    (tmp_path / "out").write_text("precious")
    assert run(write(tmp_path, model), "--out", tmp_path / "out") == 2
    assert f"--out {tmp_path / 'out'} is a file: choose another" in capsys.readouterr().err


def test_no_scheduler(model, tmp_path, capsys):
    path = write(tmp_path, model)
    assert run(path, "--out", tmp_path / "out", "--cluster", "tcp://127.0.0.1:9") == 2
    text = capsys.readouterr().err
    assert "no Dask scheduler answers at tcp://127.0.0.1:9: start one with 'dask scheduler'" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 1}, "'colour' is not known; there are models, boards, clocks_mhz, fps,"),
        ({"model": []}, "'model' is not known (did you mean 'models'?); there are"),
        ({"models": ["none.onnx"]}, "there is no file"),
        ({"models": ["a\u0000b"]}, "there is no file"),
        ({"folding": 3}, "3 is not a file: give its name in quotes"),
        ({"models": []}, "models must be a list of files, not []"),
        ({"boards": ["z9"]}, "board 'z9' is not known; choose one of"),
        ({"boards": "pynq-z2"}, "boards must be a list of boards, not 'pynq-z2'"),
        ({"fps": [0]}, 'fps must be a list of positive numbers or "max", not [0]'),
        ({"fps": [True]}, "fps must be a list of"),
        ({"clocks_mhz": ["fast"]}, "clocks_mhz must be a list of positive numbers, not ['fast']"),
        ({"lut_fraction": 2}, "lut_fraction must be above 0 and at most 1, not 2"),
        ({"fps": [5, 5.0]}, "two jobs would be"),
        ({"boards": ["pynq-z2", "pynq-z2"]}, "list everything once, and name the models diff"),
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


def test_infinity_is_no_rate(model, tmp_path, capsys):
    path = write(tmp_path, model)
    path.write_text(path.read_text().replace("fps = [1000", "fps = [inf"))
    assert run(path, "--out", tmp_path / "out") == 2
    assert "fps must be a list of positive numbers" in capsys.readouterr().err


def test_large_rates_have_folders_of_their_own(model, tmp_path):
    names = [job.name for job in read_sweep(write(tmp_path, model, fps=[1_000_000, 1_000_001]))]
    assert names == ["model-pynq-z2-100MHz-1000000fps", "model-pynq-z2-100MHz-1000001fps"]


def test_the_key_changes_with_the_model(model, tmp_path):
    path = write(tmp_path, model)
    one, other = read_sweep(path)
    assert one.key != other.key == read_sweep(path)[1].key
