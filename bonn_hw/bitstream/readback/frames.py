# SPDX-License-Identifier: BSD-3-Clause
"""A 7-series .bit file -> configuration frames; packets and check bits as in UG470, chapter 5.

xc7frames2bit writes no CRC, so what the device itself would check are the 13 check bits (a Hamming
code) in word 50 of every frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.bitstream.open.xray import ECC, WORDS

SYNC = b"\xaa\x99\x55\x66"
FAR, FDRI, IDCODE = 1, 2, 12  # registers
WRITE = 2
BUSES = ("CLB_IO_CLK", "BLOCK_RAM")  # in the order of their block types
PADDING = 2  # frames after each row


class ReadbackFault(Exception):
    """The bits are not a circuit, or one that this package does not read."""


@dataclass(frozen=True)
class Frames:
    """The configuration frames of a device.

    Attributes
    ----------
    addresses : mapping of int to int
        Address of a frame -> its index in ``words``.
    words : array of uint32, shape (frames, 101)
    """

    addresses: Mapping[int, int]
    words: NDArray[np.uint32]


def read(bitstream: bytes, part: Path) -> Frames:
    """Read the frames of a .bit file, and check them.

    Parameters
    ----------
    part : Path
        The file part.json of prjxray's database.

    Raises
    ------
    ReadbackFault
        If this is not a bitstream of the part, or check bits are wrong.
    """
    facts = json.loads(part.read_text())
    data = None
    for register, words in _packets(bitstream):
        if register == IDCODE and int(words[0]) != facts["idcode"]:
            raise ReadbackFault(
                f"the bitstream is for a device with ID {int(words[0]):#x}, and {part.parent.name} "
                f"has {facts['idcode']:#x}"
            )
        if register == FAR and data is None and words[0]:
            raise ReadbackFault(f"frames begin at address {int(words[0]):#x}, and must at 0")
        if register == FDRI and words.size:
            data = words
    rows = list(_rows(facts["global_clock_regions"]))
    expected = sum(len(row) + PADDING for row in rows) * WORDS
    if data is None or data.size != expected:
        found = 0 if data is None else data.size
        raise ReadbackFault(f"the bitstream has {found} words of frames, and must have {expected}")
    whole = data.astype(np.uint32).reshape(-1, WORDS)
    kept, addresses, place = [], [], 0
    for row in rows:
        kept.append(whole[place : place + len(row)])
        addresses += row
        place += len(row) + PADDING
    frames = Frames({one: index for index, one in enumerate(addresses)}, np.concatenate(kept))
    wrong = np.flatnonzero(check_bits(frames.words) != frames.words[:, ECC[0]] & ECC[1])
    if wrong.size:
        raise ReadbackFault(
            f"frame {addresses[wrong[0]]:#010x} has wrong check bits ({wrong.size} frames have)"
        )
    return frames


def check_bits(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The check bits that frames must have: words (frames, 101) -> (frames,)."""
    # Bit i of word w is in position 32 w + i; the code leaves out positions that are powers of two.
    index = np.arange(WORDS)
    base = 32 * index + np.where(index > 0x25, 0x1360, np.where(index > 6, 0x1340, 0x1320))
    positions = (base[:, None] + np.arange(32)).reshape(-1)
    data = words.copy()
    data[:, ECC[0]] &= ~np.uint32(ECC[1])
    found = np.zeros(len(words), np.uint32)
    used = np.flatnonzero(data.any(axis=1))
    bits = np.unpackbits(data[used].view(np.uint8), axis=1, bitorder="little").astype(np.float32)
    masks = (positions[:, None] >> np.arange(13) & 1).astype(np.float32)
    parities = (bits @ masks).astype(np.uint32) & 1
    parities[:, 12] ^= parities[:, :12].sum(axis=1, dtype=np.uint32) & 1
    found[used] = (parities << np.arange(13, dtype=np.uint32)).sum(axis=1, dtype=np.uint32)
    return found


def _packets(bitstream: bytes) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    """All writes to registers: register, words."""
    start = bitstream.find(SYNC)
    if start < 0:
        raise ReadbackFault("this is not a bitstream: it has no synchronisation word")
    body = bitstream[start + len(SYNC) :]
    words = np.frombuffer(body[: len(body) // 4 * 4], ">u4")
    place = register = 0
    while place < words.size:
        head = int(words[place])
        kind = head >> 29
        if kind == 1:
            register, count = head >> 13 & 31, head & 0x7FF
        elif kind == 2:
            count = head & 0x7FFFFFF
        else:
            raise ReadbackFault(f"word {place} after the synchronisation, {head:#010x}, is unknown")
        written = head >> 27 & 3 == WRITE
        payload = words[place + 1 : place + 1 + count] if written else words[:0]
        if written:
            yield register, payload
        place += 1 + payload.size


def _rows(regions: Mapping[str, Any]) -> Iterator[list[int]]:
    """The addresses of each row's frames, in the order of the bitstream."""
    for block, bus in enumerate(BUSES):
        for half, name in enumerate(("top", "bottom")):
            for row, facts in sorted(regions[name]["rows"].items(), key=_number):
                columns = facts["configuration_buses"][bus]["configuration_columns"]
                base = block << 23 | half << 22 | int(row) << 17
                yield [
                    base | int(column) << 7 | minor
                    for column, count in sorted(columns.items(), key=_number)
                    for minor in range(count["frame_count"])
                ]


def _number(item: tuple[str, Any]) -> int:
    return int(item[0])
