# SPDX-License-Identifier: BSD-3-Clause
from concurrent.futures import wait

import pytest

from bonn_hw.errors import Interrupted, UserError
from bonn_hw.explore import workers as explore_workers
from bonn_hw.explore.stage import Job, Trained
from bonn_hw.explore.workers import Here, workers
from tests.support.trainings import told


def job(text, folder):
    return Job(text, str(folder / "run"))


def test_a_lost_process_loses_its_training_only(tmp_path):
    with workers(2, None, told) as crew:
        assert crew.count == 2
        kept, lost = crew.submit(job("0.5", tmp_path)), crew.submit(job("lost", tmp_path))
        wait([kept, lost])
        assert kept.result() == Trained(0.5, 1.0)
        assert crew.lost(lost.exception())
        again = [crew.submit(job(f"0.{place}", tmp_path)) for place in (6, 7)]
        assert [one.result().accuracy for one in again] == [0.6, 0.7]
        wrong = crew.submit(job("wrong", tmp_path)).exception()
        assert (str(wrong), crew.lost(wrong)) == ("the loss is nan", False)


def test_this_process(tmp_path):
    with workers(1, None, told) as crew:
        assert isinstance(crew, Here)
        assert crew.submit(job("0.25", tmp_path)).result().accuracy == 0.25
        assert str(crew.submit(job("wrong", tmp_path)).exception()) == "the loss is nan"

    def interrupted(_):
        raise Interrupted("after 2 of 3 epochs")

    with pytest.raises(KeyboardInterrupt), workers(1, None, interrupted) as crew:
        crew.submit(job("0", tmp_path))


def test_a_dask_cluster(tmp_path):
    distributed = pytest.importorskip("distributed")
    local = {"n_workers": 2, "threads_per_worker": 1, "processes": False}
    with (
        distributed.LocalCluster(dashboard_address=None, **local) as cluster,
        workers(1, cluster.scheduler_address, told) as crew,
    ):
        assert crew.count == 2
        both = [crew.submit(job(text, tmp_path)) for text in ("0.5", "0.5")]
        assert [one.result().accuracy for one in both] == [0.5, 0.5]
        assert str(crew.submit(job("wrong", tmp_path)).exception()) == "the loss is nan"


def test_no_scheduler(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(explore_workers, "SECONDS", 0.5)
    with pytest.raises(UserError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9: sta"):
        workers(1, "tcp://127.0.0.1:9").__enter__()
