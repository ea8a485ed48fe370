# SPDX-License-Identifier: BSD-3-Clause
"""Read a space file: an experiment file with choices, and the tables [target] and [search]."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bonn_hw.boards import board as find_board
from bonn_hw.boards import check_clock
from bonn_hw.errors import UserError, near
from bonn_hw.explore import steps
from bonn_hw.explore.space import SAMPLERS, Choice, Goal, ListOf, OneOf, Search, Space
from bonn_hw.nn.own.source import OwnName
from bonn_hw.nn.own.trial import OF_THE_DATA
from bonn_hw.nn.training.experiment import own_or_shipped
from bonn_hw.nn.training.experiment_keys import KEYS, TABLES

Rule = tuple[Callable[[Any], bool], str]


def _whole(value: object) -> bool:
    return type(value) is int and value > 0


def _number(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < float("inf")


_POSITIVE: Rule = (_number, "a positive number")
_COUNT: Rule = (_whole, "a positive integer")
_SHARE: Rule = (lambda v: type(v) in (int, float) and 0 <= v <= 1, "a number from 0 to 1")
TARGET: dict[str, Rule] = {
    "boards": (
        lambda v: isinstance(v, list) and bool(v) and all(isinstance(one, str) for one in v),
        'a list of boards such as ["pynq-z2"]',
    ),
    "clock_mhz": _POSITIVE,
    "fps": _POSITIVE,
    "lut": _SHARE,
    "bram36": _SHARE,
    "dsp": _SHARE,
    "latency_ms": _POSITIVE,
}
SEARCH: dict[str, Rule] = {
    "sampler": (lambda v: v in SAMPLERS, f"one of {', '.join(SAMPLERS)}"),
    "trials": _COUNT,
    "hours": _POSITIVE,
    "stages": _COUNT,
    "halving": (lambda v: _whole(v) and v > 1, "an integer above 1"),
    "seeds": _COUNT,
    "seed": (lambda v: type(v) is int and v >= 0, "a non-negative integer"),
}
FORMS = (
    ("choose",),
    ("each", "length"),
    ("from", "to", "length"),
)
FORM = (
    "{ choose = [...] }, { each = [...], length = [...] } or { from = 8, to = 64, length = [...] }"
)


def read_space(
    path: Path, functions: Mapping[str, str] | None = None, folder: str | None = None
) -> Space:
    """Read and check a space file.

    Parameters
    ----------
    functions
        By table, network or data: a user's function instead of the file's name there.
    folder
        Where own files are; None: beside the space file.

    Raises
    ------
    UserError
        With one message for the first thing that is wrong.
    """
    try:
        text = own_or_shipped(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise UserError(
            f"{path}: cannot be read ({reason}); name a space file such as "
            "flows/explore/digits.toml"
        ) from error
    return parse_space(text, str(path), folder or str(path.parent), functions or {})


def parse_space(
    text: str, source: str, folder: str = "", functions: Mapping[str, str] | None = None
) -> Space:
    """Read TOML `text`; `source` names it in messages; the others as in `read_space`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{source}: not valid TOML ({error}); mend that place") from error
    known = ("target", "search", *TABLES)
    for name, content in document.items():
        if name not in known or not isinstance(content, dict):
            raise UserError(
                f"{source}: {name!r} is not known here{near(name, known)}; the tables are "
                f"{', '.join(f'[{one}]' for one in known)}"
            )
    for table, name in (functions or {}).items():
        document.setdefault(table, {})["name"] = name
    goal = _goal(_checked(document.get("target", {}), "target", TARGET, source), source)
    search = _search(_checked(document.get("search", {}), "search", SEARCH, source), source)
    tables = {}
    for name in TABLES:
        if name in document:
            rows = document[name].items()
            tables[name] = {k: _value(v, name, k, goal, document, source) for k, v in rows}
    space = Space(tables, goal, search, folder)
    _check_experiment(space, source)
    return space


def _checked(
    rows: Mapping[str, Any], table: str, rules: Mapping[str, Rule], source: str
) -> Mapping[str, Any]:
    for key, value in rows.items():
        if key not in rules:
            raise UserError(
                f"{source}: key {key!r} of [{table}] is not known{near(key, rules)}; choose from "
                f"{', '.join(rules)}"
            )
        holds, words = rules[key]
        if not holds(value):
            raise UserError(f"{source}: [{table}] {key} must be {words}, not {value!r}")
    return rows


def _goal(rows: Mapping[str, Any], source: str) -> Goal:
    for key in ("boards", "fps"):
        if key not in rows:
            raise UserError(f"{source}: [target] {key} is missing; give {TARGET[key][1]}")
    boards = tuple(find_board(name) for name in rows["boards"])
    clock = rows.get("clock_mhz", boards[0].clock_mhz)
    for one in boards:
        check_clock(one, clock)
    limits = {key: rows[key] for key in ("lut", "bram36", "dsp", "latency_ms") if key in rows}
    goal = Goal(boards, float(clock), float(rows["fps"]), **limits)
    if goal.cycles < 1:
        raise UserError(
            f"{source}: [target] fps {goal.fps:,.0f} is more than the clock of {clock:g} MHz has "
            "cycles in a second; ask for fewer frames"
        )
    if goal.lut == 0:
        raise UserError(
            f"{source}: [target] lut 0 leaves no LUT, and every design needs some; allow a share "
            "above 0"
        )
    if goal.latency_ms is not None and goal.latency_ms * goal.clock_mhz * 1e3 < 1:
        raise UserError(
            f"{source}: [target] latency_ms {goal.latency_ms:g} is less than one cycle at "
            f"{clock:g} MHz; allow more"
        )
    return goal


def _search(rows: Mapping[str, Any], source: str) -> Search:
    search = Search(**rows)
    if search.trials is None and search.hours is None:
        raise UserError(
            f"{source}: [search] has no end: give the number of trials, or the hours of training"
        )
    return search


def _value(
    value: Any, table: str, key: str, goal: Goal, document: Mapping[str, Any], source: str
) -> Any:
    """A value of an experiment, or the choice that an inline table describes."""
    if not isinstance(value, dict):
        return value
    place = f"{source}: [{table}] {key}"
    if set(value) not in [set(form) for form in FORMS]:
        known = [name for form in FORMS for name in form]
        meant = "".join(near(name, known) for name in value if name not in known)
        raise UserError(f"{place} has the keys {', '.join(value) or 'none'}{meant}; write {FORM}")
    for name, given in value.items():
        if name in ("from", "to"):
            if not _whole(given):
                raise UserError(f"{place}: {name} must be a positive integer, not {given!r}")
        elif not isinstance(given, list) or not given:
            raise UserError(f"{place}: {name} must be a list of values, not {given!r}")
    if "choose" in value:
        return OneOf(tuple(value["choose"]))
    lengths = tuple(value["length"])
    if not all(type(one) is int and one >= 0 for one in lengths):
        raise UserError(f"{place}: length must be numbers of elements, not {value['length']!r}")
    if "each" in value:
        return ListOf(tuple(value["each"]), lengths)
    if value["from"] > value["to"]:
        raise UserError(f"{place}: from {value['from']} is above to {value['to']}; swap them")
    size = document.get("network", {}).get("size", 28)
    if not _whole(size):
        raise UserError(f"{place}: from and to need one [network] size, not {size!r}")
    per_bram36 = goal.board.lut_per_bram36
    kept = steps.widths(value["from"], value["to"], size, goal.cycles, per_bram36)
    if not kept:
        raise UserError(
            f"{place}: no width from {value['from']} to {value['to']} reaches {goal.fps:,.0f} "
            f"frames per second over images of {size}x{size}; ask for fewer"
        )
    return ListOf(kept, lengths)


def _check_experiment(space: Space, source: str) -> None:
    """Check keys and all values of the experiment, one by one, and what they are together."""
    from bonn_hw.nn.models import networks  # imports torch

    name = space.tables.get("network", {}).get("name")
    if not isinstance(name, str):
        raise UserError(f"{source}: [network] name must be the name of one network, not {name!r}")
    for table, rows in space.tables.items():
        for key, value in rows.items():
            for one in value.checked() if isinstance(value, Choice) else (value,):
                if table == "network" and space.own_network is not None:
                    _check_own(space.own_network, key, value, source)
                elif table == "network":
                    networks.check(name, {key: one} if key != "name" else {})
                else:
                    _check_key(table, key, one, source)
    for table, key in (("data", "name"), ("data", "held_out"), ("training", "epochs")):
        value = space.tables.get(table, {}).get(key)
        if not value:
            reason = "; the search compares candidates by images that are set apart from the "
            reason += "training, and test images are for the end" if key == "held_out" else ""
            told = KEYS[table, key][1].words if key != "held_out" else "a positive integer"
            raise UserError(
                f"{source}: [{table}] {key} is missing; give {told}"
                + (reason if key == "held_out" else "")
            )
        if isinstance(value, Choice):
            raise UserError(f"{source}: [{table}] {key} must have one value, to be comparable")
    epochs, search = space.tables["training"]["epochs"], space.search
    if epochs < search.halving ** (search.stages - 1):
        raise UserError(
            f"{source}: {epochs} epochs cannot be divided by {search.halving} "
            f"{search.stages - 1} times; give fewer [search] stages, or more [training] epochs"
        )


def _check_own(own: OwnName, key: str, value: Any, source: str) -> None:
    """Check a key of [network] beside the name of a user's function, where the choices are."""
    if key == "name":
        return
    if key not in OF_THE_DATA:
        raise UserError(
            f"{source}: key {key!r} of [network] is not known{near(key, OF_THE_DATA)}; beside "
            f"{own}, which has the choices, there are {', '.join(OF_THE_DATA)}"
        )
    if isinstance(value, Choice):
        raise UserError(f"{source}: [network] {key} must have one value, as the data have")
    from bonn_hw.nn.own import network  # imports torch

    network.check(own, {key: value})


def _check_key(table: str, key: str, value: Any, source: str) -> None:
    known = [one for section, one in KEYS if section == table]
    if key not in known:
        raise UserError(
            f"{source}: key {key!r} of [{table}] is not known{near(key, known)}; choose from "
            f"{', '.join(known)}"
        )
    _, rule = KEYS[table, key]
    if not rule.holds(value):
        raise UserError(f"{source}: [{table}] {key} must be {rule.words}, not {value!r}")
    if key == "init":
        raise UserError(f"{source}: [{table}] init is the search's own; leave it out")
