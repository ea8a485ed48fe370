# SPDX-License-Identifier: BSD-3-Clause
"""Run a case, and say whether what happened is allowed."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import traceback
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bonn_hw.cli.endings import LONGEST, ending
from tests.fuzz.kinds import Case

ALLOWED = {0: "accepted", 1: "accepted", 2: "refused", 3: "refused"}


@dataclass(frozen=True)
class Outcome:
    """``accepted``, ``refused`` or ``finding``, with the text of a finding."""

    what: str
    text: str = ""


def judge(case: Case, seed: int, place: Path) -> Outcome:
    """Run a case in a new folder in `place`, and remove it unless it is a finding."""
    folder = Path(tempfile.mkdtemp(prefix=f"{seed}-", dir=place))
    inside, secret = folder / "work", folder / "secret.bin"
    inside.mkdir()
    secret.write_bytes(b"secret")
    before, here = sorted(os.listdir(folder)), os.getcwd()
    output = io.StringIO()
    try:
        os.chdir(inside)
        with redirect_stdout(output), redirect_stderr(output):
            outcome = _run(case, seed, inside, output)
    finally:
        os.chdir(here)
    if sorted(os.listdir(folder)) != before or secret.read_bytes() != b"secret":
        outcome = Outcome("finding", f"files outside: {os.listdir(folder)}")
    if outcome.what != "finding":
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def _run(case: Case, seed: int, folder: Path, output: io.StringIO) -> Outcome:
    try:
        code = case(np.random.default_rng(seed), folder)
    except Exception as error:
        code, message = ending(error, "fuzz", [], debug=True)
        if code not in ALLOWED:
            return Outcome("finding", "".join(traceback.format_exception(error)))
        if not message or len(message) > LONGEST + 5:
            return Outcome("finding", f"a message of {len(message)} characters")
    if code not in ALLOWED:
        return Outcome("finding", f"exit code {code}\n{output.getvalue()}")
    return Outcome(ALLOWED[code])
