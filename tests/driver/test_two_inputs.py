# SPDX-License-Identifier: BSD-3-Clause
"""Two inputs that join, through the driver and the shell's RTL."""

import numpy as np
import pytest

from bonn_hw import pipeline
from bonn_hw.bitstream.pack import pack
from bonn_hw.board_sim import SimulatedBoard, SimulatedMachine
from bonn_hw.boards import board
from bonn_hw.driver import Accelerator
from bonn_hw.emit.system import emit_system
from tests.support.checks import checked
from tests.support.pairs import drawn, images, separately


@pytest.mark.rtl
def test_two_images_that_join(tmp_path):
    sketch = images()
    target = pipeline.Target(board("pynq-z2"), 100.0, 50_000)
    pipeline.compile_model(sketch.write(tmp_path), target, tmp_path / "build")
    build = pipeline.Build.load(tmp_path / "build")
    pack(build.design, build.host, build.report, tmp_path / "board", "pair")
    one, other = np.split(drawn(sketch, 20), [3], axis=1)
    system = checked(emit_system(build.design, 100.0), build.design)
    with SimulatedBoard(system) as simulated:
        for late in (0, 60):  # most cycles that a burst of the memory waits
            simulated.disturb(1, latency=late, gaps=5 * late)
            machine = SimulatedMachine(simulated)
            with Accelerator(tmp_path / "board" / "pair.bit", machine, batch=16) as accelerator:
                answers = accelerator.predict(np.concatenate([one, other], axis=1))
                told = accelerator.benchmark()
            np.testing.assert_array_equal(answers, separately(sketch, np.hstack([one, other])))
            if not late:
                assert told["interval_cycles"] == build.report.cycles_per_frame.predicted
