# SPDX-License-Identifier: BSD-3-Clause
"""Tcl scripts as lists of commands, so that also those which no run reaches are checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

# Which words of a command hold scripts (negative: counted from the end), and which an expression.
BODIES = {
    "while": (2,),
    "for": (1, 3, 4),
    "foreach": (-1,),
    "proc": (3,),
    "catch": (1,),
    "dict for": (-1,),
    "dict with": (-1,),
    "namespace eval": (-1,),
}
EXPRESSIONS = {"while": (1,), "for": (2,), "expr": (1,)}
# Commands whose scripts are not looked into: the check wants them written another way.
UNREAD = ("apply", "eval", "subst", "switch", "try", "uplevel")
CLOSING = {"{": "}", "[": "]"}


@dataclass(frozen=True)
class Word:
    """A word: its text without the outer braces or quotes, its line, and whether it was braced."""

    text: str
    line: int
    braced: bool

    @property
    def literal(self) -> bool:
        """Whether the text is what the command sees."""
        return self.braced or not any(mark in self.text for mark in "$[\\")


@dataclass(frozen=True)
class Statement:
    """One command."""

    words: tuple[Word, ...]

    @property
    def name(self) -> str:
        """The command's name; empty if it is computed."""
        first = self.words[0]
        return first.text.removeprefix("::") if first.literal else ""

    @property
    def line(self) -> int:
        """Line of its first word, from 1."""
        return self.words[0].line


def statements(text: str, line: int = 1) -> Iterator[Statement]:
    """All commands of a script in the order of the text, nested ones after those around them."""
    for statement in _sequence(text, line):
        yield statement
        for word in statement.words:
            if not word.braced:
                yield from _substituted(word.text, word.line)
        for place in _bodies(statement):
            body = statement.words[place]
            if body.braced:
                yield from statements(body.text, body.line)
        for place in _expressions(statement):
            word = statement.words[place]
            if word.braced:
                yield from _substituted(word.text, word.line)


def _bodies(statement: Statement) -> list[int]:
    words = statement.words
    if statement.name == "if":
        return _branches([word.text for word in words])[1]
    name = statement.name
    if name in ("dict", "namespace") and len(words) > 1:
        name = f"{name} {words[1].text}"
    places = [place % len(words) for place in BODIES.get(name, ())]
    return [place for place in places if place < len(words)]


def _expressions(statement: Statement) -> list[int]:
    if statement.name == "if":
        return _branches([word.text for word in statement.words])[0]
    places = EXPRESSIONS.get(statement.name, ())
    return [place for place in places if place < len(statement.words)]


def _branches(words: list[str]) -> tuple[list[int], list[int]]:
    """Places of the conditions and of the bodies of an ``if``."""
    conditions, bodies, place = [], list[int](), 0
    while place + 1 < len(words):
        if words[place] in ("if", "elseif"):
            conditions.append(place + 1)
            place += 2
        if words[place] in ("then", "else"):
            place += 1
        bodies.append(place)
        place += 1
    return conditions, bodies


def _substituted(text: str, line: int) -> Iterator[Statement]:
    """Commands in brackets."""
    place = 0
    while place < len(text):
        if text[place] == "\\":
            place += 2
        elif text[place] == "[":
            end = _end(text, place)
            inside = text[place + 1 : end]
            yield from statements(inside, line + text.count("\n", 0, place))
            place = end + 1
        else:
            place += 1


def _end(text: str, start: int) -> int:
    """Where the bracket or brace that opens at `start` closes."""
    opening, closing = text[start], CLOSING[text[start]]
    depth, place = 0, start
    while place < len(text):
        mark = text[place]
        if mark == "\\":
            place += 1
        elif mark == opening:
            depth += 1
        elif mark == closing:
            depth -= 1
            if not depth:
                return place
        place += 1
    raise SyntaxError(f"line {1 + text.count(chr(10), 0, start)}: {opening!r} is not closed")


def _sequence(text: str, line: int) -> Iterator[Statement]:
    place, words = 0, list[Word]()
    while place < len(text):
        mark = text[place]
        if mark in "\n;":
            if words:
                yield Statement(tuple(words))
            words = []
            place += 1
        elif mark in " \t" or text.startswith("\\\n", place):
            place += 2 if mark == "\\" else 1
        elif mark == "#" and not words:
            place = _comment_end(text, place)
        else:
            word, place = _word(text, place, line + text.count("\n", 0, place))
            words.append(word)
    if words:
        yield Statement(tuple(words))


def _comment_end(text: str, place: int) -> int:
    while place < len(text) and text[place] != "\n":
        place += 2 if text[place] == "\\" else 1
    return place


def _word(text: str, place: int, line: int) -> tuple[Word, int]:
    if text.startswith("{*}", place):
        word, end = _word(text, place + 3, line)
        return Word(f"${{}}{word.text}", line, False), end  # one word that stands for several
    if text[place] == "{":
        end = _end(text, place)
        return Word(text[place + 1 : end], line, True), end + 1
    if text[place] == '"':
        end = _quote_end(text, place + 1)
        return Word(text[place + 1 : end], line, False), end + 1
    end = place
    while end < len(text) and text[end] not in " \t\n;":
        if text[end] == "\\":
            if text.startswith("\n", end + 1):
                break
            end += 2
        else:
            end = 1 + (
                _end(text, end) if text[end] == "[" or text[end - 1 : end + 1] == "${" else end
            )
    return Word(text[place:end], line, False), end


def _quote_end(text: str, place: int) -> int:
    while text[place] != '"':
        if text[place] == "\\":
            place += 2
        else:
            place = 1 + (_end(text, place) if text[place] == "[" else place)
    return place
