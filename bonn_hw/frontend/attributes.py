# SPDX-License-Identifier: BSD-3-Clause
"""Read attributes of ONNX nodes with a check of their type; wrong ones raise `Malformed`."""

from __future__ import annotations

from typing import Any

from onnx import NodeProto, helper


class Malformed(Exception):
    """A node of the model file is invalid. `lower` adds the node's name to the message."""


def has(node: NodeProto, name: str) -> bool:
    """Whether a node has an attribute."""
    return any(item.name == name for item in node.attribute)


def _value(node: NodeProto, name: str) -> Any:
    for item in node.attribute:
        if item.name == name:
            try:
                return helper.get_attribute_value(item)
            except ValueError as error:
                raise Malformed(f"the attribute {name!r} has no known type") from error
    return None


def integer(node: NodeProto, name: str, default: int) -> int:
    """Read one integer."""
    value = _value(node, name)
    if value is None:
        return default
    if not isinstance(value, int):
        raise Malformed(f"the attribute {name!r} is {value!r}, not an integer")
    return value


def flag(node: NodeProto, name: str, default: bool) -> bool:
    """Read 0 or 1; of other numbers, readers of the format disagree which they mean."""
    value = integer(node, name, int(default))
    if value not in (0, 1):
        raise Malformed(f"the attribute {name!r} is {value}, not 0 or 1")
    return bool(value)


def number(node: NodeProto, name: str, default: float) -> float:
    """Read one float."""
    value = _value(node, name)
    if value is None:
        return default
    if not isinstance(value, int | float):
        raise Malformed(f"the attribute {name!r} is {value!r}, not a number")
    return float(value)


def text(node: NodeProto, name: str, default: str) -> str:
    """Read one string."""
    value = _value(node, name)
    if value is None:
        return default
    if not isinstance(value, bytes):
        raise Malformed(f"the attribute {name!r} is {value!r}, not a string")
    return value.decode(errors="replace")


def integers(
    node: NodeProto, name: str, default: tuple[int, ...], count: int | None = None
) -> tuple[int, ...]:
    """Read a list of integers; with `count`, of exactly that length."""
    value = _value(node, name)
    if value is None:
        return default
    if not isinstance(value, list) or not all(isinstance(item, int) for item in value):
        raise Malformed(f"the attribute {name!r} is {value!r}, not a list of integers")
    if count is not None and len(value) != count:
        raise Malformed(f"the attribute {name!r} has {len(value)} integers, not {count}")
    return tuple(value)


def numbers(node: NodeProto, name: str) -> tuple[float, ...]:
    """Read a list of floats; empty if the node does not have it."""
    value = _value(node, name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, int | float) for item in value):
        raise Malformed(f"the attribute {name!r} is {value!r}, not a list of numbers")
    return tuple(float(item) for item in value)
