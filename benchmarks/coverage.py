# SPDX-License-Identifier: BSD-3-Clause
"""The coverage grid: every layer over its parameters and precisions, exact or refused by name.

``python -m benchmarks.coverage [--out coverage.jsonl] [--only TEXT]`` appends a line for each case
to a file and goes on where it ended; a case that was wrong is judged again. It ends with 1 if one
is wrong.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import zlib
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from tests.support.coverage import cases, judge


def main() -> int:
    """Judge the cases that are not in the file yet, and count the outcomes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("coverage.jsonl"))
    parser.add_argument("--only", default="", help="cases whose names contain this text")
    options = parser.parse_args()
    done = {}
    if options.out.exists():
        done = {line["name"]: line for line in map(json.loads, options.out.open())}
    with tempfile.TemporaryDirectory() as folder, options.out.open("a") as lines:
        # In an order in which the first cases are a sample of all.
        for case in sorted(cases(), key=lambda one: zlib.crc32(one.name.encode())):
            judged = done.get(case.name, {}).get("outcome", "wrong") != "wrong"
            if options.only in case.name and not judged:
                done[case.name] = asdict(judge(case, Path(folder)))
                lines.write(json.dumps(done[case.name]) + "\n")
                lines.flush()
    counts = Counter(one["outcome"] for one in done.values())
    for one in done.values():
        if one["outcome"] == "wrong":
            print(f"{one['name']}: {one['reason']}")
    print(f"{len(done)} cases: {', '.join(f'{count} {name}' for name, count in counts.items())}")
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
