# SPDX-License-Identifier: BSD-3-Clause
"""Frozen dataclasses to JSON and back, by their types; see `values` for the rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

V = TypeVar("V")
WORDS = {int: "an integer", float: "a number", str: "a string", bool: "true or false"}


class Fault(ValueError):
    """JSON does not match a type; the message says where and why."""


def encode(value: Any) -> Any:
    """Convert a value to a tree that `json.dumps` accepts."""
    if is_dataclass(value) and not isinstance(value, type):
        body: dict[str, Any] = {}
        left_out = getattr(value, "left_out", None)
        for one in fields(value):
            content = getattr(value, one.name)
            if is_flat(one):
                body |= {} if content is None else encode(content)
            elif one.name not in left_out if left_out is not None else not _omitted(one, content):
                body[one.name] = encode(content)
        return body
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value


def _omitted(one: Field[Any], content: Any) -> bool:
    return content is None and one.default is None


def is_flat(one: Field[Any]) -> bool:
    """Whether the keys of a field's value are written among the keys of its owner."""
    return bool(one.metadata.get("flat"))


def is_required(one: Field[Any]) -> bool:
    """Whether a field must be present."""
    return one.default is MISSING and one.default_factory is MISSING


@cache
def parts(kind: Any) -> tuple[tuple[Field[Any], Any], ...]:
    """Fields of a dataclass with their types; for ``Generic[T]``, T is replaced by its argument."""
    plain = get_origin(kind) or kind
    arguments = dict(zip(getattr(plain, "__parameters__", ()), get_args(kind), strict=True))
    hints = get_type_hints(plain)
    return tuple((one, arguments.get(hints[one.name], hints[one.name])) for one in fields(plain))


def is_record(kind: Any) -> bool:
    """Whether a type is a dataclass, also a generic one such as ``PerResource[float]``."""
    plain = get_origin(kind) or kind
    return isinstance(plain, type) and is_dataclass(plain)


def choices(kind: Any) -> tuple[Any, ...]:
    """The types of a union; for another type, the type itself."""
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def keys(kind: Any) -> Iterable[str]:
    """The keys that a dataclass can have in JSON."""
    for one, its in parts(kind):
        if is_flat(one):
            yield from keys(record_of(its))
        else:
            yield one.name


def record_of(kind: Any) -> Any:
    """The dataclass ``D`` of an optional field ``D | None``."""
    return next(one for one in choices(kind) if one is not NoneType)


def decode(kind: type[V], tree: Any) -> V:
    """Convert a JSON tree to a value; raises Fault if it does not match the type."""
    value: V = _decode(kind, tree, "")
    return value


def _decode(kind: Any, tree: Any, place: str) -> Any:
    options = choices(kind)
    if len(options) > 1:
        return _chosen(options, tree, place)
    if is_record(kind):
        return _record(kind, tree, place)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        _expect(tree in arguments, " or ".join(map(repr, arguments)), tree, place)
        return tree
    if origin is tuple:
        return _tuple(arguments, tree, place)
    if origin is not None and issubclass(origin, Mapping):
        _expect(isinstance(tree, dict), "an object", tree, place)
        return {key: _decode(arguments[1], tree[key], _below(place, key)) for key in tree}
    if kind is float:
        _expect(type(tree) in (int, float) and isfinite(tree), WORDS[float], tree, place)
    else:
        _expect(type(tree) is kind, WORDS[kind], tree, place)
    return tree


def _chosen(options: tuple[Any, ...], tree: Any, place: str) -> Any:
    """Decode with the first type of a union that matches; the error message is of the last one."""
    if tree is None and NoneType in options:
        return None
    faults = []
    for option in options:
        if option is not NoneType:
            try:
                return _decode(option, tree, place)
            except Fault as fault:
                faults.append(fault)
    raise faults[-1]


def _tuple(arguments: tuple[Any, ...], tree: Any, place: str) -> tuple[Any, ...]:
    _expect(isinstance(tree, list), "a list", tree, place)
    if arguments[-1] is ...:
        arguments = (arguments[0],) * len(tree)
    _expect(len(tree) == len(arguments), f"a list of {len(arguments)}", tree, place)
    return tuple(
        _decode(its, item, f"{place}[{index}]")
        for index, (its, item) in enumerate(zip(arguments, tree, strict=True))
    )


def _record(kind: Any, tree: Any, place: str, alone: bool = True) -> Any:
    """Decode an object to a dataclass; `alone`: refuse keys that the dataclass does not have."""
    _expect(isinstance(tree, dict), "an object", tree, place)
    if alone and (unknown := sorted(set(tree) - set(keys(kind)))):
        raise Fault(f"{_below(place, unknown[0])} is not known")
    body = {}
    for one, its in parts(kind):
        if is_flat(one):
            inner = record_of(its)
            if its is inner or not set(keys(inner)).isdisjoint(tree):
                body[one.name] = _record(inner, tree, place, alone=False)
        elif one.name in tree:
            body[one.name] = _decode(its, tree[one.name], _below(place, one.name))
        elif is_required(one):
            raise Fault(f"{_below(place, one.name)} is missing")
    return kind(**body)


def _expect(holds: bool, expected: str, tree: Any, place: str) -> None:
    if not holds:
        text = repr(tree)
        short = text if len(text) <= 40 else f"{text[:37]}..."
        raise Fault(f"{place or 'the document'} must be {expected}, not {short}")


def _below(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key
