# SPDX-License-Identifier: BSD-3-Clause
"""A table of a board's file: reads keys one by one and checks their types and values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bonn_hw.errors import UserError, near


class Table:
    """A TOML table. Keys that are never read are unknown; see `done`.

    Parameters
    ----------
    file : Path
        The board's file, for messages.
    name : str
        Name of the table in the file; empty for the top level.
    """

    def __init__(self, file: Path, name: str, values: Mapping[str, Any]) -> None:
        self.file, self.name, self._values = file, name, values
        self._known: list[str] = []

    def error(self, key: str, rule: str) -> UserError:
        """The error for a key that breaks a rule."""
        place = f"{self.name}.{key}" if self.name else key
        return UserError(f"board file {self.file}: {place} {rule}")

    def _take(self, key: str, rule: str) -> Any:
        self._known.append(key)
        if key not in self._values:
            raise self.error(key, f"is missing: add it; it must be {rule}")
        return self._values[key]

    def text(self, key: str, rule: str = "a text", pattern: str = ".+") -> str:
        """Read a string that matches a pattern completely."""
        value = self._take(key, rule)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self.error(key, f"must be {rule}, not {value!r}")
        return value

    def choice(self, key: str, known: Sequence[str]) -> str:
        """Read a string that is one of ``known``."""
        rule = f"one of {', '.join(known)}"
        value = self._take(key, rule)
        if value not in known:
            suggestion = near(value, known) if isinstance(value, str) else ""
            raise self.error(key, f"must be {rule}, not {value!r}{suggestion}")
        return str(value)

    def choices(self, key: str, known: Sequence[str]) -> tuple[str, ...]:
        """Read a list with at least one of ``known``, and none twice."""
        rule = f"a list of {' and '.join(known)}, the usual one first"
        value = self._take(key, rule)
        if (
            not isinstance(value, list)
            or not value
            or any(one not in known for one in value)
            or len(set(value)) < len(value)
        ):
            raise self.error(key, f"must be {rule}, not {value!r}")
        return tuple(value)

    def count(self, key: str, known: Sequence[int] = ()) -> int:
        """Read a whole number above 0, or one of ``known``."""
        rule = " or ".join(map(str, known)) if known else "a whole number above 0"
        value = self._take(key, rule)
        if type(value) is not int or value < 1 or (known and value not in known):
            raise self.error(key, f"must be {rule}, not {value!r}")
        return value

    def number(self, key: str) -> float:
        """Read a number above 0."""
        rule = "a number above 0"
        value = self._take(key, rule)
        if type(value) not in (int, float) or not 0 < value < float("inf"):
            raise self.error(key, f"must be {rule}, not {value!r}")
        return float(value)

    def table(self, key: str, why: str) -> Table:
        """Read a table; ``why`` says in the error message what needs it."""
        self._known.append(key)
        value = self._values.get(key)
        if not isinstance(value, dict):
            raise UserError(f"board file {self.file}: {why} needs a table [{key}]: add it")
        return Table(self.file, key, value)

    def done(self) -> None:
        """Raise UserError for a key that was not read."""
        for key in self._values:
            if key not in self._known:
                place = f"[{self.name}]" if self.name else "the file"
                known = sorted(self._known)
                raise UserError(
                    f"board file {self.file}: {place} has a key {key!r} that is not known"
                    f"{near(key, known)}; there are {', '.join(known)}: correct or remove it"
                )
