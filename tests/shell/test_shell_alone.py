# SPDX-License-Identifier: BSD-3-Clause
"""The shell alone, in four states: memory that pauses and fails, resets, the watchdog; slots."""

from pathlib import Path

import pytest

from bonn_hw.emit.write import templates_folder
from tests.support import event_simulators
from tests.support.four_states import compiled

pytestmark = pytest.mark.rtl
SUPPORT = Path(event_simulators.__file__).parent


@pytest.mark.parametrize("bench", ["shell_bench", "slots_bench"])
def test_all_that_the_shell_promises(bench, tmp_path):
    folder = templates_folder()
    sources = [*sorted(folder.glob("cells/*.sv")), *sorted(folder.glob("shell/*.sv"))]
    well, told = compiled([*sources, SUPPORT / f"{bench}.sv"], bench, tmp_path).run(tmp_path)
    assert well and told.startswith("PASSED: "), told
