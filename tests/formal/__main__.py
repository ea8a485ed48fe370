# SPDX-License-Identifier: BSD-3-Clause
"""``python -m tests.formal [PATTERN [SECONDS]]``: prove the points whose names match."""

import re
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.formal.engine import FALSE, PROVED, Case, decide, prepare
from tests.formal.faults import faulty
from tests.formal.points import points


def main(pattern: str = "", seconds: str = "300") -> int:
    """Returns how many are not as they should be."""
    cases = [Case(name, facts) for name, facts in points().items()] + faulty()
    cases = [case for case in cases if re.search(pattern, case.name)]
    wrong = 0
    with TemporaryDirectory() as name:
        folder = Path(name)
        prepare(cases, folder)
        for case in cases:
            start = time.process_time_ns(), time.monotonic()
            answer = decide(case.name, folder, int(seconds))
            good = answer == (FALSE if case.fault else PROVED)
            wrong += not good
            print(f"{case.name:40} {answer:8} {time.monotonic() - start[1]:7.1f} s"
                  f"{'' if good else '   <-'}", flush=True)  # fmt: skip
    print(f"{len(cases) - wrong} of {len(cases)} as they should be")
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
