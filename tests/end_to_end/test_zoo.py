# SPDX-License-Identifier: BSD-3-Clause
"""TFC as the QONNX model zoo writes it, from the file to the RTL; other models where there are."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from bonn_hw import frontend
from bonn_hw.cli.main import main
from tests.support.models import by_qonnx
from tests.support.tfc import write_tfc

FOLDER = os.environ.get("BONN_HW_MODELS")  # a folder of .onnx files that are not of this project
MODELS = sorted(Path(FOLDER).glob("*.onnx")) if FOLDER else []
if FOLDER and not MODELS:
    raise ValueError(
        f"BONN_HW_MODELS={FOLDER} holds no .onnx file: name another folder, or unset it"
    )


@pytest.mark.rtl
def test_rtl_answers_as_qonnx_executes_the_model(tmp_path):
    model = write_tfc(tmp_path)
    images = np.random.default_rng(0).random((200, 1, 28, 28), np.float32)
    np.save(tmp_path / "x.npy", images)
    build, report = tmp_path / "build", tmp_path / "sim.json"
    assert main(["compile", str(model), "--fps", "100000", "--out", str(build)]) == 0
    files = ["--inputs", str(tmp_path / "x.npy"), "--outputs", str(tmp_path / "y.npy")]
    assert main(["simulate", str(build), *files, "--json", str(report)]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), by_qonnx(model, images))
    facts = json.loads(report.read_text())
    assert (facts["frames"], facts["mismatches"]) == (200, 0)
    cycles = facts["cycles_per_frame"]
    assert cycles["simulated"] == cycles["predicted"] <= 1000


@pytest.mark.rtl
def test_what_is_simulated_stands_in_the_build_folder(tmp_path, capsys):
    """RTL that was changed is refused; with --trust, its errors are mismatches (exit code 1)."""
    np.save(tmp_path / "x.npy", np.random.default_rng(1).random((20, 1, 28, 28), np.float32))
    build = tmp_path / "build"
    assert main(["compile", str(write_tfc(tmp_path)), "--fps", "100000", "--out", str(build)]) == 0
    source = build / "rtl" / "mvu.sv"
    text = source.read_text()
    assert "result = sum[SUM_BITS-1];" in text
    source.write_text(text.replace("result = sum[SUM_BITS-1];", "result = sum > Half;"))
    simulate = ["simulate", str(build), "--inputs", str(tmp_path / "x.npy")]
    assert main(simulate) == 2
    assert "mvu.sv was damaged or changed after the build was made" in capsys.readouterr().err
    assert main([*simulate, "--trust"]) == 1


if MODELS:  # no empty list of cases, which would be a skipped test

    @pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
    def test_a_model_of_others_is_lowered_exactly(path):
        """A model that is refused is a failure too: choose what is in the folder."""
        model = frontend.read(path)
        lowered = frontend.lower(model)
        frames = lowered.host.random_frames(8)
        answers = lowered.host.decode(lowered.graph.run(lowered.host.encode(frames)))
        np.testing.assert_array_equal(answers, model.run(frames))
        np.testing.assert_array_equal(answers, by_qonnx(path, frames))
