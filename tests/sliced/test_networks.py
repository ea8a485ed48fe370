# SPDX-License-Identifier: BSD-3-Clause
"""Random networks and the networks of the zoo: gates and Verilator are equal, cycle by cycle."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bonn_hw import pipeline
from bonn_hw.boards import board
from bonn_hw.emit.stored import read_project
from bonn_hw.errors import UnsupportedModel, UserError
from bonn_hw.ir.stream import pack
from bonn_hw.sim import run as verilator
from bonn_hw.sliced import run as sliced
from tests.support.bench import random_values
from tests.support.models import networks

pytestmark = [pytest.mark.rtl, pytest.mark.large]
FRAMES, LANES = 192, 64


def agree(build, stalls=(None, 1)):
    project = read_project(build.rtl)
    frames = random_values(build.design.graph.tensors[build.design.graph.input], FRAMES)
    beats = pack(frames, project.source.lanes, project.source.element)
    options = {"folder": build.rtl, "timeout_cycles": build.design.patience}
    for stall in stalls:
        gates = sliced.simulate(project, beats, FRAMES, lanes=LANES, stall=stall, **options)
        rtl = verilator.simulate(project, beats, FRAMES, jobs=LANES, stall=stall, **options)
        assert rtl.shards == gates.shards
        np.testing.assert_array_equal(gates.outputs, rtl.outputs)
        np.testing.assert_array_equal(gates.output_cycles, rtl.output_cycles)
        assert gates.stage_cycles == rtl.stage_cycles


@given(networks(odd=False), st.integers(50, 3000))
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_networks(builder, cycles):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        target = pipeline.Target(board("pynq-z2"), 100.0, 100e6 / cycles)
        try:
            pipeline.compile_model(builder.path(folder), target, folder / "build")
        except UnsupportedModel:
            assume(False)
        except UserError as error:
            assert "cycles per frame at full parallelism" in str(error)
            assume(False)
        agree(pipeline.Build.load(folder / "build"))
