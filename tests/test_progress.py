# SPDX-License-Identifier: BSD-3-Clause
"""Progress: the step, the time since the start, and the time that is left."""

import io
import time

import pytest

from bonn_hw import console
from bonn_hw.progress import Pace, clock


def test_the_time_that_is_left():
    now = [0.0]
    pace = Pace("simulate", lambda: now[0])
    assert pace.line() == "simulate (0:00)"
    pace.step("integer graph")
    now[0] = 10.0
    assert pace.line() == "simulate: integer graph (0:10)"
    pace.step("RTL, frame 0 of 1,000")
    assert pace.left() is None  # nothing is done yet
    now[0] = 30.0
    pace.step("RTL, frame 100 of 1,000")  # 20 seconds for 100 frames
    assert pace.line() == "simulate: RTL, frame 100 of 1,000 (0:30, 3:00 left)"
    pace.step("RTL, frame 1,000 of 1,000")
    assert pace.left() == 0
    pace.step("routing")
    assert pace.left() is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03")]
)
def test_durations(seconds, text):
    assert clock(seconds) == text


def test_a_line_a_minute_without_a_terminal(monkeypatch):
    monkeypatch.setattr(console, "EVERY", 0.02)
    log = io.StringIO()
    with console.progress_line(log, "synth") as step:
        step("Yosys")
        deadline = time.monotonic() + 10
        while log.getvalue().count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)  # it is another thread that writes
    lines = log.getvalue().splitlines()
    assert len(lines) >= 2 and "synth: Yosys (0:00)" in lines
    time.sleep(0.1)
    assert log.getvalue().splitlines() == lines  # nothing behind the end


def test_short_work_says_nothing():
    log = io.StringIO()
    with console.progress_line(log, "synth") as step:
        step("Yosys")
    assert log.getvalue() == ""
