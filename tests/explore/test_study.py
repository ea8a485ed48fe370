# SPDX-License-Identifier: BSD-3-Clause
"""`bonn-hw explore` from a space file to a verified accelerator, on the digits."""

import json
import os
import signal
import threading
import time

import pytest

pytestmark = [pytest.mark.rtl, pytest.mark.torch]
pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("optuna")

from bonn_hw.cli.main import main
from tests.explore.test_space_file import TEXT

TINY = TEXT.replace("trials = 4", "trials = 2").replace("stages = 2", "stages = 1")
TINY = TINY.replace("epochs = 3", 'epochs = 2\nprecision = "32"')


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "space.toml").write_text(TINY)
    words = ["explore", str(folder / "space.toml"), "--out", str(folder / "out"), "--jobs", "1"]
    assert main([*words, "--json", str(folder / "front.json")]) == 0
    return folder, words


def test_a_search(searched):
    folder, _ = searched
    front = json.loads((folder / "out" / "front.json").read_text())
    assert front == json.loads((folder / "front.json").read_text())
    assert front["candidates"]["trained"] == 2
    (rival,) = front["zoo"]  # the zoo's other networks have other data
    assert (rival["name"], rival["accuracy"] > 0.9, rival["cost"] > 600) == ("digits", True, True)
    assert all(one["lut"] > 0 and one["frames_per_second"] >= 1e5 for one in front["points"])


def test_a_point_becomes_an_accelerator(searched, capsys):
    """Its accuracy is that of the test images, which nothing before has read."""
    folder, words = searched
    assert main([*words, "--finish", "1", "--count", "20"]) == 0
    place = folder / "out" / "points" / "1"
    report = json.loads((place / "build" / "report.json").read_text())
    assert (report["frames"], report["mismatches"]) == (20, 0)
    point = json.loads((folder / "front.json").read_text())["points"][0]
    assert report["resources"]["lut"]["predicted"] <= point["lut"]  # trained thresholds are fewer
    run = json.loads((place / "run" / "metrics.json").read_text())
    assert run["tested"] == "test"
    assert sum(one["test_accuracy"] is not None for one in run["epochs"]) == 1
    assert main([*words, "--finish", "99"]) == 2
    assert "the front has no point 99; choose one from 1 to" in capsys.readouterr().err


def test_the_list_of_what_fits(searched, capsys):
    words = searched[1]
    assert main([*words[:2], "--dry-run", "--jobs", "1", "--json", "-"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed) == 12
    assert sum("reason" in one for one in listed) == 2


def test_nothing_to_finish(tmp_path, capsys):
    (tmp_path / "space.toml").write_text(TINY)
    words = ["explore", str(tmp_path / "space.toml"), "--out", str(tmp_path), "--finish", "1"]
    assert main(words) == 2
    assert "no front; search first, with `bonn-hw explore SPACE --out" in capsys.readouterr().err


def test_networks_of_other_images_end_a_search_before_it(tmp_path, capsys):
    (tmp_path / "space.toml").write_text(TINY.replace("size = 8", "size = 9"))
    words = ["explore", str(tmp_path / "space.toml"), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert (
        "network chain takes images (1, 9, 9), but digits with transform none gives (1, 8" in error
    )
    assert not (tmp_path / "out").exists()
    assert main([*words, "--gates", "0.5"]) == 2
    assert "--gates narrows a point of the front: add --finish POINT" in capsys.readouterr().err


def test_data_of_one_class(tmp_path, capsys):
    image = pytest.importorskip("PIL.Image")
    for split in ("train", "val"):
        (tmp_path / split / "cat").mkdir(parents=True)
        for place in range(3):
            image.new("RGB", (40, 40)).save(tmp_path / split / "cat" / f"{place}.jpeg")
    text = TINY.replace('name = "digits"', f'name = "imagenet"\nroot = "{tmp_path}"')
    (tmp_path / "space.toml").write_text(text.replace("held_out = 100", "held_out = 1"))
    words = ["explore", str(tmp_path / "space.toml"), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert "data set imagenet has no labels of two classes or more" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.large
def test_a_killed_dask_worker_loses_nothing(tmp_path):
    """Two workers train; one is killed after its first epoch, and another goes on."""
    distributed = pytest.importorskip("distributed")
    (tmp_path / "space.toml").write_text(TINY.replace("trials = 2", "trials = 4"))
    out, killed = tmp_path / "out", []

    def kill(cluster):
        while not list(out.glob("trials/*/*/last.ckpt")):
            time.sleep(0.1)
        killed.append(cluster.workers[0].process.pid)
        os.kill(killed[0], signal.SIGKILL)

    local = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with distributed.LocalCluster(dashboard_address=None, **local) as cluster:
        killer = threading.Thread(target=kill, args=(cluster,), daemon=True)
        killer.start()
        words = ["explore", str(tmp_path / "space.toml"), "--out", str(out)]
        assert main([*words, "--cluster", cluster.scheduler_address]) == 0
    candidates = json.loads((out / "front.json").read_text())["candidates"]
    assert killed
    assert candidates["trained"] == 4
    assert candidates["failed"] <= 1


@pytest.mark.large
def test_two_processes(tmp_path):
    (tmp_path / "space.toml").write_text(TINY)
    words = ["explore", str(tmp_path / "space.toml"), "--out", str(tmp_path / "out"), "--jobs", "2"]
    assert main(words) == 0
    front = json.loads((tmp_path / "out" / "front.json").read_text())
    assert front["candidates"]["trained"] == 2
