# SPDX-License-Identifier: BSD-3-Clause
"""Studies of many trainings: what is there is kept, what diverges is told, time ends them."""

import subprocess
from dataclasses import replace

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("lightning")

from benchmarks import soundness, study
from benchmarks.study import DIVERGED, Study, write_between
from bonn_hw.cli.main import main
from bonn_hw.nn.training.experiment import Experiment
from tests.support.processes import ended, fork

TINY = Experiment(
    network="digits",
    dataset="digits",
    epochs=1,
    precision="32",  # on every processor
    options={"method": "bonn", "convs": (4, 4), "hidden": (8,)},
    batch=64,
    lr=0.01,
    lam=1e-4,
)


@pytest.fixture
def forked(tmp_path, monkeypatch):
    """Trainings in processes that have imported torch already: that takes longer than they do."""

    def run(command, **options):
        assert command[1:4] == ["-m", "bonn_hw.cli", "train"]
        log = tmp_path / "log"
        code = ended(fork(lambda: main(command[3:]), log))
        return subprocess.CompletedProcess(command, code, stderr=log.read_text())

    monkeypatch.setattr(study.subprocess, "run", run)


@pytest.mark.parametrize("start", ["forked", pytest.param("tmp_path", marks=pytest.mark.large)])
def test_what_is_there_is_kept_and_what_diverged_is_told(start, request, tmp_path, capsys):
    request.getfixturevalue(start)
    wild = replace(TINY, optimiser="sgd", lr=1e30)
    runs = {"a": TINY, "wild": wild}
    none = Study(tmp_path, jobs=1, limit=128, minutes=0)
    none.train(runs)
    assert [none.accuracy(*run) for run in runs.items()] == [None, None]
    study = Study(tmp_path, jobs=1, limit=128)
    study.train({"a": TINY})
    first = study.accuracy("a", TINY)
    assert 0 < first < 1
    stamp = (study.folder("a") / "last.ckpt").stat().st_mtime_ns
    study.train(runs)
    assert (study.folder("a") / "last.ckpt").stat().st_mtime_ns == stamp
    assert study.accuracy("a", TINY) == first
    assert "must be finite" in (study.folder("wild") / DIVERGED).read_text()
    assert study.accuracy("wild", wild) == 0
    assert capsys.readouterr().out.count(": ") == 2
    # An experiment of more epochs is not finished, and goes on.
    assert study.accuracy("a", replace(TINY, epochs=2)) is None


def test_a_table_of_what_there_is(tmp_path):
    """Held-out accuracies of one grid: the best rate is named by the runs that follow."""
    row = next(row for row in soundness.rows() if row.method == "bonn")
    study = Study(tmp_path, jobs=1)
    assert soundness.table(study)[2:] == []
    for rate, (name, experiment) in row.grid().items():
        folder = study.folder(name)
        folder.mkdir()
        found = {"accuracy": 0.9 - abs(rate - 0.003), "epochs": [{}] * experiment.all_epochs}
        (folder / "metrics.json").write_text(str(found).replace("'", '"'))
        assert experiment.lr == rate
        assert experiment.held_out > 0
    chosen = row.chosen(study)
    assert {(e.lr, e.held_out, e.seed) for _, e in chosen.values()} == {
        (0.003, 0, seed) for seed in (1, 2, 3)
    }
    line = next(line for line in soundness.table(study) if "| bonn |" in line)
    assert "0.001: 89.80%, 0.003: 90.00%, 0.01: 89.30% | –, –, – | – | –" in line


def test_controls_train_as_long_without_the_losses():
    bnn, bonn = soundness.rows()[:2]
    _, control = bnn.at(0.01, 15, 1)
    _, ours = bonn.at(0.01, 15, 1)
    assert control.all_epochs == ours.all_epochs
    assert (control.lam, control.theta, control.options["method"]) == (0, 0, "bnn")
    assert ours.lam > 0
    assert {**control.options, "method": ""} == {**ours.options, "method": ""}


def test_a_part_of_a_page_is_replaced(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- m -->\nold\n<!-- m -->\nafter\n")
    write_between(page, "<!-- m -->", ["new", "lines"])
    assert page.read_text() == "before\n<!-- m -->\n\nnew\nlines\n\n<!-- m -->\nafter\n"
