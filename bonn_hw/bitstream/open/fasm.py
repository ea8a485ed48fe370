# SPDX-License-Identifier: BSD-3-Clause
"""FPGA assembly (FASM): text -> single features, with the names of prjxray's database."""

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
    """The text is not FASM, or the database has no bits for a feature."""


@dataclass(frozen=True, order=True)
class Feature:
    """One enabled feature.

    Attributes
    ----------
    tile, name : str
        The tile, and the feature's name in it.
    index : int
        Index of the bit, for a vector such as a LUT's contents; -1 for other features.
    """

    tile: str
    name: str
    index: int = -1

    def __str__(self) -> str:
        place = f"[{self.index}]" if self.index >= 0 else ""
        return f"{self.tile}.{self.name}{place}"


def read(text: str) -> Iterator[Feature]:
    """Read all enabled features; raises FasmFault for a line that is not FASM."""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = LINE.fullmatch(stripped)
        if match is None:
            raise FasmFault(f"line {number} is not FASM: {stripped[:80]}")
        value = int(match["value"] or "1", BASES[match["base"]])
        if match["high"] is None:
            if value not in (0, 1):
                raise FasmFault(f"line {number} sets a single feature to the value {value}")
            if value:
                yield Feature(match["tile"], match["name"])
            continue
        low = int(match["low"] or match["high"])
        if value >> (int(match["high"]) - low + 1):
            raise FasmFault(f"line {number} has more bits than places: {stripped[:80]}")
        while value:
            lowest = (value & -value).bit_length() - 1
            yield Feature(match["tile"], match["name"], low + lowest)
            value &= value - 1
