# SPDX-License-Identifier: BSD-3-Clause
"""Convert integers to the bytes that the shell reads, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORD = 8  # bytes; a beat of at most this size is one NumPy integer


@dataclass(frozen=True)
class Side:
    """The memory layout of the frames of the input or the output.

    Attributes
    ----------
    lanes, beats : int
        Elements per beat, beats per frame.
    bits, low, high, bipolar
        Type of an element: -1 and +1 in one bit, or integers from low to high.
    slot, frame_bytes : int
        Bytes per beat and per frame.
    """

    lanes: int
    beats: int
    bits: int
    low: int
    high: int
    bipolar: bool
    slot: int
    frame_bytes: int

    @property
    def elements(self) -> int:
        """Elements per frame."""
        return self.lanes * self.beats

    def pack(self, integers: NDArray[Any]) -> NDArray[np.uint8]:
        """Convert integers ``(N, elements)`` to bytes ``(N, frame_bytes)``."""
        codes = self._codes(integers).reshape(len(integers), self.beats, self.lanes)
        whole = np.zeros((len(integers), self.frame_bytes), np.uint8)
        slots = whole[:, : self.beats * self.slot].reshape(len(integers), self.beats, self.slot)
        if self.slot <= WORD:
            beats = np.zeros(codes.shape[:2], np.uint64)
            for lane in range(self.lanes):
                beats |= codes[:, :, lane] << np.uint64(lane * self.bits)
            octets = beats.astype("<u8").view(np.uint8).reshape(*codes.shape[:2], WORD)
            slots[:] = octets[:, :, : self.slot]
        else:
            bits = codes[:, :, :, None] >> np.arange(self.bits, dtype=np.uint64) & np.uint64(1)
            flat = bits.astype(np.uint8).reshape(*codes.shape[:2], -1)
            octets = np.packbits(flat, axis=2, bitorder="little")
            slots[:, :, : octets.shape[2]] = octets
        return whole

    def unpack(self, memory: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Convert bytes ``(N, frame_bytes)`` to integers ``(N, elements)``."""
        frames = len(memory)
        slots = memory[:, : self.beats * self.slot].reshape(frames, self.beats, self.slot)
        if self.slot <= WORD:
            octets = np.zeros((frames, self.beats, WORD), np.uint8)
            octets[:, :, : self.slot] = slots
            beats = octets.view("<u8")
            shifts = np.arange(self.lanes, dtype=np.uint64) * np.uint64(self.bits)
            codes = beats >> shifts & np.uint64((1 << self.bits) - 1)
        else:
            bits = np.unpackbits(slots, axis=2, bitorder="little")
            fields = bits[:, :, : self.lanes * self.bits].reshape(frames, -1, self.bits)
            places = np.arange(self.bits, dtype=np.uint64)
            codes = (fields.astype(np.uint64) << places).sum(axis=2, dtype=np.uint64)
        values: NDArray[np.int64] = codes.reshape(frames, -1).astype(np.int64)
        if self.bipolar:
            values = 2 * values - 1
        elif self.low < 0:
            values -= (values >> self.bits - 1) << self.bits
        return values

    def _codes(self, integers: NDArray[Any]) -> NDArray[np.uint64]:
        values = integers.astype(np.int64)
        if self.bipolar:
            return (values > 0).astype(np.uint64)
        return (values & (1 << self.bits) - 1).astype(np.uint64)
