# SPDX-License-Identifier: BSD-3-Clause
"""Which candidates fit: many folded, none trained. The start of each search, and ``--dry-run``."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

from bonn_hw.errors import UserError
from bonn_hw.explore.hardware import Excluded, Fits, Hardware
from bonn_hw.explore.rows import HardwareRow, ListedRow
from bonn_hw.explore.space import Candidate, Goal, Space
from bonn_hw.progress import Progress, silent

DRAWS = 20  # for each candidate that is asked for: a small space repeats itself
STALE = 50
CHUNK = 50  # candidates that a process folds before it reports


@dataclass(frozen=True)
class Listed:
    """A candidate, and whether it fits."""

    candidate: Candidate
    result: Fits | Excluded

    @property
    def fits(self) -> bool:
        """Whether no limit excludes it."""
        return isinstance(self.result, Fits)

    @property
    def row(self) -> ListedRow:
        """What is written of it."""
        result = self.result
        figures = result if isinstance(result, Excluded) else HardwareRow.of(result.figures)
        return ListedRow(self.candidate, figures)


def sample(space: Space, count: int) -> list[Candidate]:
    """At most `count` candidates with different networks: all of a small space, or random ones."""
    if space.network_count <= count:
        every = space.networks()
    else:
        generator = random.Random(space.search.seed)
        every = (space.draw(lambda _, values: generator.choice(values)) for _ in _forever(count))
    networks: dict[str, Candidate] = {}
    stale = 0  # draws in a row that gave nothing new: how large an own space is, nobody knows
    for one in every:
        stale = stale + 1 if str(one) in networks else 0
        networks.setdefault(str(one), one)
        if len(networks) == count or (space.own_network is not None and stale == STALE):
            break
    return list(networks.values())


def _forever(count: int) -> range:
    return range(DRAWS * count)


def fold_all(
    space: Space, candidates: Sequence[Candidate], jobs: int = 1, progress: Progress = silent
) -> list[Listed]:
    """Fold candidates, in parallel processes; the results have their order."""
    import joblib

    goal, done = space.goal, 0
    chunks = list(_chunks(candidates))
    results: list[Fits | Excluded] = []
    jobs = min(jobs, len(chunks))
    with joblib.parallel_config(backend="loky", n_jobs=max(1, jobs), inner_max_num_threads=1):
        parallel = joblib.Parallel(return_as="generator", batch_size=1)
        progress(f"candidate 0 of {len(candidates)}")
        for part in parallel(joblib.delayed(fold_chunk)(goal, chunk) for chunk in chunks):
            results += part
            done += len(part)
            progress(f"candidate {done} of {len(candidates)}")
    return [Listed(one, result) for one, result in zip(candidates, results, strict=True)]


def fold_chunk(goal: Goal, candidates: Sequence[Candidate]) -> list[Fits | Excluded]:
    """Fold candidates one after the other, with the tables that this process already has."""
    hardware = _hardware(goal)
    return [hardware.fold(one) for one in candidates]


@cache
def _hardware(goal: Goal) -> Hardware:
    return Hardware(goal)


def _chunks(candidates: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    left = iter(candidates)
    while chunk := list(islice(left, CHUNK)):
        yield chunk


def excluded_by(listed: Sequence[Listed]) -> dict[str, tuple[int, str]]:
    """By limit: how many candidates it excludes, and the reason of the closest one."""
    out = [one.result for one in listed if isinstance(one.result, Excluded)]
    counts = Counter(one.limit for one in out)
    closest = {
        limit: min((one for one in out if one.limit == limit), key=lambda one: one.excess)
        for limit in counts
    }
    return {limit: (count, closest[limit].reason) for limit, count in counts.most_common()}


def refuse_unless_one_fits(
    space: Space, candidates: Sequence[Candidate], source: str, progress: Progress = silent
) -> Candidate:
    """The first candidate that fits; raises a UserError if none does."""
    hardware, listed = Hardware(space.goal), []
    for place, candidate in enumerate(candidates, 1):
        progress(f"looking for a candidate that fits: {place} of {len(candidates)}")
        listed.append(Listed(candidate, hardware.fold(candidate)))
        if listed[-1].fits:
            return candidate
    raise _none_fits(listed, space, source)


def refuse_if_none_fits(listed: Sequence[Listed], space: Space, source: str) -> None:
    """Raise a UserError that says which limit excludes how many, if nothing fits."""
    if not any(one.fits for one in listed):
        raise _none_fits(listed, space, source)


def _none_fits(listed: Sequence[Listed], space: Space, source: str) -> UserError:
    goal = space.goal
    boards = ", ".join(one.name for one in goal.boards)
    parts = [
        f"{limit} excludes {count} (the closest: {reason})"
        for limit, (count, reason) in excluded_by(listed).items()
    ]
    return UserError(
        f"{source}: none of {len(listed)} candidates fits {boards} at {goal.fps:,.10g} frames per "
        f"second: {'; '.join(parts)}: allow more, or offer smaller networks"
    )
