# SPDX-License-Identifier: BSD-3-Clause
"""Two to four commands on one folder at the same time: no traceback, no broken folder.

A few trials by default; ``BONN_HW_TRIALS=200 pytest tests/end_to_end/test_concurrency.py -s`` runs
more and prints what came of them.
"""

import importlib
import json
import os
import random
import re
import shutil
import time
from collections import Counter

import numpy as np
import pytest

from bonn_hw.cli.main import main
from tests.end_to_end.test_bad_input import tiny_model
from tests.support.processes import ended, fork

TRIALS = int(os.environ.get("BONN_HW_TRIALS", "6"))
# What a command may say with exit code 2: the folder is in use, or is none that it can work on.
REFUSALS = (
    r"\S+ is being (written|read) by another bonn-hw \(pid \d+\): wait for it, or choose another "
    r"place \(--out\)",
    r"\S+ is not a build: make one with 'bonn-hw compile MODEL --out'",
    r"\S+ has foldings and no RTL: make it with .*",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Everything is imported once; every command then is a fork."""
    for name in ("pipeline", "report.pictures", "report.tables", "sim.run", "frontend.host"):
        importlib.import_module(f"bonn_hw.{name}")
    importlib.import_module("matplotlib.backends.backend_agg")
    importlib.import_module("onnxruntime")
    folder = tmp_path_factory.mktemp("concurrency")
    tiny_model(folder / "model.onnx")
    np.save(folder / "x.npy", np.sign(np.random.default_rng(0).normal(size=(4, 6))).astype("f4"))
    return folder


def commands(place, out):
    model = [place / "model.onnx", "--out", out]
    return {
        "slow": ["compile", *model, "--fps", 30_000_000],
        "fast": ["compile", *model, "--fps", 100_000_000],
        "fold": ["fold", *model, "--fps", 30_000_000],
        "simulate": ["simulate", out, "--inputs", place / "x.npy", "--jobs", 1],
    }


def start(arguments, log):
    return fork(lambda: main([str(argument) for argument in arguments]), log)


def contents(folder):
    """All files but those in which simulations leave their figures."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("report.json", "report.html", "simulated.json")
    }


@pytest.fixture(scope="module")
def whole(place):
    """What each command leaves where it is alone."""
    found = {}
    for name in ("slow", "fast", "fold"):
        log, out = place / "log", place / "alone" / name
        assert ended(start(commands(place, out)[name], log)) == 0, log.read_text()
        found[name] = contents(out)
        if name != "fold":
            code = ended(start(commands(place, out)["simulate"], log))  # and builds the simulator
            assert code == 0, log.read_text()
    assert found["slow"] != found["fast"]
    return found


@pytest.mark.rtl
def test_commands_on_one_folder(place, whole):
    dice, tally, begin = random.Random(0), Counter(), time.monotonic()
    out = place / "shared" / "out"
    choices = commands(place, out)
    for trial in range(TRIALS):
        if trial % 3 == 0:
            shutil.rmtree(out.parent, ignore_errors=True)
        if trial % 3 == 2 and not (out / "rtl").is_dir():  # something that can be simulated
            shutil.rmtree(out)
            shutil.copytree(place / "alone" / "slow", out)
        names = dice.choices(list(choices), [2, 2, 1, 2], k=dice.randint(2, 4))
        running = []
        for number, name in enumerate(names):
            running.append((name, place / f"log{number}"))
            running[-1] += (start(choices[name], running[-1][1]),)
            time.sleep(dice.choice([0, 0, 0.005, 0.02, 0.1]))
        for name, log, number in running:
            code, told = ended(number), log.read_text()
            assert code in (0, 2), (trial, names, name, code, told)
            assert "Traceback" not in told, (trial, names, name, told)
            tally[f"{'simulate' if name == 'simulate' else 'write'}: exit {code}"] += 1
            if code == 2:
                lines = [line for line in told.splitlines() if line.startswith("bonn-hw: ")]
                text = lines[0].removeprefix("bonn-hw: ")
                assert len(lines) == 1 and any(re.fullmatch(one, text) for one in REFUSALS), told
                tally["refused: " + re.sub(r"^\S+ | \(pid.*|: .*", "", text)] += 1
        wrote = [name for name in names if name != "simulate"]
        assert out.is_dir() or not wrote, (trial, names)
        if out.is_dir():
            assert contents(out) in whole.values(), (trial, names)
            facts = json.loads((out / "report.json").read_text())
            assert not facts.get("mismatches"), (trial, names)
            assert [path.name for path in out.parent.iterdir()] == ["out"], (trial, names)
        tally["trials"] += 1
    print(dict(tally), f"{time.monotonic() - begin:.0f} s")
    assert tally["trials"] == TRIALS and tally["write: exit 0"]
