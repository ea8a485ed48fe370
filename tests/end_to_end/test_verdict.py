# SPDX-License-Identifier: BSD-3-Clause
"""A network with learnt scales is green; ONNX Runtime's rounding is told, and fails if asked."""

import json

import numpy as np
import pytest

from bonn_hw import pipeline, verification
from bonn_hw.cli.main import main
from tests.support.sketch import Sketch


@pytest.mark.rtl
def test_rounded_sums_are_told_and_are_no_mismatches(tmp_path, capsys):
    sketch = Sketch(10).sign().dense(10, 40, name="hidden", scale=0.1).sign()
    model = sketch.dense(40, 3, name="last", scale=0.3).write(tmp_path)
    build, frames, facts = tmp_path / "build", tmp_path / "x.npy", tmp_path / "facts.json"
    np.save(frames, sketch.random.choice(np.array([-1, 1], np.float32), (30, 10)))
    given = ["--board", "pynq-z2", "--fps", "1000000", "--out", str(build)]
    assert main(["compile", str(model), *given]) == 0
    capsys.readouterr()
    simulate = ["simulate", str(build), "--inputs", str(frames)]
    assert main([*simulate, "--json", str(facts)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "30 frames: 0 mismatches" in told
    found = json.loads(facts.read_text())
    rounding = found["rounding"]
    assert rounding["other_decisions"] > 0 and rounding["last_digits"] > 0
    first = rounding["decisions"][0]
    assert first["layer"] == "hidden"
    assert f"frame {first['frame']} at hidden, channel {first['channel']}" in told
    assert "ONNX Runtime on the file itself rounds its sums: " in told
    assert found["layer_notes"][0]["kind"] == "rounding"
    assert found["layer_notes"][0]["channels"] == list(range(40))

    assert main([*simulate, "--stall", "3", "--strict"]) == 1

    loaded = pipeline.Build.load(build)
    answers = verification.simulate(loaded, np.load(frames))
    np.testing.assert_array_equal(answers.y, answers.qonnx)
    (build / "reference.onnx").unlink()
    assert main(simulate) == 2
    assert "lacks reference.onnx" in " ".join(capsys.readouterr().err.split())
    assert main([*simulate, "--trust"]) == 2
    assert "has no reference.onnx" in " ".join(capsys.readouterr().err.split())
