# SPDX-License-Identifier: BSD-3-Clause
"""FPGA assembly (FASM): text -> single features, as prjxray's database names them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# TILE.FEATURE[HIGH:LOW] = WIDTH'bVALUE; all but the first two parts may be missing.
LINE = re.compile(
    r"(?P<tile>\w+)\.(?P<name>[\w.]+)"
    r"(?:\[(?P<high>\d+)(?::(?P<low>\d+))?\])?"
    r"(?:\s*=\s*(?:\d+'(?P<base>[bhd]))?(?P<value>[0-9a-fA-F_]+))?\s*(?:#.*)?"
)
BASES = {"b": 2, "h": 16, "d": 10, None: 10}


class FasmFault(Exception):
    """Text that is not FASM, or that the database has no bits for."""


@dataclass(frozen=True, order=True)
class Feature:
    """One feature that is on.

    Attributes
    ----------
    tile, name : str
        Where, and which.
    index : int
        Of a bit of a vector such as a table's contents; -1: the feature is no vector.
    """

    tile: str
    name: str
    index: int = -1

    def __str__(self) -> str:
        place = f"[{self.index}]" if self.index >= 0 else ""
        return f"{self.tile}.{self.name}{place}"


def read(text: str) -> Iterator[Feature]:
    """Read all features that are on; raises FasmFault for a line that is not FASM."""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = LINE.fullmatch(stripped)
        if found is None:
            raise FasmFault(f"line {number} is not FASM: {stripped[:80]}")
        value = int(found["value"] or "1", BASES[found["base"]])
        if found["high"] is None:
            if value not in (0, 1):
                raise FasmFault(f"line {number} gives a single feature the value {value}")
            if value:
                yield Feature(found["tile"], found["name"])
            continue
        low = int(found["low"] or found["high"])
        if value >> (int(found["high"]) - low + 1):
            raise FasmFault(f"line {number} has more bits than places: {stripped[:80]}")
        while value:
            lowest = (value & -value).bit_length() - 1
            yield Feature(found["tile"], found["name"], low + lowest)
            value &= value - 1
