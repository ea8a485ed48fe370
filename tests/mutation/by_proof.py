# SPDX-License-Identifier: BSD-3-Clause
"""Judge mutants of kernels and cells by the proofs of tests/formal: a second or two for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bonn_hw.emit.write import templates_folder
from tests.formal.engine import FALSE, UNKNOWN, Case, decide, prepare
from tests.formal.facts import Facts
from tests.formal.points import points
from tests.mutation.rtl import Mutant

SECONDS = 2  # of the processor, for each tactic
# A fault is found fastest by looking ahead cycle by cycle; what survives that may be equivalent.
TACTICS = ("bmc3 -F 40", "pdr")
UNDECIDED = 3  # points that take too long, until no further one is tried
TOGETHER = 12  # mutants that one process of Yosys prepares


def judge(mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, str, str]]:
    """Each mutant with "killed", "survived", "late" or "stillborn", and by what."""
    for at in range(0, len(mutants), TOGETHER):
        yield from _chunk(mutants[at : at + TOGETHER])


def stems(file: str) -> list[str]:
    """Kernels whose RTL has a file, its own first."""
    found = {facts.kernel.stem for _, facts in _users(file)}
    return sorted(found, key=lambda stem: (f"{stem}.sv" != file, stem))


def _users(file: str) -> list[tuple[str, Facts]]:
    """The points whose RTL has a file: of different kernels in turn, so that few are needed."""
    found = [
        (name, facts)
        for name, facts in points().items()
        if file in facts.kernel.rtl(facts.folding).templates
    ]
    place: dict[str, int] = {}
    order = []
    for name, facts in found:
        rank = place[facts.kernel.stem] = place.get(facts.kernel.stem, 0) + 1
        order.append((rank, name, facts))
    return [(name, facts) for _, name, facts in sorted(order, key=lambda row: row[0])]


def _chunk(mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, str, str]]:
    left = list(enumerate(mutants))
    undecided: dict[int, list[str]] = defaultdict(list)
    users = {mutant.file: _users(mutant.file) for mutant in mutants}
    for turn in range(max(map(len, users.values()))):
        cases = {}
        for number, mutant in left:
            if turn < len(users[mutant.file]):
                name, facts = users[mutant.file][turn]
                ours = (templates_folder() / mutant.file).read_text()
                fault = (mutant.file, ours, mutant.text)
                cases[number] = Case(f"m{number}_{name}", facts, fault=fault)
        with TemporaryDirectory() as name:
            folder = Path(name)
            for number, case in _prepared(cases, folder).items():
                mutant = mutants[number]
                if case is None:
                    yield mutant, "stillborn", cases[number].name
                    left.remove((number, mutant))
                    continue
                answer = decide(case.name, folder, SECONDS, TACTICS)
                if answer == FALSE:
                    yield mutant, "killed", case.name.partition("_")[2]
                    left.remove((number, mutant))
                elif answer == UNKNOWN:
                    undecided[number].append(case.name.partition("_")[2])
                    if len(undecided[number]) == UNDECIDED:
                        yield mutant, "late", " ".join(undecided[number])
                        left.remove((number, mutant))
        if not left:
            return
    for number, mutant in left:
        late, proofs = undecided[number], len(users[mutant.file])
        yield mutant, *(("late", " ".join(late)) if late else ("survived", f"{proofs} proofs"))


def _prepared(cases: dict[int, Case], folder: Path) -> dict[int, Case | None]:
    """All at once; where Yosys refuses one, each alone, and None for those."""
    try:
        (folder / "all").mkdir()
        prepare(list(cases.values()), folder / "all")
        for case in cases.values():
            (folder / "all" / f"{case.name}.aig").rename(folder / f"{case.name}.aig")
        return dict(cases)
    except RuntimeError:
        pass
    found: dict[int, Case | None] = {}
    for number, case in cases.items():
        place = folder / f"alone_{number}"
        place.mkdir()
        try:
            prepare([case], place)
            (place / f"{case.name}.aig").rename(folder / f"{case.name}.aig")
            found[number] = case
        except RuntimeError:
            found[number] = None
    return found
