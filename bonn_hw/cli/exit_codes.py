# SPDX-License-Identifier: BSD-3-Clause
"""The exit codes of ``bonn-hw``, the same for all commands."""

from __future__ import annotations

DONE = 0
MISMATCH = 1
BAD_INPUT = 2
TOOL_MISSING = 3
BUG = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as shells do
TERMINATED = 143  # 128 + SIGTERM

MEANING = {
    DONE: "done; where results were compared, they are equal",
    MISMATCH: "results differ, a limit such as --max-lut is not met, or a sweep has a design that "
    "cannot be made",
    BAD_INPUT: "an input, an option or the environment is wrong; the message says what to do",
    TOOL_MISSING: "bitstream: the plan is written, but Vivado or an open tool is not installed",
    BUG: "a bug in bonn-hw; the message names a log file to send us",
    INTERRUPTED: "interrupted with Ctrl-C",
    TERMINATED: "ended by SIGTERM",
}
