# SPDX-License-Identifier: BSD-3-Clause
"""What a user's ``def space(trial)`` gets: it asks for each choice by name, as with Optuna."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bonn_hw.errors import UserError, near

OF_THE_DATA = {"in_channels": 1, "size": 28, "classes": 10}
"""Keys of [network] beside the choices, and their defaults: what the data are."""
Pick = Callable[[str, Sequence[Any]], Any]
_NAME = re.compile(r"[A-Za-z0-9_-]+")


class Trial:
    """The choices of one network.

    Attributes
    ----------
    input_shape
        ``(C, H, W)`` of an image.
    classes
        Outputs that the network must have.
    chosen
        The values so far, by name.
    """

    def __init__(
        self, source: str, pick: Pick, input_shape: tuple[int, int, int], classes: int
    ) -> None:
        self.input_shape, self.classes = input_shape, classes
        self.chosen: dict[str, Any] = {}
        self._source, self._pick = source, pick

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of these values: texts, numbers, true or false, or lists of them."""
        return self._choose(name, list(choices))

    def suggest_int(self, name: str, low: int, high: int, step: int = 1) -> int:
        """An integer from `low` to `high`, which is included, in steps."""
        value: int = self._choose(name, list(range(low, high + 1, step)))
        return value

    def suggest_float(self, name: str, low: float, high: float, *, step: float) -> float:
        """A number from `low` to `high` in steps, which are needed: choices are finite."""
        count = int((high - low) / step + 1e-9) + 1
        value: float = self._choose(name, [low + place * step for place in range(count)])
        return value

    def _choose(self, name: str, values: list[Any]) -> Any:
        if name in self.chosen:  # as with Optuna, a name is one choice
            return self.chosen[name]
        if not _NAME.fullmatch(name) or name in ("name", *OF_THE_DATA):
            raise UserError(
                f"{self._source}: {name!r} cannot name a choice; use letters, digits, - and _, and "
                f"none of name, {', '.join(OF_THE_DATA)}"
            )
        if not values:
            raise UserError(f"{self._source}: choice {name!r} has no values; give at least one")
        wrong = [value for value in values if not _is_plain(value)]
        if wrong:
            raise UserError(
                f"{self._source}: choice {name!r} has the value {wrong[0]!r}; values must be "
                "texts, numbers, true or false, or lists of them: choose a name, and look it up"
            )
        self.chosen[name] = self._pick(name, values)
        return self.chosen[name]

    def __str__(self) -> str:
        return told(self.chosen)


def told(chosen: Mapping[str, Any]) -> str:
    """Choices in words."""
    return ", ".join(f"{name} {value}" for name, value in chosen.items()) or "no choices"


def fixed(source: str, options: Mapping[str, Any]) -> Pick:
    """Chooses what `options` say, for a network that was chosen before."""

    def pick(name: str, values: Sequence[Any]) -> Any:
        if name not in options:
            raise UserError(f"{source}: [network] {name} is missing; give one of {list(values)}")
        if options[name] not in values:
            raise UserError(
                f"{source}: [network] {name} is {options[name]!r}, which is none of its choices "
                f"{list(values)}; give one of these"
            )
        return options[name]

    return pick


def check_used(source: str, options: Mapping[str, Any], trial: Trial) -> None:
    """Refuse options that no choice has asked for."""
    for name in options:
        if name not in trial.chosen:
            raise UserError(
                f"{source}: [network] {name} is no choice of this network"
                f"{near(name, trial.chosen)}; its choices are "
                f"{', '.join(trial.chosen) or 'none'}"
            )


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, str | int | float | bool)
