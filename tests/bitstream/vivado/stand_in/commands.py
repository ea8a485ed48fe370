# SPDX-License-Identifier: BSD-3-Clause
"""The recorded command set of the vendor's tool: commands, options, IPs and their properties."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bonn_hw.errors import near

EVERYWHERE = ("-quiet", "-verbose")


class TclFault(Exception):
    """What the vendor's tool would refuse, or what it would take and do wrong."""


@dataclass(frozen=True)
class Call:
    """One command as it was given: options by name (flags hold an empty text) and the rest."""

    name: str
    options: Mapping[str, str]
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """What is recorded of a command.

    Attributes
    ----------
    flags, values : tuple of str
        Options that stand alone, options that take a value.
    least, most : int, int or None
        Positional arguments; None: any number.
    takes_files : bool
        Whether the positional arguments are files that must exist.
    choices : mapping
        Options whose values are known, and these.
    """

    name: str
    flags: tuple[str, ...]
    values: tuple[str, ...]
    least: int
    most: int | None
    takes_files: bool
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def option(self, word: str) -> None:
        """Raise TclFault if the command has no such option; abbreviations count as none."""
        known = (*self.flags, *self.values, *EVERYWHERE)
        if word not in known:
            raise TclFault(f"{self.name} has no option {word}{near(word, known)}")

    def parse(self, words: Sequence[str]) -> Call:
        """Tell options from arguments, or raise TclFault."""
        options: dict[str, str] = {}
        arguments: list[str] = []
        rest = iter(words)
        for word in rest:
            if not looks_like_option(word):
                arguments.append(word)
                continue
            self.option(word)
            options[word] = ""
            if word in self.values:
                value = next(rest, None)
                if value is None:
                    raise TclFault(f"{self.name}: option {word} has no value")
                options[word] = value
                if word in self.choices:
                    check_choice(f"{self.name} {word}", value, self.choices[word])
        if len(arguments) < self.least or (self.most is not None and len(arguments) > self.most):
            raise TclFault(
                f"{self.name} takes {self._amount} positional arguments, not {len(arguments)}"
            )
        return Call(self.name, options, tuple(arguments))

    @property
    def _amount(self) -> str:
        if self.most is None:
            return f"at least {self.least}"
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"


def looks_like_option(word: str) -> bool:
    """Whether a word is an option: a dash and a letter."""
    return len(word) > 1 and word[0] == "-" and word[1].isalpha()


@dataclass(frozen=True)
class CommandSet:
    """All that is recorded: commands, IPs by name, property names by kind of object."""

    commands: Mapping[str, Command]
    ips: Mapping[str, Mapping[str, Any]]
    objects: Mapping[str, Mapping[str, Sequence[str]]]

    @classmethod
    def read(cls, file: Path) -> CommandSet:
        """Read ``commands.json``."""
        facts = json.loads(file.read_text())
        commands = {name: _command(name, entry) for name, entry in facts["commands"].items()}
        return cls(commands, facts["ips"], facts["objects"])

    def check_property(self, kind: str, name: str, value: str | None = None) -> None:
        """Raise TclFault if objects of a kind have no such property; case does not count.

        With a value: also if the property does not take it.
        """
        known = {other.lower(): other for other in self.objects[kind]}
        if name.lower() not in known:
            raise TclFault(f"a {kind} has no property {name!r}{near(name, self.objects[kind])}")
        choices = self.objects[kind][known[name.lower()]]
        if value is not None and choices:
            check_choice(f"{name} of a {kind}", value, choices)


def check_choice(what: str, value: str, choices: Sequence[str]) -> None:
    """Raise TclFault if a value is none of those that there are."""
    if value not in choices:
        raise TclFault(f"{what} cannot be {value!r}: it is one of {', '.join(choices)}")


def check_value(what: str, value: str, rule: Mapping[str, Any]) -> None:
    """Raise TclFault if a property of an IP does not take a value."""
    if "choices" in rule:
        check_choice(what, value, rule["choices"])
        return
    low, high = rule["range"]
    try:
        number = float(value)
    except ValueError:
        raise TclFault(f"{what} cannot be {value!r}: it is a number") from None
    if not low <= number <= high:
        raise TclFault(f"{what} cannot be {value}: it is from {low:g} to {high:g}")


def _command(name: str, entry: Mapping[str, Any]) -> Command:
    least, most = entry["arguments"]
    flags, values = tuple(entry.get("flags", ())), tuple(entry.get("values", ()))
    takes_files = entry.get("takes") == "files"
    return Command(name, flags, values, least, most, takes_files, entry.get("choices", {}))
