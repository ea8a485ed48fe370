# SPDX-License-Identifier: BSD-3-Clause
"""``python -m tests.formal [PATTERN [SECONDS]]``: prove the points whose names match."""

import re
import resource
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.formal.engine import Case, decide, prepare
from tests.formal.faults import faulty
from tests.formal.points import points


def main(pattern: str = "", seconds: str = "300") -> int:
    """Returns how many are not as they should be."""
    cases = [Case(name, facts, led=True) for name, facts in points().items()] + faulty()
    cases = [case for case in cases if re.search(pattern, case.name)]
    wrong = 0
    with TemporaryDirectory() as name:
        folder = Path(name)
        prepare(cases, folder)
        print(f"Yosys: {_spent():.1f} s of the processor", flush=True)
        for case in cases:
            start = _spent()
            answer = decide(case.name, folder, int(seconds))
            right = answer == case.expected
            wrong += not right
            print(f"{case.name:40} {answer:8} {_spent() - start:7.1f} s"
                  f"{'' if right else '   <-'}", flush=True)  # fmt: skip
    print(
        f"{len(cases) - wrong} of {len(cases)} as they should be, {_spent():.0f} s of the processor"
    )
    return wrong


def _spent() -> float:
    """Seconds of the processor that programs have taken which have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
