# SPDX-License-Identifier: BSD-3-Clause
"""The oldest Verilator that is supported, Debian's 5.006, builds every kernel; answers are equal.

All foldings of all kernels are elaborated by it in `kernels/test_contract.py`.
"""

import numpy as np
import pytest

from bonn_hw.kernels import kernels
from bonn_hw.sim import locate
from bonn_hw.timing.model import run
from tests.support import every_kernel
from tests.support.bench import random_values, simulate_design

FRAMES = 12


@pytest.fixture(scope="module")
def design():
    return every_kernel.design()


def test_the_network_holds_every_kernel(design):
    assert {stage.node.kernel.stem for stage in design.stages} == set(kernels())
    units = [stage for stage in design.stages if stage.node.kernel.stem == "mvu"]
    parameters = [unit.node.kernel.rtl(unit.folding).parameters for unit in units]
    assert {one["CUTS"] > 0 for one in parameters} == {True, False}
    assert {one["ROW_CLASSES"] for one in parameters} == {1, 3}
    assert {one["HAS_THRESHOLDS"] for one in parameters} == {0, 1}


@pytest.mark.rtl
def test_a_padded_network_of_all_kernels(design, tmp_path, monkeypatch, debian_verilator):
    monkeypatch.setenv(locate.CHOICE, debian_verilator)
    monkeypatch.setenv("BONN_HW_SIM_OPTIMISE", "0")  # as in test_run.py: one runtime for both
    frames = random_values(design.graph.tensors["input"], FRAMES)
    expected = design.graph.run(frames)
    assert len(np.unique(expected.reshape(FRAMES, -1), axis=0)) > FRAMES // 2
    for stall in (None, 1):
        outcome = simulate_design(design, frames, tmp_path, stall)
        assert outcome.run.verilator == "5.006"
        np.testing.assert_array_equal(outcome.outputs, expected)
        predicted = run(design, FRAMES, stall).output_cycles
        np.testing.assert_array_equal(outcome.run.output_cycles, predicted)
