# SPDX-License-Identifier: BSD-3-Clause
"""A model that we did not make: TFC of the QONNX model zoo, from the file to the RTL."""

import json
from pathlib import Path

import numpy as np
import pytest

from bonn_hw.cli.main import main
from tests.support.models import by_qonnx

ZOO = Path(__file__).parent.parent / "data" / "TFC_1W1A.onnx"


@pytest.mark.rtl
def test_rtl_answers_as_qonnx_executes_the_model(tmp_path):
    images = np.random.default_rng(0).random((200, 1, 28, 28), np.float32)
    np.save(tmp_path / "x.npy", images)
    build, report = tmp_path / "build", tmp_path / "sim.json"
    assert main(["compile", str(ZOO), "--fps", "100000", "--out", str(build)]) == 0
    files = ["--inputs", str(tmp_path / "x.npy"), "--outputs", str(tmp_path / "y.npy")]
    assert main(["simulate", str(build), *files, "--json", str(report)]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), by_qonnx(ZOO, images))
    facts = json.loads(report.read_text())
    assert (facts["frames"], facts["mismatches"]) == (200, 0)
    cycles = facts["cycles_per_frame"]
    assert cycles["simulated"] == cycles["predicted"] <= 1000


@pytest.mark.rtl
def test_what_is_simulated_stands_in_the_build_folder(tmp_path):
    """A threshold that was spoilt in the folder shows up as mismatches, with exit code 1."""
    np.save(tmp_path / "x.npy", np.random.default_rng(1).random((20, 1, 28, 28), np.float32))
    build = tmp_path / "build"
    assert main(["compile", str(ZOO), "--fps", "100000", "--out", str(build)]) == 0
    source = build / "rtl" / "mvu.sv"
    text = source.read_text()
    assert "result = sum[SUM_BITS-1];" in text
    source.write_text(text.replace("result = sum[SUM_BITS-1];", "result = sum > Half;"))
    assert main(["simulate", str(build), "--inputs", str(tmp_path / "x.npy")]) == 1
