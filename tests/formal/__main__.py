# SPDX-License-Identifier: BSD-3-Clause
"""``python -m tests.formal [PATTERN [SECONDS]]``: prove the points whose names match."""

import re
import resource
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.formal import faults, shell, shell_faults
from tests.formal.engine import (
    FALSE,
    PROVED,
    Case,
    decide,
    decide_step,
    prepare,
    prepare_shell,
)
from tests.formal.points import points


def main(pattern: str = "", seconds: str = "300") -> int:
    """Returns how many are not as they should be."""
    cases = [Case(name, facts, led=True) for name, facts in points().items()] + faults.faulty()
    cases = [case for case in cases if re.search(pattern, case.name)]
    benches = [*shell.BENCHES, *shell_faults.faulty()]
    benches = [bench for bench in benches if re.search(pattern, bench.name)]
    asked = [(case.name, case.expected, decide) for case in cases]
    asked += [(bench.name, FALSE if bench.fault else PROVED, decide_step) for bench in benches]
    wrong = 0
    with TemporaryDirectory() as place:
        folder = Path(place)
        prepare(cases, folder)
        prepare_shell(benches, folder)
        print(f"Yosys: {_spent():.1f} s of the processor", flush=True)
        for name, expected, decided in asked:
            start = _spent()
            answer = decided(name, folder, int(seconds))
            wrong += answer != expected
            told = f"{name:40} {answer:8} {_spent() - start:7.1f} s"
            print(told if answer == expected else f"{told}   <-", flush=True)
    good = len(asked) - wrong
    print(f"{good} of {len(asked)} as they should be, {_spent():.0f} s of the processor")
    return wrong


def _spent() -> float:
    """Seconds of the processor that programs have taken which have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
