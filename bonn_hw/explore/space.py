# SPDX-License-Identifier: BSD-3-Clause
"""What is searched: an experiment whose values may be choices, a target, and how to search."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import inf, prod
from typing import Any

from bonn_hw.ir.resources import Resources
from bonn_hw.ir.target import Board, Target
from bonn_hw.nn.own.source import OwnName, own_names
from bonn_hw.nn.own.trial import OF_THE_DATA, Pick

SAMPLERS = ("nsga2", "tpe", "random")
Tables = Mapping[str, Mapping[str, Any]]
"""Tables of an experiment file: network, data, training, bayesian."""


@dataclass(frozen=True)
class OneOf:
    """One of these values, ``{ choose = [...] }``."""

    values: tuple[Any, ...]

    def draw(self, name: str, pick: Pick) -> Any:
        """The value that `pick` chooses."""
        return pick(name, self.values)

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.values)

    def every(self) -> Iterator[Any]:
        """All values."""
        return iter(self.values)

    def checked(self) -> Iterator[Any]:
        """The values that a check has to look at."""
        return iter(self.values)


@dataclass(frozen=True)
class ListOf:
    """A list of chosen length and elements, ``{ each = [...], length = [...] }``."""

    each: tuple[Any, ...]
    lengths: tuple[int, ...]

    def draw(self, name: str, pick: Pick) -> list[Any]:
        """The list that `pick` chooses; element i is the choice ``name.i``."""
        length = pick(f"{name}.length", self.lengths)
        return [pick(f"{name}.{place}", self.each) for place in range(length)]

    @property
    def size(self) -> int:
        """How many lists there are."""
        return sum(prod([len(self.each)] * length) for length in self.lengths)

    def every(self) -> Iterator[list[Any]]:
        """All lists."""
        for length in self.lengths:
            yield from map(list, product(self.each, repeat=length))

    def checked(self) -> Iterator[list[Any]]:
        """Lists that have each element once; a check of elements and lengths needs no others."""
        for length in self.lengths:
            for one in self.each:
                yield [one] * length


Choice = OneOf | ListOf


@dataclass(frozen=True)
class Goal:
    """The table [target]: boards, rate, and how much of a board may be used.

    Attributes
    ----------
    boards
        The same design must fit each of them; costs are those on the first.
    clock_mhz
        Of every board.
    fps
        Frames per second that every candidate reaches.
    lut, bram36, dsp
        Largest shares of a board's resources, from 0 to 1.
    latency_ms
        From a frame's first input beat to its first output beat; None: any.
    """

    boards: tuple[Board, ...]
    clock_mhz: float
    fps: float
    lut: float = 0.7
    bram36: float = 1.0
    dsp: float = 1.0
    latency_ms: float | None = None

    @property
    def board(self) -> Board:
        """The board whose resources are the cost."""
        return self.boards[0]

    @property
    def target(self) -> Target:
        """The same for folding on the first board."""
        return Target(
            self.board,
            self.clock_mhz,
            self.fps,
            latency_ms=self.latency_ms,
            lut_fraction=self.lut,
        )

    @property
    def cycles(self) -> int:
        """Most cycles per frame."""
        return int(self.clock_mhz * 1e6 / self.fps)

    @property
    def budget(self) -> Resources:
        """What may be used: the least over the boards, so that the design fits each."""
        holds = [board.holds for board in self.boards]
        return Resources(
            self.lut * min(one.lut for one in holds),
            min(one.ff for one in holds),
            self.bram36 * min(one.bram36 for one in holds),
            self.dsp * min(one.dsp for one in holds),
        )

    def cost(self, used: Resources) -> float:
        """LUT, with block memories counted as LUT of the first board, as `fold` does."""
        return used.lut + self.board.lut_per_bram36 * used.bram36


@dataclass(frozen=True)
class Search:
    """The table [search]: who chooses, how long, and with which stages of training.

    Attributes
    ----------
    sampler
        One of `SAMPLERS`.
    trials
        Candidates that are trained, at least for the first stage; None: as `hours` allow.
    hours
        Hours of workers for training, summed over all workers; None: as `trials` say.
    stages
        Stages of successive halving. The last has the epochs of [training], each one before it
        `halving` times fewer; the weights are passed on.
    halving
        One of so many candidates goes on to the next stage.
    seeds
        Trainings of each point of the front, for the spread of its accuracy.
    seed
        Of the choices.
    """

    sampler: str = "nsga2"
    trials: int | None = None
    hours: float | None = None
    stages: int = 3
    halving: int = 3
    seeds: int = 1
    seed: int = 0

    def epochs(self, whole: int, stage: int) -> int:
        """Epochs of a stage, counted from 0, of a training of `whole` epochs."""
        parts: int = self.halving ** (self.stages - 1 - stage)
        return max(1, round(whole / parts))


@dataclass(frozen=True)
class Candidate:
    """The tables of one experiment, without a choice left.

    Attributes
    ----------
    folder
        Where the files of the user's own network and data are.
    """

    tables: Tables
    folder: str = ""

    @property
    def own(self) -> OwnName | None:
        """The user's own network, if it is one."""
        return OwnName.parse(self.network)

    @property
    def network(self) -> str:
        """Name of the network."""
        return str(self.tables["network"]["name"])

    @property
    def options(self) -> dict[str, Any]:
        """Options of the network."""
        return {k: v for k, v in self.tables["network"].items() if k != "name"}

    @property
    def network_json(self) -> dict[str, Any]:
        """Name and options of the network."""
        return {"name": self.network, **self.options}

    @property
    def key(self) -> str:
        """Equal for equal experiment files; for equal hardware see `hardware.identity`."""
        return json.dumps(self.tables, sort_keys=True)

    def toml(self, **changes: Mapping[str, Any]) -> str:
        """The experiment file; `changes` replace or add keys of a table."""
        lines = []
        for name, table in self.tables.items():
            rows = {**table, **changes.get(name, {})}
            # Strings, numbers and lists are written in the same way in JSON and in TOML.
            lines.append(f"[{name}]")
            lines += [f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in rows.items()]
            lines.append("")
        return "\n".join(lines)

    def __str__(self) -> str:
        told = ", ".join(f"{k} {_short(v)}" for k, v in self.options.items())
        return f"{self.network}: {told}"


def _short(value: Any) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


@dataclass(frozen=True)
class Space:
    """A space file: tables of an experiment with choices, the target and the search.

    Attributes
    ----------
    folder
        Where the files of the user's own network and data are. The choices of an own network are
        in its function, and found by calling it.
    """

    tables: Mapping[str, Mapping[str, Any]]
    goal: Goal
    search: Search
    folder: str = ""

    @property
    def own_network(self) -> OwnName | None:
        """The function that makes the networks, if it is the user's."""
        return OwnName.parse(self.tables["network"]["name"])

    @property
    def own_files(self) -> list[OwnName]:
        """The names of the user's own network and data."""
        return own_names(self.tables["network"]["name"], self.tables["data"]["name"])

    @property
    def choices(self) -> dict[str, Choice]:
        """Choices by name, such as ``network.convs``."""
        return {
            f"{table}.{key}": value
            for table, rows in self.tables.items()
            for key, value in rows.items()
            if isinstance(value, Choice)
        }

    @property
    def size(self) -> float:
        """How many candidates there are; infinite for an own network, whose are not known."""
        if self.own_network is not None:
            return inf
        return prod(choice.size for choice in self.choices.values())

    def draw(self, pick: Pick) -> Candidate:
        """The candidate that `pick` chooses.

        Raises
        ------
        UserError
            If the function of an own network fails.
        """
        tables = {
            table: {
                key: value.draw(f"{table}.{key}", pick) if isinstance(value, Choice) else value
                for key, value in rows.items()
            }
            for table, rows in self.tables.items()
        }
        if self.own_network is not None:
            from bonn_hw.nn.own.network import draw  # imports torch

            trial, _ = draw(
                self.own_network,
                self.folder,
                tables["network"],
                lambda name, values: pick(f"network.{name}", values),
            )
            tables["network"] |= trial.chosen
        return Candidate(tables, self.folder)

    def told(self, candidate: Candidate) -> dict[str, Any]:
        """Those options of a candidate that are a choice."""
        if self.own_network is not None:
            return {k: v for k, v in candidate.options.items() if k not in OF_THE_DATA}
        chosen = [name.split(".")[1] for name in self.choices if name.startswith("network.")]
        return {key: candidate.options[key] for key in chosen}

    def networks(self) -> Iterator[Candidate]:
        """One candidate for each network, with the first of the values of everything else."""
        first = self.draw(lambda name, values: values[0])
        rows = self.tables["network"]
        every = [
            list(value.every()) if isinstance(value, Choice) else [value] for value in rows.values()
        ]
        for values in product(*every):
            network = dict(zip(rows, values, strict=True))
            yield Candidate({**first.tables, "network": network}, self.folder)

    @property
    def network_count(self) -> float:
        """How many networks there are; some may be equal. Infinite if they are not known."""
        if self.own_network is not None:
            return inf
        return prod(c.size for name, c in self.choices.items() if name.startswith("network."))
