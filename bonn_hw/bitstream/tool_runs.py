# SPDX-License-Identifier: BSD-3-Clause
"""What all flows to a bitstream share: one run at a time, programs that end with us, results."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bonn_hw.errors import UserError
from bonn_hw.files import MARK
from bonn_hw.report.section_values import Implemented

TARGET = "bitstream"
PATIENCE_S = 10  # from the request to end until the tool is ended by force

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """A bitstream that meets its timing.

    Attributes
    ----------
    folder : Path
        What the tool has made.
    figures : Implemented
        What goes into the build's report.
    address : int or None
        Of the registers; None: the hardware description beside the bitstream tells it.
    baud : int or None
        Bits a second of a board's serial line; None: it has a processing system.
    """

    folder: Path
    figures: Implemented
    address: int | None = None
    baud: int | None = None


@contextmanager
def alone(build: Path) -> Iterator[None]:
    """Keep a second run from a build.

    Raises UserError if there is one, or if ``bitstream`` could not be replaced at the end.
    """
    target = build / TARGET
    if target.exists() and not (target / MARK).is_file():
        raise UserError(
            f"{target} exists and holds no bitstream of ours (it has no {MARK}): move it away"
        )
    lock = os.open(build, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise UserError(f"another run makes a bitstream of {build}: wait for its end") from None
    try:
        yield
    finally:
        os.close(lock)


def left(build: Path) -> str:
    """What a message about a failure says of the bitstream of an earlier build."""
    if (build / TARGET).exists():
        return f"; the bitstream of an earlier build is unchanged: {build / TARGET}"
    return "; there is no bitstream"


def run(command: Sequence[str], work: Path, console: Path, told: Callable[[str], None]) -> int:
    """Run a program to its end; returns its exit code.

    Every line of its output goes to a file and to ``told``. An exception, Ctrl-C too, ends the
    program and its children.
    """
    with console.open("w") as stream, _process(command, work) as process:
        assert process.stdout is not None
        for line in process.stdout:
            stream.write(line)
            told(line)
        return process.wait()


@contextmanager
def _process(command: Sequence[str], work: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        cwd=work,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # one group, so that the tool's own processes end with it
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    for request in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, request)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            continue
