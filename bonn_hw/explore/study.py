# SPDX-License-Identifier: BSD-3-Clause
"""Optuna's study of a search: what was chosen, what it costs, how it was trained.

A trial of the study is a candidate. Its values are the accuracy on held-out images and the cost;
how far it exceeds a limit is a constraint. All else is in its attributes, so that the study alone
can be resumed, by any process that sees its storage and its folder.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonn_hw.errors import UserError
from bonn_hw.explore.hardware import Excluded, Fits
from bonn_hw.explore.rows import (
    Counts,
    HardwareRow,
    folding_json,
    foldings_of_json,
    stage_json,
    stage_of_json,
)
from bonn_hw.explore.space import Candidate, Search, Space
from bonn_hw.explore.stage import Trained
from bonn_hw.ir.folding import Folding

if TYPE_CHECKING:
    import optuna

STORAGE = "study.db"
NAME = "explore"
POPULATION = 20  # of NSGA-II; studies have tens to hundreds of trials
LIMIT = "limit"  # name of the constraint


@dataclass(frozen=True)
class Record:
    """A candidate that was trained.

    Attributes
    ----------
    number
        Of its trial, from 0.
    stages
        The finished stages of training.
    finished
        Whether it was told to the study.
    """

    number: int
    candidate: Candidate
    hardware: HardwareRow
    stages: tuple[Trained, ...]
    finished: bool

    @property
    def accuracy(self) -> float:
        """After the last of its stages."""
        return self.stages[-1].accuracy if self.stages else 0.0

    @property
    def seconds(self) -> float:
        """Of all its trainings."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def cost(self) -> float:
        """In LUT."""
        return self.hardware.cost


class Study:
    """A search's study, opened or begun.

    Parameters
    ----------
    folder
        Of the search.
    storage
        URL of a database; None: SQLite in the folder.

    Raises
    ------
    UserError
        If the database cannot be used, or its study is of another space.
    """

    def __init__(self, space: Space, folder: Path, storage: str | None) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.space, self.search = space, space.search
        url = storage or f"sqlite:///{folder / STORAGE}"
        try:
            self._study = optuna.create_study(
                storage=url,
                study_name=NAME,
                directions=["maximize", "minimize"],
                load_if_exists=True,
                sampler=_sampler(self.search, 0),
            )
        except Exception as error:  # of whichever database driver
            raise UserError(
                f"explore: the study {url} cannot be opened ({error}); give a --storage that can, "
                "or leave it out"
            ) from error
        identity = _identity(space)
        if self._study.user_attrs.get("space", identity) != identity:
            raise UserError(
                f"{folder}: its study is of another space than the one given; name another folder, "
                "or give the same file (trials, hours and seeds may change)"
            )
        self._study.set_user_attr("space", identity)

    def ask(self, randomly: bool = False) -> tuple[optuna.Trial, Candidate]:
        """Begin a trial, and what its sampler chooses, or chance if the sampler repeats itself."""
        # A sampler of its own for each trial: a resumed search chooses as an uninterrupted one.
        search = replace(self.search, sampler="random") if randomly else self.search
        self._study.sampler = _sampler(search, len(self._study.get_trials(deepcopy=False)))
        trial = self._study.ask()
        try:
            candidate = self.space.draw(_picker(trial))
        except UserError:
            self.fail(trial, "its network cannot be made")
            raise
        trial.set_user_attr("candidate", json.dumps(candidate.tables))
        return trial, candidate

    def running(self) -> Iterator[tuple[optuna.Trial, Record | None]]:
        """Trials that an interrupted search left, with what is known of them."""
        import optuna

        for frozen in self._study.get_trials(deepcopy=False):
            if frozen.state == optuna.trial.TrialState.RUNNING:
                trial = optuna.Trial(self._study, frozen._trial_id)
                known = "figures" in frozen.user_attrs
                yield trial, self._record(frozen) if known else None

    def keep(self, trial: optuna.Trial, fits: Fits) -> None:
        """Note what a candidate costs, before it is trained."""
        trial.set_user_attr("figures", HardwareRow.of(fits.figures).json())
        trial.set_user_attr("folding", folding_json(fits.foldings))
        trial.set_constraint(LIMIT, 0.0)

    def staged(self, trial: optuna.Trial, stage: int, trained: Trained) -> None:
        """Note the end of a stage of training."""
        trial.set_user_attr(f"stage{stage}", stage_json(trained))

    def finish(self, trial: optuna.Trial, accuracy: float, cost: float) -> None:
        """Tell the values of a trained candidate."""
        self._study.tell(trial, (accuracy, cost))

    def exclude(self, trial: optuna.Trial, excluded: Excluded, cost: float) -> None:
        """Tell that a limit excludes a candidate."""
        trial.set_user_attr("excluded", [excluded.limit, excluded.reason])
        trial.set_constraint(LIMIT, excluded.excess - 1)
        self._study.tell(trial, (0.0, cost * excluded.excess))

    def repeat(self, trial: optuna.Trial, first: Record) -> None:
        """Tell that a candidate was chosen before."""
        trial.set_user_attr("same_as", first.number)
        trial.set_constraint(LIMIT, 0.0)
        self._study.tell(trial, (first.accuracy, first.cost))

    def fail(self, trial: optuna.Trial, reason: str) -> None:
        """Tell that a candidate could not be trained."""
        import optuna

        trial.set_user_attr("failed", reason)
        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def records(self) -> list[Record]:
        """All candidates that were trained, at least for a stage, or are being trained."""
        return [
            self._record(one)
            for one in self._study.get_trials(deepcopy=False)
            if "figures" in one.user_attrs and "failed" not in one.user_attrs
        ]

    def counts(self) -> Counts:
        """What became of the trials."""
        noted = [one.user_attrs for one in self._study.get_trials(deepcopy=False)]
        return Counts(
            trained=sum("stage0" in one and "failed" not in one for one in noted),
            excluded=sum("excluded" in one for one in noted),
            repeated=sum("same_as" in one for one in noted),
            failed=sum("failed" in one for one in noted),
        )

    def foldings(self, number: int) -> dict[str, Folding]:
        """The foldings of a trial's candidate, by stage."""
        return foldings_of_json(
            self._study.get_trials(deepcopy=False)[number].user_attrs["folding"]
        )

    def seeded(self) -> dict[int, tuple[float, ...]]:
        """Accuracies with other seeds, by the number of the trial."""
        found = json.loads(self._study.user_attrs.get("seeded", "{}"))
        return {int(number): tuple(accuracies) for number, accuracies in found.items()}

    def keep_seeded(self, accuracies: Mapping[int, Sequence[float]]) -> None:
        """Note accuracies with other seeds."""
        self._study.set_user_attr("seeded", json.dumps(accuracies))

    def importance(self) -> dict[str, float]:
        """By choice: its share in what decides the accuracy; empty if too few were trained."""
        import optuna

        def error(trial: optuna.trial.FrozenTrial) -> float:
            return 1 - float(trial.values[0])  # the evaluator asks what leads to low values

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns of the low values each time
                return optuna.importance.get_param_importances(
                    self._study,
                    evaluator=optuna.importance.PedAnovaImportanceEvaluator(),
                    target=error,
                )
        except (RuntimeError, ValueError):  # as Optuna says: too few, or all of them equal
            return {}

    def _record(self, trial: optuna.trial.FrozenTrial) -> Record:
        attributes = trial.user_attrs
        stages: list[Trained] = []
        while f"stage{len(stages)}" in attributes:
            stages.append(stage_of_json(attributes[f"stage{len(stages)}"]))
        return Record(
            trial.number,
            Candidate(json.loads(attributes["candidate"]), self.space.folder),
            HardwareRow.of_json(attributes["figures"]),
            tuple(stages),
            trial.state.is_finished(),
        )


def _picker(trial: optuna.Trial) -> Callable[[str, Sequence[Any]], Any]:
    def pick(name: str, values: Sequence[Any]) -> Any:
        if len(values) == 1:
            return values[0]
        labels = [json.dumps(one) for one in values]
        try:
            if all(type(one) in (int, float) for one in values) and list(values) == sorted(values):
                return values[trial.suggest_int(name, 0, len(values) - 1)]  # samplers use order
            return values[labels.index(str(trial.suggest_categorical(name, labels)))]
        except ValueError as error:  # Optuna's categories are the same in all trials
            raise UserError(
                f"explore: choice {name} has the values {', '.join(labels)}, and had others in an "
                "earlier candidate; give other values another name"
            ) from error

    return pick


def _sampler(search: Search, trial: int) -> optuna.samplers.BaseSampler:
    import optuna

    seed = (search.seed * 1_000_003 + trial) % 2**32
    if search.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if search.sampler == "tpe":
        return optuna.samplers.TPESampler(seed=seed)
    return optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=seed)


def _identity(space: Space) -> str:
    """Everything that makes trials of a study comparable."""
    search, goal = space.search, space.goal
    target = [[one.name for one in goal.boards], goal.clock_mhz, goal.fps, goal.lut, goal.bram36]
    target += [goal.dsp, goal.latency_ms]
    how = [search.sampler, search.stages, search.halving, search.seed]
    texts = [one.text(space.folder) for one in space.own_files]
    own = [sha256(text.encode()).hexdigest() for text in texts]
    return json.dumps([repr(space.tables), target, how, *own])
