# SPDX-License-Identifier: BSD-3-Clause
"""The shell alone, in four states: memory that pauses and fails, resets, the watchdog."""

from pathlib import Path

import pytest

from bonn_hw.emit.write import templates_folder
from tests.support import event_simulators
from tests.support.four_states import compiled

pytestmark = pytest.mark.rtl
BENCH = Path(event_simulators.__file__).with_name("shell_bench.sv")


def test_all_that_the_shell_promises(tmp_path):
    folder = templates_folder()
    sources = [*sorted(folder.glob("cells/*.sv")), *sorted(folder.glob("shell/*.sv"))]
    well, told = compiled([*sources, BENCH], "shell_bench", tmp_path).run(tmp_path)
    assert well and told.startswith("PASSED: "), told
