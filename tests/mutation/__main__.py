# SPDX-License-Identifier: BSD-3-Clause
"""``python -m tests.mutation [AREA ...] [--count N]``: how many mutants are found.

Each result is a line of ``build/mutation/AREA.jsonl``; what is there is not judged again, so the
measure can be stopped and goes on later. A mutant is known by its change and the digest of the
function that has it (of the file, if it is no Python): results hold while that stays as it is.
``--seed``: another sample, for which no test was written yet. ``--show``: only the score by area
and the survivors, those of `EQUIVALENT` with their reasons. The results of the table in
docs/proofs.md are in the folder ``judged``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.mutation import by_proof, by_tests, cpp, python, rtl
from tests.mutation.areas import AREAS, ROOT, Area
from tests.mutation.rtl import Mutant

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
PROVED = ("kernels", "cells")
ANSWERS = ("killed", "survived", "late", "stillborn", "equivalent")
MUTATORS = {".sv": rtl, ".py": python, ".cpp": cpp, ".h": cpp}


def mutants_of(area: Area, seed: str = "") -> list[Mutant]:
    """All mutants of an area, in an order of chance that a change of one file hardly changes."""
    found: list[Mutant] = []
    for path in area.paths():
        mutator = MUTATORS[path.suffix]
        name = str(path.relative_to(ROOT / "hw_templates" if mutator is rtl else ROOT))
        found += mutator.mutants(name, path.read_text())
    return sorted(found, key=lambda mutant: hashlib.sha256((seed + key(mutant)).encode()).digest())


def key(mutant: Mutant) -> str:
    """What a result is found by: it holds while the function, or the file of RTL or C++, stays."""
    digest = hashlib.sha256((mutant.scope or mutant.text).encode()).hexdigest()[:12]
    return f"{mutant.file}: {mutant.change} #{digest}"


def reasons() -> dict[str, str]:
    """Mutants that change nothing that can be seen, with the reason."""
    listed = tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    return {entry["mutant"]: entry["reason"] for entry in listed}


def measure(area: Area, count: int, seed: str, results: Path) -> None:
    """Judge those of the first ``count`` mutants of an area that have no result yet."""
    place = results / f"{area.name}.jsonl"
    known = {row["mutant"] for row in _rows(place)}
    chosen = [mutant for mutant in mutants_of(area, seed)[:count] if key(mutant) not in known]
    judged = by_proof.judge(chosen) if area.name in PROVED else by_tests.judge(chosen, area)
    with place.open("a") as file:
        for mutant, answer, by in judged if chosen else ():
            file.write(json.dumps({"mutant": key(mutant), "answer": answer, "by": by}) + "\n")
            file.flush()
            print(f"{area.name}: {mutant.name}: {answer} ({by})", flush=True)


def again(area: Area, tests: Sequence[str], results: Path) -> None:
    """Judge what is alive or undecided once more.

    Parameters
    ----------
    tests : sequence of str
        Arguments of pytest; none: simulations after proofs, or the area's tests as they are now.
    """
    place = results / f"{area.name}.jsonl"
    mutants = {key(mutant): mutant for mutant in mutants_of(area)}
    groups: dict[str, list[Mutant]] = defaultdict(list)
    listed = reasons()
    for row in _rows(place):
        if row["answer"] in ("survived", "late") and row["mutant"] in mutants:
            mutant = mutants[row["mutant"]]
            if mutant.name not in listed:
                proved = area.name in PROVED
                groups[by_proof.stems(mutant.file)[0] if proved else ""].append(mutant)
    for stem, left in sorted(groups.items()):
        simulated = [f"tests/kernels/test_{stem}.py"] if stem else area.tests
        for mutant, answer, by in by_tests.judge(left, area, tests or simulated):
            told = {"mutant": key(mutant), "answer": answer, "by": by}
            rows = [told if row["mutant"] == key(mutant) else row for row in _rows(place)]
            place.write_text("".join(json.dumps(row) + "\n" for row in rows))
            print(f"{area.name}: {mutant.name}: {answer} ({by})", flush=True)


def show(areas: Iterable[Area], results: Path) -> None:
    """Print the score of each area as a table, and every mutant that is alive."""
    listed = reasons()
    alive: list[str] = []
    print("| area | mutants | killed | survived | late | stillborn | equivalent | score |")
    print("|---|---|---|---|---|---|---|---|")
    for area in areas:
        names = {key(mutant): mutant.name for mutant in mutants_of(area)}
        rows = [row for row in _rows(results / f"{area.name}.jsonl") if row["mutant"] in names]
        counts: Counter[str] = Counter()
        for row in rows:
            name, answer = names[row["mutant"]], row["answer"]
            if name in listed and answer != "killed":
                answer = "equivalent"
            elif answer in ("survived", "late"):
                alive.append(f"{answer}: {name}: {row['by']}")
            counts[answer] += 1
        if rows:
            score = 100 * counts["killed"] / max(1, counts["killed"] + counts["survived"])
            shown = (counts[answer] for answer in ANSWERS)
            print(f"| {area.name} | {len(rows)} | {' | '.join(map(str, shown))} | {score:.1f} % |")
    print("", *alive, sep="\n")


def _rows(place: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("areas", nargs="*", choices=[*AREAS, []], metavar="AREA")
    parser.add_argument("--count", type=int, default=sys.maxsize, help="mutants of each area")
    parser.add_argument("--seed", default="", help="another order of chance")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "mutation")
    parser.add_argument("--again", action="store_true", help="judge once more what is alive")
    parser.add_argument("--tests", default="", help="with --again: arguments of pytest")
    parser.add_argument("--show", action="store_true", help="the results so far, and no more")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    for name in () if options.show else options.areas or AREAS:
        if options.again:
            again(AREAS[name], shlex.split(options.tests), options.results)
        else:
            measure(AREAS[name], options.count, options.seed, options.results)
    show([AREAS[name] for name in options.areas or AREAS], options.results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
