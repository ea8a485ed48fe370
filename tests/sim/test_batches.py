# SPDX-License-Identifier: BSD-3-Clause
"""A long simulation is interrupted, and goes on with the same results."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from bonn_hw import cache, verification
from bonn_hw.cli.main import main
from bonn_hw.sim.batches import Kept
from bonn_hw.sim.shard import Shard
from tests.support.sketch import Sketch

FRAMES = 64  # in batches of 16, which this design has if all work is too much
PROGRAM = """
import os, signal, sys
from bonn_hw import verification
from bonn_hw.cli.main import main
from bonn_hw.sim.batches import Kept

number, words = int(sys.argv[1]), sys.argv[2:]
verification.BATCH_WORK = 0.0
keep, kept = Kept.keep, []

def keep_and_die(self, shard):
    keep(self, shard)
    kept.append(shard)
    if len(kept) == 3:
        os.kill(os.getpid(), number)

Kept.keep = keep_and_die
sys.exit(main(words))
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    sketch = Sketch(6).sign().dense(6, 8, "hidden").sign().dense(8, 3, "last")
    words = ["compile", str(sketch.write(folder)), "--fps", "1000000", "--quiet"]
    assert main([*words, "--out", str(folder / "build")]) == 0
    np.save(folder / "x.npy", sketch.random.choice(np.array([-1, 1], np.float32), (FRAMES, 6)))
    return folder


def words_of(build, folder):
    return [
        *("simulate", str(build / "build"), "--inputs", str(build / "x.npy"), "--jobs", "1"),
        *("--stall", "5", "--json", str(folder / "s.json"), "--outputs", str(folder / "y.npy")),
    ]


def results(folder):
    """All that a simulation wrote, without the time that it took."""
    report = json.loads((folder / "s.json").read_text())
    simulation = report.pop("simulation")
    return report, simulation["cycles"], np.load(folder / "y.npy").tobytes()


@pytest.mark.rtl
@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_a_killed_simulation_goes_on(build, tmp_path, monkeypatch, capsys, name):
    monkeypatch.setattr(verification, "BATCH_WORK", 0.0)
    at_once, words = tmp_path / "at once", words_of(build, tmp_path)
    at_once.mkdir()
    assert main(words_of(build, at_once)) == 0
    assert "were kept" not in capsys.readouterr().err

    number = getattr(signal, name)
    command = [sys.executable, "-c", PROGRAM, str(int(number)), *words]
    killed = subprocess.run(command, capture_output=True, text=True)
    if name == "SIGKILL":
        assert killed.returncode == -number
    else:
        assert killed.returncode == 128 + number
        assert killed.stderr.splitlines()[-1] == (
            "bonn-hw: interrupted; 48 of 64 frames are simulated and kept: the same command goes "
            "on with the others"
        )
    assert not (tmp_path / "s.json").exists()

    assert main(words) == 0
    said = capsys.readouterr().err
    assert "48 frames were kept from the simulation that was interrupted\n" in said
    assert results(tmp_path) == results(at_once)
    assert main(words) == 0  # nothing is kept of a simulation that has ended
    assert "were kept" not in capsys.readouterr().err


@pytest.mark.rtl
def test_other_frames_have_other_batches(build, tmp_path, monkeypatch, capsys):
    words = words_of(build, tmp_path)
    killed = [sys.executable, "-c", PROGRAM, str(int(signal.SIGKILL)), *words]
    assert subprocess.run(killed, capture_output=True).returncode == -signal.SIGKILL
    monkeypatch.setattr(verification, "BATCH_WORK", 0.0)
    for place, value in ((words.index("--stall") + 1, "6"), (1, str(build / "build"))):
        assert main([*words[:place], value, *words[place + 1 :]]) == 0
        kept = "48 frames were kept" in capsys.readouterr().err
        assert kept == (place == 1)


def test_a_damaged_batch_is_not_used(tmp_path):
    first = Shard(tmp_path / "first", 0, 2)
    first.folder.mkdir()
    for name in ("out", "cycles", "frames"):
        (first.folder / name).write_bytes(name.encode() * 50)
    first.last_line = ["done", "7", "0.5"]
    Kept(tmp_path).keep(first)

    again, kept = Shard(tmp_path / "again", 0, 2), Kept(tmp_path)
    again.folder.mkdir()
    assert kept.restore(again) and (kept.frames, again.done) == (2, 2)
    assert again.last_line == first.last_line
    assert (again.folder / "cycles").read_bytes() == b"cycles" * 50

    (stored,) = tmp_path.glob("*.npz")
    whole = stored.read_bytes()
    for damaged in (b"", whole[:-40], whole.replace(b"cyclescycles", b"cyclesCycles", 1)):
        stored.write_bytes(damaged)
        third = Shard(tmp_path / "third", 0, 2)
        third.folder.mkdir(exist_ok=True)
        assert not Kept(tmp_path).restore(third)
        assert (third.done, third.last_line) == (0, [])


def test_work_that_fails_is_kept_and_work_that_ends_is_not(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ZeroDivisionError), cache.unfinished("key") as folder:
        (folder / "part").touch()
        with cache.unfinished("key") as other:  # as another process would
            assert other is None
        raise ZeroDivisionError
    assert (folder / "part").is_file()
    with cache.unfinished("key") as again:
        assert again == folder and (again / "part").is_file()
    assert not folder.exists()
    (tmp_path / "bonn_hw" / "unfinished").rmdir()
    (tmp_path / "bonn_hw" / "unfinished").touch()
    with cache.unfinished("key") as nothing:
        assert nothing is None
