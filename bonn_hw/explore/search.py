# SPDX-License-Identifier: BSD-3-Clause
"""The search: choose, fold, train what fits by successive halving, tell the study.

Successive halving is asynchronous (Li et al., "A System for Massively Parallel Hyperparameter
Tuning", MLSys 2020): a candidate that has finished a stage goes on at once if it is among the best
of all that have finished it so far. The best are those of the Pareto front of accuracy and cost,
then those of the front of the others, and so on (`front.order`).
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bonn_hw.errors import UserError
from bonn_hw.explore.front import order, pareto
from bonn_hw.explore.hardware import Excluded, Hardware, identity
from bonn_hw.explore.space import Candidate, Space
from bonn_hw.explore.stage import Job, Trained
from bonn_hw.explore.study import Record, Study
from bonn_hw.explore.workers import Workers
from bonn_hw.progress import Progress, silent

if TYPE_CHECKING:
    import optuna

STUCK = 5  # choices in a row that need no training, after which choices are random
IDLE = 100  # the same, after which the space counts as exhausted
FAILURES = 3  # trainings that fail before any succeeds, after which the search ends


@dataclass(eq=False)
class _Running:
    """A candidate that is being trained, and trials that chose the same one meanwhile."""

    trial: optuna.Trial
    candidate: Candidate
    cost: float
    stage: int = 0


class SearchRun:
    """Runs or resumes a search in a folder.

    Parameters
    ----------
    folder
        Absolute, as workers see it too.
    """

    def __init__(
        self,
        space: Space,
        study: Study,
        folder: Path,
        workers: Workers,
        progress: Progress = silent,
    ) -> None:
        self.space, self.study, self.folder = space, study, folder
        self.search, self.epochs = space.search, int(space.tables["training"]["epochs"])
        self._workers, self._progress = workers, progress
        self._hardware = Hardware(space.goal)
        self._next: deque[_Running] = deque()
        self._pending: dict[Future[Trained], _Running] = {}
        self._same: dict[str, list[optuna.Trial]] = {}
        self._excluded: dict[str, Excluded] = {}
        self._failures: list[str] = []

    def run(self) -> None:
        """Search until the budget is spent or the space is exhausted.

        Raises
        ------
        UserError
            If every training fails.
        """
        self._resume()
        exhausted = False
        while True:
            while len(self._pending) < self._workers.count:
                if not self._next and not exhausted and self._budget_left():
                    exhausted = not self._choose()
                if not self._next:
                    break
                self._begin(self._next.popleft())
            if not self._pending:
                return
            done, _ = wait(self._pending, return_when=FIRST_COMPLETED)
            for future in done:
                self._ended(self._pending.pop(future), future)

    def _resume(self) -> None:
        """Go on with what an interrupted search was training; choose the rest anew."""
        for trial, record in self.study.running():
            if record is None:
                self.study.fail(trial, "interrupted before it was folded")
                continue
            one = _Running(trial, record.candidate, record.cost, len(record.stages))
            if one.stage and not self._goes_on(record):
                self._finish(one, record.accuracy)
            else:
                self._same[identity(record.candidate)] = []
                self._next.append(one)

    def _budget_left(self) -> bool:
        records = self.study.records()
        trials, hours = self.search.trials, self.search.hours
        if trials is not None and len(records) >= trials:
            return False
        return hours is None or sum(one.seconds for one in records) < 3600 * hours

    def _choose(self) -> bool:
        """Choose until a candidate has to be trained; False if none was found."""
        known = {identity(one.candidate): one for one in self.study.records() if one.finished}
        for idle in range(IDLE):
            if len(known) + len(self._same) + len(self._excluded) >= self.space.size:
                return False
            trial, candidate = self.study.ask(randomly=idle >= STUCK)
            key = identity(candidate)
            if key in known:
                self.study.repeat(trial, known[key])
                continue
            if key in self._same:  # its values are told when they are known
                self._same[key].append(trial)
                continue
            self._progress(f"folding candidate {trial.number}")
            found = self._excluded.get(key) or self._hardware.plan_whole(candidate)
            if isinstance(found, Excluded):
                self._excluded[key] = found
                self.study.exclude(trial, found, self._most)
                continue
            self.study.keep(trial, found)
            self._same[key] = []
            self._next.append(_Running(trial, candidate, found.figures.cost))
            return True
        return False

    @property
    def _most(self) -> float:
        return self.space.goal.cost(self.space.goal.budget)

    def _begin(self, one: _Running) -> None:
        job = self.job(one.trial.number, one.candidate, one.stage)
        self._progress(f"training candidate {one.trial.number}, stage {one.stage + 1}")
        self._pending[self._workers.submit(job)] = one

    def job(self, number: int, candidate: Candidate, stage: int) -> Job:
        """The training of a stage; it starts from the weights of the one before."""
        runs = self.folder / "trials" / f"{number:04}"
        changes = dict(candidate.tables["training"])
        changes["epochs"] = epochs = self.search.epochs(self.epochs, stage)
        if stage < self.search.stages - 1:
            changes["fine_tune_epochs"] = 0
        changes["test_every"] = epochs + int(changes.get("fine_tune_epochs", 0))
        changes["warm_up"] = min(int(changes.get("warm_up", 0)), epochs)
        if stage:
            changes["init"] = str(runs / f"stage{stage - 1}")
        return Job(candidate.toml(training=changes), str(runs / f"stage{stage}"), candidate.folder)

    def _ended(self, one: _Running, future: Future[Trained]) -> None:
        error = future.exception()
        if error is not None:
            self._failed(one, error)
            return
        result = future.result()
        self.study.staged(one.trial, one.stage, result)
        one.stage += 1
        record = next(r for r in self.study.records() if r.number == one.trial.number)
        self._say(record)
        if self._goes_on(record):
            self._next.append(one)
        else:
            self._finish(one, record.accuracy)

    def _goes_on(self, record: Record) -> bool:
        """Whether a candidate is among the best that have finished its last stage."""
        stage = len(record.stages) - 1
        if stage + 1 >= self.search.stages:
            return False
        peers = [
            replace(one, stages=one.stages[: stage + 1])
            for one in self.study.records()
            if len(one.stages) > stage
        ]
        best = order(peers)[: max(1, len(peers) // self.search.halving)]
        return any(one.number == record.number for one in best)

    def _finish(self, one: _Running, accuracy: float) -> None:
        self.study.finish(one.trial, accuracy, one.cost)
        records = {r.number: r for r in self.study.records()}
        for trial in self._same.pop(identity(one.candidate), []):
            self.study.repeat(trial, records[one.trial.number])

    def _failed(self, one: _Running, error: BaseException) -> None:
        lost = self._workers.lost(error)
        if not lost and not isinstance(error, UserError):
            raise error  # a bug
        reason = "its worker was lost" if lost else str(error)
        for trial in (one.trial, *self._same.pop(identity(one.candidate), [])):
            self.study.fail(trial, reason)
        self._progress(f"candidate {one.trial.number} failed: {reason}")
        self._failures.append(reason)
        if len(self._failures) >= FAILURES and not any(r.stages for r in self.study.records()):
            raise UserError(f"explore: the first {FAILURES} trainings failed: {reason}")

    def _say(self, record: Record) -> None:
        records = self.study.records()
        done = sum(1 for one in records if one.stages)
        total = "" if self.search.trials is None else f" of {self.search.trials}"
        best = max(one.accuracy for one in records)
        on_front = len(pareto(last_stage(records)))
        self._progress(
            f"candidate {done}{total} trained: {record.accuracy:.2%} at {record.cost:,.0f} LUT; "
            f"best {best:.2%}, {on_front} on the front"
        )


def last_stage(records: list[Record]) -> list[Record]:
    """The candidates that were trained longest: only their accuracies can be compared."""
    most = max((len(one.stages) for one in records), default=0)
    return [one for one in records if len(one.stages) == most and most > 0]


def train_seeds(
    space: Space,
    study: Study,
    folder: Path,
    workers: Workers,
    progress: Progress = silent,
) -> dict[int, tuple[float, ...]]:
    """Train the points of the front anew, from scratch, with each seed; by number of the trial."""
    search, seeded = space.search, study.seeded()
    if search.seeds == 1:
        return seeded
    todo = []
    for record in pareto(last_stage(study.records())):
        first = int(record.candidate.tables["training"].get("seed", 0))
        for seed in range(first, first + search.seeds):
            run = folder / "trials" / f"{record.number:04}" / f"seed{seed}"
            job = Job(_seeded(record.candidate, seed), str(run), record.candidate.folder)
            todo.append((record.number, seed, job))
    results = {number: seeded.get(number, ()) for number, _, _ in todo}
    todo = [(n, s, job) for n, s, job in todo if len(results[n]) < search.seeds]
    accuracies: dict[tuple[int, int], float] = {}
    pending: dict[Future[Trained], tuple[int, int]] = {}
    queue = deque(todo)
    while queue or pending:
        while queue and len(pending) < workers.count:
            number, seed, job = queue.popleft()
            pending[workers.submit(job)] = number, seed
        done, _ = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            key = pending.pop(future)
            accuracies[key] = future.result().accuracy
            progress(f"seed {len(accuracies)} of {len(todo)} of the front")
    for number in {n for n, _ in accuracies}:
        results[number] = tuple(a for (n, _), a in sorted(accuracies.items()) if n == number)
    study.keep_seeded({**seeded, **results})
    return {**seeded, **results}


def _seeded(candidate: Candidate, seed: int) -> str:
    training = dict(candidate.tables["training"])
    whole = int(training["epochs"]) + int(training.get("fine_tune_epochs", 0))
    return candidate.toml(training={**training, "seed": seed, "test_every": whole})
