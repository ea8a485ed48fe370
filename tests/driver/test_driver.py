# SPDX-License-Identifier: BSD-3-Clause
"""The driver that ships, on the simulated board: answers, faults, and what it says of them."""

import json
import subprocess
import sys

import numpy as np
import pytest

import bonn_hw.driver.measure
from bonn_hw import pipeline, verification
from bonn_hw.bitstream.pack import DRIVER, pack
from bonn_hw.board_sim import SimulatedBoard, SimulatedMachine
from bonn_hw.boards import board
from bonn_hw.driver import Accelerator, AcceleratorError
from bonn_hw.driver import registers as reg
from bonn_hw.driver.measure import complete, measure
from bonn_hw.emit.system import emit_system
from bonn_hw.report.store import load
from bonn_hw.report.values import Report
from tests.support.checks import checked
from tests.support.sketch import Sketch

pytestmark = pytest.mark.rtl


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("driver")
    sketch = Sketch(2, 4, 4).quant(6, scale=0.25).sign().conv(2, 2, pads=[1] * 4)
    model = sketch.sign().flatten().few_bit_dense(32, 3).write(folder)
    target = pipeline.Target(board("pynq-z2"), 100.0, 500_000)
    pipeline.compile_model(model, target, folder / "build")
    return pipeline.Build.load(folder / "build")


@pytest.fixture(scope="module")
def packed(build, tmp_path_factory):
    folder = tmp_path_factory.mktemp("board") / "cnv"
    pack(build.design, build.host, build.report, folder, "cnv")
    return folder / "cnv.bit"


@pytest.fixture(scope="module")
def machine(build):
    with SimulatedBoard(checked(emit_system(build.design, 100.0), build.design)) as simulated:
        yield SimulatedMachine(simulated)


@pytest.fixture
def accelerator(packed, machine):
    machine.board.disturb(0)
    with Accelerator(packed, machine, batch=16) as one:
        yield one


def images(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 2, 4, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def known(build):
    """Images and what `bonn-hw simulate` answers."""
    frames = images(40)
    return frames, verification.simulate(build, frames).y


def test_answers_are_those_of_the_simulation(accelerator, known):
    frames, answers = known
    np.testing.assert_array_equal(accelerator.predict(frames), answers)
    np.testing.assert_array_equal(accelerator.predict(frames[:1]), answers[:1])
    flat = answers.reshape(len(answers), -1)
    np.testing.assert_array_equal(accelerator.classify(frames), flat.argmax(axis=1))


def test_counters_are_as_predicted(accelerator, build):
    told = accelerator.benchmark()
    assert told["frames"] == 16
    assert told["interval_cycles"] == build.report.cycles_per_frame.predicted
    assert told["frames_per_second_at_clock"] == pytest.approx(
        build.report.frames_per_second.predicted, rel=1e-6
    )
    assert len(told["streams"]) == len(build.design.streams)
    assert all(0 <= one["waiting"] + one["empty"] <= 1 for one in told["streams"])


def test_the_slowest_layer_on_the_board(accelerator, build, known):
    """By counters of the RTL: it is one of those that the cycle counts say are the slowest."""
    found = accelerator.profile(known[0])
    assert found.frames == 16  # a batch
    stages = {stage.name: stage.cycles for stage in build.design.stages}
    assert stages[found.slowest] == max(stages.values())
    for name, cycles in stages.items():  # the others are held up for the rest of the time
        assert found.loads[name] == pytest.approx(cycles / max(stages.values()), abs=0.06)
    assert set(found.loads) == {"input", *stages, "output"}
    lines = str(found).splitlines()
    assert lines[0] == f"16 frames in {found.cycles:,} cycles; # data wait, . none there"
    assert len(lines) == 1 + len(build.design.streams)
    (marked,) = [line for line in lines if line.endswith("|  <- slowest")]
    assert f"-> {found.slowest} " in marked


def test_slow_memory_is_the_slowest(accelerator, machine, known):
    machine.board.disturb(1, gaps=990)
    assert accelerator.profile(known[0]).slowest == "input"


@pytest.mark.parametrize("calls", [300, pytest.param(3000, marks=pytest.mark.large)])
def test_hundreds_of_faults(accelerator, machine, known, calls):
    """Each call ends in the right answer or in a named error, and the next one works."""
    frames, answers = known
    rng = np.random.default_rng(1)
    named = right = 0
    for seed in range(calls):
        count = int(rng.integers(1, 17))
        machine.board.disturb(
            seed,
            latency=int(rng.choice((0, 5, 60))),
            gaps=int(rng.choice((0, 200, 600, 1000), p=(0.4, 0.3, 0.25, 0.05))),
            errors=int(rng.choice((0, 0, 20, 300))),
        )
        if rng.random() < 0.2:  # another program starts something and goes away
            machine.write(reg.FRAMES, int(rng.integers(1, 9)))
            machine.write(reg.CONTROL, reg.START)
            machine.board.advance(int(rng.integers(0, 500)))
            if rng.random() < 0.5:
                machine.write(reg.CONTROL, reg.RESET)
        try:
            found = accelerator.predict(frames[:count])
        except AcceleratorError as error:
            assert "frames were done" in str(error) or "reset: memory" in str(error)
            named += 1
            machine.board.disturb(seed)
            machine.board.advance(1000)
            accelerator.reset()
            found = accelerator.predict(frames[:count])
        np.testing.assert_array_equal(found, answers[:count])
        right += 1
    assert right == calls
    assert 0.1 * calls < named < 0.9 * calls


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((2, 2, 4, 5), np.float32), r"takes the shape \(N, 2, 4, 4\), not \(2, 2, 4, 5\)"),
        (np.zeros((0, 2, 4, 4), np.float32), "takes the shape"),
        (np.zeros((2, 2, 4, 4)), "takes float32, not float64: convert with astype"),
        ([1.0], "takes float32, not list"),
        (np.full((1, 2, 4, 4), np.nan, np.float32), "NaN or infinity"),
    ],
)
def test_images_that_make_no_sense(accelerator, known, bad, message):
    with pytest.raises(AcceleratorError, match=message):
        accelerator.predict(bad)
    np.testing.assert_array_equal(accelerator.predict(known[0][:2]), known[1][:2])


def test_errors_of_the_bus_are_named(accelerator, machine, known):
    machine.board.disturb(3, errors=1000)
    with pytest.raises(AcceleratorError, match=r"the bus answered a read .*; 0 of 4 frames"):
        accelerator.predict(known[0][:4])
    machine.board.disturb(0)
    np.testing.assert_array_equal(accelerator.predict(known[0][:4]), known[1][:4])


def test_memory_that_does_not_answer(accelerator, machine, known):
    machine.board.disturb(3, gaps=1000)
    with pytest.raises(AcceleratorError, match="memory does not answer"):
        accelerator.predict(known[0][:4])
    machine.board.disturb(0)
    machine.board.advance(1000)
    np.testing.assert_array_equal(accelerator.predict(known[0][:4]), known[1][:4])


def changed(packed, folder, **words):
    """The packed files with other words."""
    for suffix in (".json", ".npz"):
        (folder / packed.with_suffix(suffix).name).write_bytes(
            packed.with_suffix(suffix).read_bytes()
        )
    place = folder / packed.with_suffix(".json").name
    place.write_text(json.dumps(json.loads(place.read_text()) | words))
    return folder / packed.name


def test_files_that_do_not_belong_together(packed, machine, tmp_path):
    other = changed(packed, tmp_path, hash="0" * 32)
    with pytest.raises(
        AcceleratorError, match=r"is of design \w{12}, the metadata of 000000000000"
    ):
        Accelerator(other, machine)
    with pytest.raises(AcceleratorError, match=r"is of version 7, this driver reads 1"):
        Accelerator(changed(packed, tmp_path, version=7), machine)
    (tmp_path / "cnv.npz").write_bytes(b"no")
    with pytest.raises(AcceleratorError, match="cannot be read"):
        Accelerator(changed(packed, tmp_path).with_name("none.bit"), machine)


def test_golden_frames_that_are_wrong(packed, machine, tmp_path):
    other = changed(packed, tmp_path)
    with np.load(other.with_suffix(".npz")) as file:
        arrays = dict(file)
    arrays["golden_answers"] = arrays["golden_answers"] + np.float32(1)
    np.savez(other.with_suffix(".npz"), **arrays)
    with pytest.raises(AcceleratorError, match="self test: 8 of 8 golden frames"):
        Accelerator(other, machine)
    Accelerator(other, machine, check=False).close()


def test_the_folder_stands_alone(packed, tmp_path):
    """Without pynq it says so; it needs NumPy and nothing of ours."""
    code = (
        f"import sys; sys.path.insert(0, {str(packed.parent)!r})\n"
        f"import {DRIVER}\n"
        "assert not any(name.startswith('bonn_hw') for name in sys.modules)\n"
        f"try: {DRIVER}.Accelerator({str(packed)!r})\n"
        f"except {DRIVER}.AcceleratorError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert "the package 'pynq' is not installed" in done.stdout


def test_the_same_build_packs_to_the_same_bytes(build, packed, tmp_path):
    pack(build.design, build.host, build.report, tmp_path / "again", "cnv")
    for path in packed.parent.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            other = tmp_path / "again" / path.relative_to(packed.parent)
            assert other.read_bytes() == path.read_bytes(), path


def test_measured_on_the_board(accelerator, packed, known, tmp_path):
    """What is measured stands beside what was predicted."""
    frames, answers = known
    labels = answers.reshape(len(answers), -1).argmax(axis=1)
    labels[:10] = -1
    found = measure(accelerator, frames, labels)
    assert found["accuracy"] == {"board": 0.75}
    report = tmp_path / "report.json"
    report.write_bytes(packed.with_name("report.json").read_bytes())
    complete(report, found)
    facts = json.loads(report.read_text())
    cycles = facts["cycles_per_frame"]
    assert cycles["board"] == cycles["predicted"]
    assert facts["frames_per_second"]["board"] > 0 < facts["frames_per_second"]["predicted"]
    read = load(Report, report)  # what the driver writes by itself is still a report
    assert (read.accuracy.board, read.frames_on_board) == (0.75, 40)
    assert read.cycles_per_frame.known == dict.fromkeys(("predicted", "board"), cycles["predicted"])
    with pytest.raises(AcceleratorError, match="40 images and 3 labels"):
        measure(accelerator, frames, labels[:3])


def test_the_notebook_runs(accelerator, packed, known, tmp_path, monkeypatch):
    """Its cells, on the simulated board."""
    notebook = json.loads(packed.with_name("measure.ipynb").read_text())
    for path in packed.parent.glob("cnv.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "cnv.bit").touch()
    np.save(tmp_path / "images.npy", known[0])
    np.save(tmp_path / "labels.npy", np.zeros(len(known[0]), np.int64))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "bonn_driver", bonn_hw.driver)
    monkeypatch.setitem(sys.modules, "bonn_driver.measure", bonn_hw.driver.measure)
    monkeypatch.setattr(bonn_hw.driver, "Accelerator", lambda path: accelerator)
    names = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert "board" in json.loads((tmp_path / "report.json").read_text())["accuracy"]
