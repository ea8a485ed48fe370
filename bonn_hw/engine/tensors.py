# SPDX-License-Identifier: BSD-3-Clause
"""Tensors of the engine: packed bits, or arrays of integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.tensor import Element, Integers

WORD = 64
Words = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Bits:
    """Bipolar frames ``(N, H, W, C)``: for each pixel, words of 64 channels.

    Attributes
    ----------
    words : uint64 ``(N, H, W, ceil(C / 64))``
        Channel 0 is bit 0 of word 0; 1 is +1, 0 is −1. Bits beyond the last channel are 0.
    channels : int
        C.
    """

    words: Words
    channels: int

    @staticmethod
    def of(values: Integers) -> Bits:
        """Pack −1 and +1."""
        channels = values.shape[-1]
        padded = np.zeros((*values.shape[:-1], words_of(channels) * WORD), np.bool_)
        np.greater(values, 0, out=padded[..., :channels])
        return Bits(np.packbits(padded, axis=-1, bitorder="little").view(np.uint64), channels)

    def integers(self) -> NDArray[np.int8]:
        """−1 and +1, ``(N, H, W, C)``."""
        octets = np.unpackbits(self.words.view(np.uint8), axis=-1, bitorder="little")
        ones = octets[..., : self.channels].astype(np.int8)
        return ones * np.int8(2) - np.int8(1)

    def shaped(self, shape: tuple[int, int, int]) -> Bits:
        """The same elements in stream order as frames of ``(H, W, C)``."""
        frame = (*self.words.shape[1:3], self.channels)
        if shape == frame:
            return self
        if shape[2] == self.channels or (shape[2] % WORD == 0 and self.channels % WORD == 0):
            return Bits(self.words.reshape(-1, *shape[:2], words_of(shape[2])), shape[2])
        return Bits.of(self.integers().reshape(-1, *shape))


Tensor = Bits | Integers
Work = Callable[..., tuple[Tensor, ...]]


def words_of(channels: int) -> int:
    """Words for each pixel."""
    return -(-channels // WORD)


def integers(tensor: Tensor) -> Integers:
    """Its integers ``(N, H, W, C)``."""
    return tensor.integers() if isinstance(tensor, Bits) else tensor


def narrow(tensor: Tensor) -> NDArray[np.generic]:
    """Contiguous integers of 8, 16 or 32 bits."""
    values = integers(tensor)
    kind = values.dtype if values.dtype in (np.int8, np.int16, np.int32) else np.int32
    return np.ascontiguousarray(values, kind)


def bits(tensor: Tensor) -> Bits:
    """The same, packed; it must be bipolar."""
    return tensor if isinstance(tensor, Bits) else Bits.of(tensor)


def shaped(tensor: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """The same elements in stream order as frames of ``(H, W, C)``."""
    return tensor.shaped(shape) if isinstance(tensor, Bits) else tensor.reshape(-1, *shape)


def fits(element: Element, kind: type[np.signedinteger]) -> bool:
    """Whether all values of an element are integers of a type of NumPy's."""
    limits = np.iinfo(kind)
    return bool(limits.min <= element.low and element.high <= limits.max)


def kind_of(element: Element) -> type[np.signedinteger]:
    """The smallest type of NumPy's for all values of an element of at most 32 bits."""
    return next(kind for kind in (np.int8, np.int16, np.int32) if fits(element, kind))


def frames_of(tensor: Tensor) -> int:
    """How many there are."""
    return len(tensor.words if isinstance(tensor, Bits) else tensor)


def empty(frames: int, shape: tuple[int, int, int]) -> Words:
    """Words of packed frames, all 0."""
    return np.zeros((frames, *shape[:2], words_of(shape[2])), np.uint64)
