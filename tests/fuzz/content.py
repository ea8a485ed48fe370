# SPDX-License-Identifier: BSD-3-Clause
"""Mutations of bytes, and of the values in JSON and TOML documents."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np

Random = np.random.Generator
WORDS = (
    *("", " ", "\n", "\x00", "../../x", "/dev/zero", "a" * 5000, "max", "inf", "nan", "[red]x[/]"),
    *("\x1b[31m", "ü", "1", "-1", "true", "mvu_0", "PE", "{}", "pynq-z2", "digits"),
)
NUMBERS = (
    *(0, -1, 1, 2, 3, 255, 1 << 31, 1 << 63, 1 << 80, -(1 << 63), 0.5, -0.0, 1e-300, 1e300),
    *(float("inf"), float("-inf"), float("nan")),
)


def one_of(random: Random, values: Any) -> Any:
    """A random element, as it is (NumPy would convert it)."""
    return values[int(random.integers(len(values)))]


def changed_bytes(content: bytes, random: Random) -> bytes:
    """Flip, cut, insert, repeat or replace some bytes."""
    data = bytearray(content)
    for _ in range(int(random.integers(1, 5))):
        place = int(random.integers(len(data) + 1))
        size = int(2 ** random.uniform(0, 8))
        match int(random.integers(6)):
            case 0 if data:
                data[min(place, len(data) - 1)] ^= 1 << int(random.integers(8))
            case 1:
                del data[place:]
            case 2:
                del data[place : place + size]
            case 3:
                data[place:place] = random.bytes(size)
            case 4:
                data[place:place] = data[place : place + size]
            case 5:
                data[place : place + size] = random.bytes(size)
    return bytes(data)


def any_value(random: Random, depth: int = 0) -> Any:
    """A number, a word, a list, an object, or another plain value."""
    match int(random.integers(8 if depth < 3 else 5)):
        case 0 | 1:
            return one_of(random, NUMBERS)
        case 2 | 3:
            return one_of(random, WORDS)
        case 4:
            return one_of(random, (None, True, False))
        case 5 | 6:
            return [any_value(random, depth + 1) for _ in range(int(random.integers(4)))]
        case _:
            count = int(random.integers(4))
            return {one_of(random, WORDS): any_value(random, depth + 1) for _ in range(count)}


def changed_tree(tree: Any, random: Random) -> Any:
    """Change, remove, add, repeat or rename one to three values of a document."""
    tree = copy.deepcopy(tree)
    for _ in range(int(random.integers(1, 4))):
        places = [(None, None), *_places(tree)]
        owner, key = one_of(random, places[1:] if len(places) > 1 else places)
        if owner is None:
            return any_value(random)
        match int(random.integers(6)):
            case 0 | 1 | 2:
                owner[key] = any_value(random)
            case 3:
                del owner[key]
            case 4 if isinstance(owner, dict):
                owner[one_of(random, WORDS)] = owner.pop(key)
            case _:
                owner[key] = copy.deepcopy(one_of(random, [o[k] for o, k in _places(tree)]))
    return tree


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every container in a tree with each of its keys."""
    found: list[tuple[Any, Any]] = []
    todo = [tree]
    while todo and len(found) < 5000:
        one = todo.pop()
        keys = one if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        found += [(one, key) for key in keys]
        todo += [one[key] for key in keys]
    return found


def changed_json(text: bytes, random: Random) -> bytes:
    """A document with other values, or damaged text."""
    if random.random() < 0.25:
        return changed_bytes(text, random)
    if random.random() < 0.03:
        return b"[" * 100_000
    try:
        tree = json.loads(text)
    except ValueError:  # it was damaged before
        return changed_bytes(text, random)
    return json.dumps(changed_tree(tree, random)).encode(errors="surrogatepass")


def changed_toml(text: bytes, random: Random) -> bytes:
    """Lines with other values, keys and tables, or damaged text."""
    if random.random() < 0.25:
        return changed_bytes(text, random)
    lines = text.decode().splitlines()
    for _ in range(int(random.integers(1, 4))):
        place = int(random.integers(len(lines)))
        key, equals, _ = lines[place].partition("=")
        match int(random.integers(6)):
            case 0 | 1 | 2 if equals:
                lines[place] = f"{key}= {_toml(any_value(random))}"
            case 3:
                del lines[place]
                lines = lines or [""]
            case 4 if equals:
                lines[place] = lines[place].replace(key.strip(), one_of(random, ("x", "name", "[")))
            case _:
                lines.insert(place, one_of(random, lines))
    return "\n".join(lines).encode()


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value if value is not None else "")
