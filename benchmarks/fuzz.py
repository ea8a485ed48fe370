# SPDX-License-Identifier: BSD-3-Clause
"""Run damaged inputs through bonn_hw: ``python -m benchmarks.fuzz --kind onnx --count 20000``.

A worker process runs the cases one after the other, with a limit of time and memory for each. It
is started again after a case that ended it. Findings are kept in the folder that is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.judge import judge
from tests.fuzz.kinds import KINDS

SECONDS, MEMORY_MB = 60, 2048


def main() -> None:
    """Run cases, and print their counts and the findings, grouped by the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [kind.name for kind in KINDS]
    parser.add_argument("--kind", choices=names, action="append", help="default: all")
    parser.add_argument("--count", type=int, default=1000, help="cases of each kind")
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    parser.add_argument("--budget-s", type=float, default=float("inf"), help="seconds of each kind")
    parser.add_argument("--worker", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        _work(options.kind[0], options.worker, options.first, options.count)
        return
    place = Path(tempfile.mkdtemp(prefix="bonn_hw-fuzz-"))
    for kind in options.kind or names:
        _supervise(kind, options.first, options.count, options.budget_s, place / kind)


def _work(kind: str, place: Path, first: int, count: int) -> None:
    """Run cases, and print one line of JSON for each."""
    seeds, cases = place / f"seeds-{os.getpid()}", place / "cases"
    seeds.mkdir(parents=True)
    cases.mkdir(exist_ok=True)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    case = next(one for one in KINDS if one.name == kind).make(seeds)
    for seed in range(first, first + count):
        answers.write(json.dumps({"begin": seed}) + "\n")
        answers.flush()
        start, outcome = time.perf_counter(), judge(case, seed, cases)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answers.write(
            json.dumps(
                {
                    "seed": seed,
                    "what": outcome.what,
                    "text": outcome.text,
                    "seconds": time.perf_counter() - start,
                    "mb": peak,
                }
            )
            + "\n"
        )
        answers.flush()


def _supervise(kind: str, first: int, count: int, budget_s: float, place: Path) -> None:
    counts: Counter[str] = Counter()
    groups: dict[str, list[int]] = {}
    seed, end, deadline = first, first + count, time.monotonic() + budget_s
    slowest = largest = 0.0
    while seed < end and time.monotonic() < deadline:
        command = [sys.executable, "-m", "benchmarks.fuzz", "--kind", kind, "--first", str(seed)]
        command += ["--count", str(end - seed), "--worker", str(place)]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1)
        running, began = seed, time.monotonic()
        while seed < end and time.monotonic() < deadline:
            line = _line(worker, began + SECONDS + 60 * (running == seed == first))
            if not line:
                text = "no answer in time" if worker.poll() is None else "the process ended"
                counts[text] += 1
                groups.setdefault(text, []).append(running)
                seed = running + 1
                break
            answer = json.loads(line)
            began = time.monotonic()
            if "begin" in answer:
                running = answer["begin"]
                continue
            seed = answer["seed"] + 1
            slowest = max(slowest, answer["seconds"])
            if answer["mb"] > MEMORY_MB:  # it does not fall again: the next case gets a new process
                counts["memory"] += 1
                groups.setdefault(f"over {MEMORY_MB} MB", []).append(answer["seed"])
                break
            largest = max(largest, answer["mb"])
            counts[answer["what"]] += 1
            if answer["what"] == "finding":
                lines = [one for one in answer["text"].splitlines() if one.strip()]
                where = [one.strip() for one in lines if one.strip().startswith("File ")]
                group = f"{lines[-1][:150]} | {where[-1][-90:] if where else ''}"
                groups.setdefault(group, []).append(answer["seed"])
        if worker.poll() is None:
            worker.send_signal(signal.SIGKILL)
        worker.wait()
    total = sum(counts.values())
    print(f"{kind}: {total} cases, {dict(counts)}, slowest {slowest:.1f} s, {largest:.0f} MB")
    for group, found in sorted(groups.items(), key=lambda item: -len(item[1])):
        print(f"  {len(found)} x {group} (seeds {found[:3]})", flush=True)


def _line(worker: subprocess.Popen[str], deadline: float) -> str:
    """The next line of a worker; nothing if there is none before the deadline."""
    if worker.stdout is None:
        return ""
    ready, _, _ = select.select([worker.stdout], [], [], max(0.0, deadline - time.monotonic()))
    return worker.stdout.readline() if ready else ""


if __name__ == "__main__":
    main()
