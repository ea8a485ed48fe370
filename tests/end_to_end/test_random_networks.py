# SPDX-License-Identifier: BSD-3-Clause
"""Random models through the whole flow: QONNX, integers and RTL agree, and so do the cycles."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bonn_hw import pipeline, verification
from bonn_hw.boards import board
from bonn_hw.errors import UnsupportedModel, UserError
from tests.support.models import networks


@pytest.mark.rtl
@given(networks(odd=False), st.integers(50, 3000))
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_compiled_networks_answer_exactly(builder, cycles):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        target = pipeline.Target(board("pynq-z2"), 100.0, 100e6 / cycles)
        try:
            report = pipeline.compile_model(builder.path(folder), target, folder / "build")
        except UnsupportedModel:
            assume(False)
        except UserError as error:
            assert "cycles per frame at full parallelism" in str(error)
            assume(False)
        build = pipeline.Build.load(folder / "build")
        for stall in (None, 1):
            answers = verification.simulate(build, builder.images(8), stall=stall)
            np.testing.assert_array_equal(answers.rtl, answers.integer)
            np.testing.assert_array_equal(answers.y, answers.qonnx)
            assert not answers.plain.unexplained.any()
            if stall is None:
                assert answers.run.interval == report.cycles_per_frame.predicted <= cycles
                assert answers.run.latency == report.latency_cycles.predicted
