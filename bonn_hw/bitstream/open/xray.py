# SPDX-License-Identifier: BSD-3-Clause
"""Features <-> configuration frames of a 7-series device, with prjxray's database.

The bits of a tile are in ``frames`` frames, the first at ``baseaddr``, from word ``offset`` on. A
line of ``segbits_TYPE.db`` has a feature and the bits ``FRAME_BIT`` that it sets or, with ``!``,
clears.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bonn_hw.bitstream.open.fasm import FasmFault, Feature

WORDS = 101  # words per frame
ECC = (50, 0x1FFF)  # word with the frame's check bits, and their mask: other programs fill them in
NAME = re.compile(r"([\w.]+?)(?:\[(\d+)\])?")

Bit = tuple[int, int, int]  # frame's address, word, bit


@dataclass(frozen=True)
class Database:
    """Prjxray's database for a part.

    Parameters
    ----------
    root : Path
        Folder of the family: segbits, ppips, and a folder for each device and part.
    device, part : str
        Such as ``xc7z020`` and ``xc7z020clg400-1``.
    """

    root: Path
    device: str
    part: str
    _types: dict[str, dict[tuple[str, int], list[tuple[str, int, int, bool]]]] = field(
        default_factory=dict
    )
    _wires: dict[str, set[str]] = field(default_factory=dict)

    @cached_property
    def tiles(self) -> Mapping[str, Any]:
        """The grid: type and location of the bits, by tile."""
        grid: Mapping[str, Any] = json.loads(
            (self.root / self.device / "tilegrid.json").read_text()
        )
        return grid

    @property
    def part_file(self) -> Path:
        """The file with the part's frames, for other programs."""
        return self.root / self.part / "part.yaml"

    @property
    def required(self) -> str:
        """FASM that every bitstream of the part needs."""
        file = self.root / self.part / "required_features.fasm"
        return file.read_text() if file.is_file() else ""

    def bits(self, feature: Feature) -> tuple[list[Bit], list[Bit]]:
        """The bits that a feature sets and clears; raises FasmFault for an unknown feature."""
        tile = self.tiles.get(feature.tile)
        if tile is None:
            raise FasmFault(f"{self.device} has no tile {feature.tile}, named by {feature}")
        known = self.segments(tile["type"])
        if (feature.name, feature.index) not in known:
            if feature.name in self._connections(tile["type"]):
                return [], []  # wires that are always connected
            raise FasmFault(f"the database has no bits for {feature} ({tile['type']})")
        ones: list[Bit] = []
        zeros: list[Bit] = []
        for block, frame, bit, value in known[feature.name, feature.index]:
            place = tile["bits"].get(block)
            if place is None:
                raise FasmFault(f"tile {feature.tile} has no {block} bits for {feature}")
            whole = 32 * place["offset"] + bit
            at = (int(place["baseaddr"], 16) + frame, whole // 32, whole % 32)
            (ones if value else zeros).append(at)
        return ones, zeros

    def segments(self, kind: str) -> dict[tuple[str, int], list[tuple[str, int, int, bool]]]:
        """The bits of all features of a tile type: block, frame, bit, value."""
        if kind not in self._types:
            self._types[kind] = {
                **self._read(f"segbits_{kind.lower()}.db", "CLB_IO_CLK"),
                **self._read(f"segbits_{kind.lower()}.block_ram.db", "BLOCK_RAM"),
            }
        return self._types[kind]

    def _read(
        self, file: str, block: str
    ) -> dict[tuple[str, int], list[tuple[str, int, int, bool]]]:
        path = self.root / file
        segments: dict[tuple[str, int], list[tuple[str, int, int, bool]]] = {}
        for line in path.read_text().splitlines() if path.is_file() else ():
            name, *words = line.split()
            match = NAME.fullmatch(name.partition(".")[2])
            if match is None:
                raise FasmFault(f"{path.name} has a line that names no feature: {line[:80]}")
            bits = []
            for word in words:
                frame, _, bit = word.lstrip("!").partition("_")
                bits.append((block, int(frame), int(bit), not word.startswith("!")))
            segments[match[1], int(match[2] or -1)] = bits
        return segments

    def _connections(self, kind: str) -> set[str]:
        """Wires of a tile that are connected without bits, as SINK.SOURCE."""
        if kind not in self._wires:
            if (self.root / f"segbits_{kind.lower()}.db").is_file():
                file = self.root / f"ppips_{kind.lower()}.db"
                lines = file.read_text().splitlines() if file.is_file() else []
                self._wires[kind] = {line.split()[0].partition(".")[2] for line in lines}
            else:  # a tile type without any bits
                tile_type = json.loads((self.root / f"tile_type_{kind}.json").read_text())
                pips = tile_type["pips"].values()
                self._wires[kind] = {f"{pip['dst_wire']}.{pip['src_wire']}" for pip in pips}
        return self._wires[kind]


def assemble(features: Iterable[Feature], database: Database) -> set[Bit]:
    """The bits that are 1; raises FasmFault if features contradict each other."""
    ones: dict[Bit, Feature] = {}
    zeros: dict[Bit, Feature] = {}
    for feature in features:
        sets, clears = database.bits(feature)
        ones.update(dict.fromkeys(sets, feature))
        zeros.update(dict.fromkeys(clears, feature))
    both = ones.keys() & zeros.keys()
    if both:
        at = min(both)
        raise FasmFault(f"{ones[at]} sets a bit that {zeros[at]} clears")
    return set(ones)


def frames_text(bits: Iterable[Bit]) -> str:
    """Frames in the format of xc7frames2bit: one line per frame with address and words."""
    frames: dict[int, list[int]] = {}
    for address, word, bit in bits:
        frames.setdefault(address, [0] * WORDS)[word] |= 1 << bit
    return "".join(
        f"0x{address:08x} {','.join(f'0x{word:08x}' for word in frames[address])}\n"
        for address in sorted(frames)
    )


def read_bits(text: str) -> set[Bit]:
    """Read the output of ``bitread -y``, without the frames' check bits."""
    bits = set()
    for line in text.splitlines():
        if line.startswith("bit_"):
            _, address, word, bit = line.split("_")
            at = (int(address, 16), int(word), int(bit))
            if at[1] != ECC[0] or not ECC[1] >> at[2] & 1:
                bits.add(at)
    return bits


def compare(features: Iterable[Feature], decoded: set[Bit], database: Database) -> list[str]:
    """The differences between features and a decoded bitstream; empty if they agree.

    The bits of every feature must have its values, and every bit that is 1 must belong to one.
    """
    differences, explained = [], set()
    for feature in features:
        ones, zeros = database.bits(feature)
        explained.update(ones)
        if not (decoded.issuperset(ones) and decoded.isdisjoint(zeros)):
            differences.append(f"{feature} is not in the bitstream")
    differences += [
        f"bit {bit} of word {word} of frame 0x{address:08x} is 1 and belongs to no feature"
        for address, word, bit in sorted(decoded - explained)
    ]
    return differences
