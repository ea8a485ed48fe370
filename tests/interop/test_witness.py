# SPDX-License-Identifier: BSD-3-Clause
"""FINN as a witness: equal where it is right; four known defects by name; all else fails."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from bonn_hw import cache, frontend
from bonn_hw.boards import board
from bonn_hw.cli.main import main
from bonn_hw.errors import Interrupted, UserError
from bonn_hw.interop import crosscheck, finn_defects, finn_environment
from bonn_hw.interop.finn_result import run_finn
from bonn_hw.ir.target import Target
from bonn_hw.pipeline import read_model
from tests.support import finn
from tests.support.sketch import Sketch
from tests.support.tfc import write_tfc

TARGET = Target(board("pynq-z2"), 100.0, 1000)


@pytest.fixture(scope="module")
def images():
    """One frame of each brightness, as files of a user are."""
    return np.linspace(-1, 1, 4, dtype=np.float32)[:, None, None, None] * np.ones(
        (1, 28, 28), np.float32
    )


def shown(model, images=None):
    finn.need()
    return crosscheck.crosscheck(model, images, 4, TARGET)


class Recorded:
    """FINN's result, which later comparisons of the same model take as it is or changed."""

    def __init__(self, monkeypatch):
        self.monkeypatch, self.result = monkeypatch, None

    def run(self, *arguments):
        self.result = run_finn(*arguments)
        return self.result

    def again(self, model, images, random, **changes):
        """The comparison with a changed result."""
        with self.monkeypatch.context() as patch:
            changed = replace(self.result, **changes)
            patch.setattr(crosscheck.finn_result, "run_finn", lambda *arguments: changed)
            return crosscheck.crosscheck(model, images, random, TARGET)


@pytest.fixture
def recorded(monkeypatch):
    finn.need()
    made = Recorded(monkeypatch)
    monkeypatch.setattr(crosscheck.finn_result, "run_finn", made.run)
    return made


@pytest.mark.finn
def test_the_network_of_the_zoo_is_equal(images, tmp_path, capsys):
    finn.need()
    np.save(tmp_path / "images.npy", images)
    command = [
        "witness",
        str(write_tfc(tmp_path)),
        "--inputs",
        str(tmp_path / "images.npy"),
        "--random",
        "4",
    ]
    assert main([*command, "--json", str(tmp_path / "out.json")]) == 0
    facts = json.loads((tmp_path / "out.json").read_text())
    assert facts["verdict"] == "equal"
    assert facts["frames"] == {"real": 4, "random": 4}
    assert [layer["node"] for layer in facts["layers"]] == [f"MVAU_{i}" for i in range(4)]
    counts = [(layer["finn"], layer["alone"]) for layer in facts["layers"]]
    assert counts == [(0, 0)] * 4
    assert [layer["qonnx"] for layer in facts["layers"]] == [0, 0, 0, 0]
    assert facts["answers"]["frames_that_differ_from_qonnx"] == 0
    assert [row["cycles"]["ours"] for row in facts["estimates"]] == [
        row["cycles"]["finn"] for row in facts["estimates"]
    ]
    assert "every layer is equal" in capsys.readouterr().out


@pytest.mark.finn
def test_an_interrupted_witness_goes_on(tmp_path, monkeypatch):
    """Ctrl-C comes after three of four frames; what is kept is not computed again."""
    finn.need()
    model = Sketch(8).sign().bit_dense(8, 4).sign().bit_dense(4, 3).write(tmp_path)
    at_once = shown(model)
    monkeypatch.setattr(cache, "UNFINISHED", str(tmp_path / "unfinished"))
    written = []

    def interrupt(line):
        if line == "FINN: 3 of 4 frames":
            raise KeyboardInterrupt

    def look(line):
        if line == "FINN: 4 of 4 frames":
            written.append(times())

    def times():
        return {one.name: one.stat().st_mtime_ns for one in tmp_path.glob("unfinished/*/*.npz")}

    with pytest.raises(Interrupted) as error:
        crosscheck.crosscheck(model, None, 4, TARGET, progress=interrupt)
    found = re.fullmatch(
        r"interrupted; (7|8) of 8 executions of a frame, by qonnx and by FINN, are kept: the same "
        "command goes on with the others",
        str(error.value),
    )
    before = times()
    assert found and len(before) == int(found[1])
    assert crosscheck.crosscheck(model, None, 4, TARGET, progress=look) == at_once
    assert before.items() <= written[0].items() and len(written[0]) == 8
    assert times() == {}


@pytest.mark.finn
def test_convolutions_and_pools_are_equal(tmp_path):
    found = shown(finn.small_cnn().write(tmp_path))
    assert found.verdict == "equal"
    kinds = [layer.layer for layer in found.layers]
    assert kinds == [
        *("sliding_window_0", "mvu_0", "sliding_window_1", "mvu_1", "max_pool_0", "mvu_2")
    ]


@pytest.mark.finn
def test_padding_with_true_zeros(tmp_path):
    found = shown(finn.small_cnn(pads=(1, 1, 1, 1)).write(tmp_path))
    verdicts = {layer.layer: layer.verdict for layer in found.layers}
    assert found.verdict == "defects"
    assert verdicts["mvu_0"] == "equal"  # integers are padded with 0 in FINN too
    assert verdicts["mvu_1"] == "defect"
    (padded,) = (layer for layer in found.layers if layer.layer == "mvu_1")
    assert padded.defects == (finn_defects.PADDING,)
    assert padded.finn == padded.alone > 0 == padded.qonnx
    assert {layer.alone for layer in found.layers[6:]} == {0}


@pytest.mark.finn
def test_thresholds_that_finn_gets_wrong(recorded, tmp_path):
    """Neuron 0 is always on; FINN clips the threshold of neuron 3, and frames show that."""
    made = Sketch(100).sign().bit_dense(100, 6)
    ones, zeros = np.ones(6, np.float32), np.zeros(6, np.float32)
    beta = np.array([200, 5, -3, -50, 0, 7], np.float32)
    made.add("BatchNormalization", ones, beta, zeros, ones, epsilon=1e-12)
    model = made.sign().bit_dense(6, 3).write(tmp_path)
    unit = frontend.lower(read_model(model)).graph.nodes[0].kernel
    frames = np.repeat(unit.weights[3][None].astype(np.float32), 3, axis=0)
    for place, wrong in enumerate((20, 30, 60)):  # popcounts of 80, 70 and 40
        frames[place, :wrong] *= -1
    found = crosscheck.crosscheck(model, frames, 2, TARGET)
    first, second = found.layers
    assert found.verdict == "defects"
    assert first.defects == (finn_defects.CLIPPED, finn_defects.ALWAYS_ON)
    assert (first.verdict, first.finn, first.alone) == ("defect", 1, 1)
    assert second.verdict in ("equal", "follows")
    # Something else, in one value of one layer.
    node = recorded.result.nodes[-1]
    last = next(one for one in recorded.result.nodes if one.name == "MVAU_1")
    assert node.output in recorded.result.tensors
    values = recorded.result.tensors[last.output].copy()
    values[0, 0] += 1
    tensors = {**recorded.result.tensors, last.output: values}
    lies = recorded.again(model, frames, 2, tensors=tensors)
    assert lies.verdict == "differs"
    assert [layer.verdict for layer in lies.layers] == ["defect", "differs"]
    with pytest.raises(UserError, match=r"no layer of FINN's graph .* has a counterpart here"):
        recorded.again(model, frames, 2, nodes=recorded.result.nodes[:1])


@pytest.mark.finn
def test_few_bits_and_a_quantised_output_are_equal(recorded, tmp_path):
    """FINN negates channels, and decides in nodes of its own; the last quantiser is the host's."""
    model = finn.few_bits((0.5, -1.0, 0.7, 2.0), 3.7).write(tmp_path)
    found = crosscheck.crosscheck(model, None, 4, TARGET)
    assert found.verdict == "equal", found
    assert {layer.node: layer.layer for layer in found.layers} == {
        "ConvolutionInputGenerator_0": "sliding_window_0",
        "MVAU_0": "mvu_0",
        "Thresholding_1": "multi_threshold_0",
        "MVAU_1": "mvu_1",
        "Pool_0": "max_pool_0",
        "MVAU_2": "mvu_2",
    }
    assert {layer.finn for layer in found.layers} == {0}
    assert not found.not_in_finns_graph


@pytest.mark.finn
def test_ties_are_found_where_they_are(recorded, monkeypatch, tmp_path):
    """Quant rounds half to even, FINN up: at the input, and behind both convolutions."""
    model = finn.few_bits().write(tmp_path)
    ties = np.random.default_rng(0).integers(-8, 7, (1, 2, 6, 6)).astype(np.float32)
    found = crosscheck.crosscheck(model, (ties + 0.5) / 8, 4, TARGET)
    assert found.verdict == "defects"
    assert found.input_values_that_differ == int((ties % 2 == 0).sum())
    assert found.input_defects == (finn_defects.TIES,)
    verdicts = {layer.layer: layer.verdict for layer in found.layers}
    expected = {"sliding_window_0": "follows", "mvu_0": "defect", "mvu_1": "defect"}
    assert verdicts == {**expected, "max_pool_0": "follows", "mvu_2": "follows"}
    for layer in found.layers:
        assert (layer.alone > 0) == (layer.verdict == "defect")
        assert layer.defects == ((finn_defects.TIES,) if layer.alone else ())
        assert not layer.qonnx
    # The model's own operators find them as well, whatever our kernels are.
    with monkeypatch.context() as patch:
        patch.setattr(finn_defects, "_variants", lambda kernel, pair: iter(()))
        again = recorded.again(model, (ties + 0.5) / 8, 4)
    assert again.layers == found.layers
    # One more step in another value is no tie.
    (node,) = (one for one in recorded.result.nodes if one.name == "MVAU_1")
    values = recorded.result.tensors[node.output].copy()
    values[-1, 0, 0, 0] -= 1
    tensors = {**recorded.result.tensors, node.output: values}
    lies = recorded.again(model, (ties + 0.5) / 8, 4, tensors=tensors)
    assert lies.verdict == "differs"
    assert {layer.layer for layer in lies.layers if layer.verdict == "differs"} >= {"mvu_1"}


def test_without_finn(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv(finn_environment.VARIABLE, str(tmp_path))
    assert main(["witness", str(write_tfc(tmp_path))]) == 2
    told = capsys.readouterr().err
    assert f"FINN's environment is not in {tmp_path}: run 'bonn-hw setup finn'" in told
