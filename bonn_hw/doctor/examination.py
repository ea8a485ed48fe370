# SPDX-License-Identifier: BSD-3-Clause
"""The whole examination, which ends in an answer even where a thing is broken."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bonn_hw.doctor import packages
from bonn_hw.doctor.item import BASE, Item, State
from bonn_hw.version import VERSION

SCHEMA = 1  # of `Examination.document`


@dataclass(frozen=True)
class Examination:
    """All items, in the order in which they are printed."""

    items: tuple[Item, ...]

    @property
    def lacking(self) -> tuple[Item, ...]:
        """What the base needs and does not have."""
        return tuple(one for one in self.items if one.base and one.state is not State.OK)

    @property
    def verdict(self) -> str:
        """The last line."""
        if self.lacking:
            names = ", ".join(one.name for one in self.lacking)
            return f"the base does not work: {names}"
        return "the base works: check, fold, compile, simulate"

    @property
    def document(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "works": not self.lacking,
            "items": [
                {
                    "name": one.name,
                    "state": str(one.state),
                    "found": one.found,
                    "needed_for": one.needed_for,
                    "base": one.base,
                    "remedy": one.remedy,
                }
                for one in self.items
            ],
        }


def examine() -> Examination:
    """Examine everything; takes a second."""
    items = [*_guarded("Python", BASE, "machine", "python")]
    items += packages.examine(packages.requirements())
    items += _guarded("programs", BASE, "programs", "examine")
    items += _guarded("machine", BASE, "machine", "examine")
    items += _guarded("data sets", "--dataset", "machine", "data_sets")
    return Examination(tuple(items))


def _guarded(name: str, needed_for: str, module: str, function: str) -> Iterator[Item]:
    """The items of a function of a module; its import fails where a package is missing."""
    try:
        home = importlib.import_module(f"bonn_hw.doctor.{module}")
        look: Callable[[], Item | Iterable[Item]] = getattr(home, function)
        found = look()
        yield from [found] if isinstance(found, Item) else found
    except ModuleNotFoundError as error:
        remedy = "install the missing packages first, then run bonn-hw doctor again"
        yield Item(name, State.WRONG, f"not examined without {error.name}", needed_for, remedy)
    except Exception as error:  # an answer about the rest is worth more than a traceback
        what = f"{type(error).__name__}: {error}"
        remedy = "run bonn-hw doctor --debug, and send us what it prints"
        yield Item(name, State.WRONG, what, needed_for, remedy)
