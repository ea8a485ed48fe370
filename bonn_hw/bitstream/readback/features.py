# SPDX-License-Identifier: BSD-3-Clause
"""Configuration frames -> the enabled features of each tile, by prjxray's segbits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bonn_hw.bitstream.open.fasm import Feature
from bonn_hw.bitstream.open.xray import ECC, WORDS, Database
from bonn_hw.bitstream.readback.frames import Frames, ReadbackFault

BITS = 32 * WORDS  # of a frame
NONE = -1  # the place of features that set no bit
BLOCK_RAM = 1 << 20  # added to the bits of a block memory's contents, which lie elsewhere
# Name and index of a feature, and the bits that it sets and clears. A bit of a tile is one number:
# BITS times its frame, plus its place in the frame.
Segment = tuple[str, int, frozenset[int], frozenset[int]]


@dataclass(frozen=True)
class Enabled:
    """What is enabled in a tile.

    Attributes
    ----------
    names : frozenset of str
        The features without index.
    vectors : mapping
        Such as a LUT's contents: name -> the enabled bits as one integer.
    """

    names: frozenset[str] = frozenset()
    vectors: Mapping[str, int] = field(default_factory=dict)

    def bit(self, name: str) -> bool:
        """Whether a feature is enabled."""
        return name in self.names


def decode(frames: Frames, database: Database) -> dict[str, Enabled]:
    """The features of every tile that has any.

    Raises
    ------
    ReadbackFault
        If a bit is 1 that belongs to no feature.
    """
    tables: dict[str, dict[int, list[Segment]]] = {}
    found, claimed = {}, list[int]()
    for tile, facts in database.tiles.items():
        ones, bases = _ones(facts, frames)
        if not ones:
            continue
        kind = facts["type"]
        if kind not in tables:
            tables[kind] = _by_first_bit(database, kind)
        names, vectors = [], dict[str, int]()
        for bit in (NONE, *ones):
            for name, index, sets, clears in tables[kind].get(bit, ()):
                if sets <= ones and clears.isdisjoint(ones):
                    if index < 0:
                        names.append(name)
                    else:
                        vectors[name] = vectors.get(name, 0) | 1 << index
                    claimed += [bases[one >= BLOCK_RAM] + one for one in sets]
        found[tile] = Enabled(frozenset(names), vectors)
    _all_claimed(claimed, frames)
    return found


def listed(enabled: Mapping[str, Enabled]) -> Iterator[Feature]:
    """The same as single features."""
    for tile, one in enabled.items():
        for name in one.names:
            yield Feature(tile, name)
        for name, value in one.vectors.items():
            yield from (
                Feature(tile, name, bit) for bit in range(value.bit_length()) if value >> bit & 1
            )


def _ones(facts: Mapping[str, Any], frames: Frames) -> tuple[set[int], dict[bool, int]]:
    """The bits of a tile that are 1, and what to add to such a number for its place in the device.

    The second is given for bits in general (False) and for contents of block memories (True).
    """
    ones, bases = set[int](), {}
    for block, place in facts["bits"].items():
        contents = block == "BLOCK_RAM"
        row, first = frames.addresses[int(place["baseaddr"], 16)], place["offset"]
        words = frames.words[row : row + place["frames"], first : first + place["words"]]
        bases[contents] = row * BITS + 32 * first - BLOCK_RAM * contents
        if words.any():
            whole = np.ascontiguousarray(words).view(np.uint8)
            minors, bits = np.nonzero(np.unpackbits(whole, axis=1, bitorder="little"))
            ones.update((minors * BITS + bits + BLOCK_RAM * contents).tolist())
    return ones, bases


def _by_first_bit(database: Database, kind: str) -> dict[int, list[Segment]]:
    """The features of a tile type, under one of the bits that they set."""
    table: dict[int, list[Segment]] = {}
    for (name, index), bits in database.segments(kind).items():
        sides: tuple[list[int], list[int]] = ([], [])
        for block, frame, bit, value in bits:
            sides[not value].append(frame * BITS + bit + BLOCK_RAM * (block == "BLOCK_RAM"))
        first = min(sides[0], default=NONE)
        table.setdefault(first, []).append((name, index, frozenset(sides[0]), frozenset(sides[1])))
    return table


def _all_claimed(claimed: list[int], frames: Frames) -> None:
    bits = np.unpackbits(frames.words.view(np.uint8), axis=1, bitorder="little")
    check = 32 * ECC[0]
    bits[:, check : check + ECC[1].bit_length()] = 0
    bits.reshape(-1)[claimed] = 0
    left = np.flatnonzero(bits)
    if left.size:
        frame, bit = divmod(int(left[0]), BITS)
        raise ReadbackFault(
            f"bit {bit % 32} of word {bit // 32} of frame {list(frames.addresses)[frame]:#010x} "
            f"is 1 and belongs to no feature ({left.size} such bits)"
        )
