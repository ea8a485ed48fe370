# SPDX-License-Identifier: BSD-3-Clause
"""Random networks as strangers write them: ``python -m benchmarks.strangers --count 1000``.

Every network is lowered, and its graph compared with the reference on random and corner frames. A
refusal must name a form that was drawn, and what it says must help: it is done, and the network
lowered again. ``--rtl N`` also simulates every Nth network, freely and with stalls.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bonn_hw.cli.main import main as command
from tests.support.strangers import Plan
from tests.support.strangers_judge import judge


def main(arguments: Sequence[str] | None = None) -> None:
    """Judge networks, and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first network")
    parser.add_argument("--rtl", type=int, metavar="N", default=0, help="simulate every Nth")
    parser.add_argument("--log", type=Path, help="a file of results, whose networks are done")
    options = parser.parse_args(arguments)
    results: dict[int, dict[str, Any]] = {}
    if options.log and options.log.exists():
        known = map(json.loads, options.log.read_text().splitlines())
        results = {one["seed"]: one for one in known}
    for seed in range(options.first, options.first + options.count):
        if seed in results:
            continue
        simulate = bool(options.rtl) and seed % options.rtl == 0
        results[seed] = result = {"seed": seed, **_result(seed, simulate)}
        if options.log:
            with options.log.open("a") as log:
                log.write(json.dumps(result) + "\n")
    _show(list(results.values()))


def _result(seed: int, simulate: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            outcome, path, given = judge(seed, Path(folder))
        except Exception as error:
            return {"what": "bug", "text": f"{type(error).__name__}: {error}"}
        result = asdict(outcome)
        if simulate and outcome.what == "exact":
            result["rtl"] = _simulated(path, given, Path(folder) / "build")
        return result


def _simulated(path: Path, given: Plan, build: Path) -> str:
    """Whether the RTL equals the reference, freely and with stalls."""
    grid = [] if given.grid is None else ["--input", given.grid]
    codes = [_run("compile", path, "--fps", 1000, "--out", build, *grid)]
    if codes == [0]:
        codes += [_run("simulate", build, "--random", 6, *stall) for stall in ((), ("--stall", 1))]
    return "exact" if codes == [0, 0, 0] else f"exit codes {codes}"


def _run(*words: object) -> int:
    return command(["--quiet", *map(str, words)])


def _show(results: Sequence[dict[str, Any]]) -> None:
    print(f"{len(results)} networks")
    for key in ("what", "remedies", "odd", "rtl"):
        counts: Counter[str] = Counter()
        for one in results:
            found = one.get(key, ())
            counts.update([found] if isinstance(found, str) else found)
        title = {"remedies": "undone as its message says", "odd": "accepted"}.get(key, key)
        print(*(f"{title}: {name} {count}" for name, count in counts.most_common()), sep="\n")
    for one in results:
        if one["what"] != "exact" or one.get("rtl", "exact") != "exact":
            print(one)


if __name__ == "__main__":
    main()
