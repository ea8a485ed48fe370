# SPDX-License-Identifier: BSD-3-Clause
"""How frames are sent over a stream. RTL and Python share these three rules:

Element 0 of a beat is in the least significant bits.
Bit 1 is +1, bit 0 is −1 (other integers are two's complement or unsigned).
Frames are in raster order, channels fastest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.tensor import Element, Integers

WORD = 32  # beats go to the simulator as little-endian 32-bit words


def words_a_beat(lanes: int, element: Element) -> int:
    """32-bit words per beat."""
    return -(-lanes * element.bits // WORD)


def pack_bits(values: Integers, lanes: int, element: Element) -> NDArray[np.uint8]:
    """Bits of the beats, least significant first, shape ``(beats, lanes * bits)``."""
    codes = element.encode(values.reshape(-1, lanes))
    if element.bits == 1:
        return codes.astype(np.uint8)
    shifts = np.arange(element.bits, dtype=np.uint64)
    bits = (codes[:, :, None] >> shifts) & np.uint64(1)
    return bits.astype(np.uint8).reshape(len(codes), -1)


def pack(values: Integers, lanes: int, element: Element) -> NDArray[np.uint32]:
    """Pack elements in stream order into beats.

    Parameters
    ----------
    values : integers, any shape whose last axes are in stream order
        A multiple of ``lanes`` elements.

    Returns
    -------
    uint32 ``(beats, words)``, least significant word first.
    """
    words = words_a_beat(lanes, element)
    bits = pack_bits(values, lanes, element)
    padded = np.zeros((len(bits), words * WORD), np.uint8)
    padded[:, : bits.shape[1]] = bits
    return np.packbits(padded, axis=1, bitorder="little").view("<u4").reshape(-1, words)


def unpack(beats: NDArray[np.uint32], lanes: int, element: Element) -> NDArray[np.int64]:
    """Unpack beats ``(beats, words)`` into a flat array in stream order: the inverse of `pack`."""
    octets = np.ascontiguousarray(beats, "<u4").view(np.uint8).reshape(len(beats), -1)
    bits = np.unpackbits(octets, axis=1, bitorder="little")[:, : lanes * element.bits]
    fields = bits.reshape(-1, element.bits).astype(np.uint64)
    codes = (fields << np.arange(element.bits, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)
    return element.decode(codes)
