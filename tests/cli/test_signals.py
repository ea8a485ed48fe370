# SPDX-License-Identifier: BSD-3-Clause
"""SIGTERM and Ctrl-C end a command with its own code, and one message."""

import os
import signal
import subprocess
import sys
import time

import pytest

from bonn_hw.cli.main import main

CODE = """
import sys, time
from pathlib import Path
from bonn_hw import files
from bonn_hw.cli import report
from bonn_hw.cli.main import main

def run(options, terminal):
    with files.fresh_file(Path("out")) as partial:
        partial.touch()
        print("ready", flush=True)
        time.sleep(60)
    return 0

report.run = run
sys.exit(main(["report", "x"]))
"""


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        (signal.SIGTERM, 143, "bonn-hw: ended by SIGTERM; a rerun starts clean\n"),
        (signal.SIGINT, 130, "bonn-hw: interrupted; a rerun starts clean\n"),
    ],
)
def test_a_signal_ends_a_command_and_leaves_nothing(number, code, text, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", CODE],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (code, "", text)
    assert list(tmp_path.iterdir()) == []


def test_the_handler_is_put_back(planted):
    before = signal.getsignal(signal.SIGTERM)
    seen = []
    planted(lambda terminal: seen.append(signal.getsignal(signal.SIGTERM)) or 0)
    assert main(["report", "x"]) == 0
    assert signal.getsignal(signal.SIGTERM) == before != seen[0]


def test_a_forked_worker_dies_of_the_signal(planted, capfd):
    """It is not our process: it neither prints nor tidies."""

    def run(terminal):
        ready, started = os.pipe()
        child = os.fork()
        if not child:
            os.write(started, b".")  # a signal before Python's own steps after fork would be lost
            for _ in range(1000):
                time.sleep(0.01)
            os._exit(0)
        os.read(ready, 1)
        os.kill(child, signal.SIGTERM)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    planted(run)
    assert main(["report", "x"]) in (-signal.SIGTERM, 128 + signal.SIGTERM)
    assert capfd.readouterr() == ("", "")
