# SPDX-License-Identifier: BSD-3-Clause
"""Transforms of images before they enter a network, and the held-out split; NumPy only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError


def normalise(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map [0, 1] to the 8-bit input grid: pixel p of 0..255 becomes (p - 128) / 128, exactly."""
    pixels = images * np.float32(255)
    # In place: the training splits are hundreds of megabytes.
    np.rint(pixels, out=pixels)
    pixels -= 128
    pixels /= 128
    return pixels


def pad32(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Surround ``(N, C, 28, 28)`` by two black pixels: ``(N, C, 32, 32)``."""
    if images.shape[2:] != (28, 28):
        height, width = images.shape[2:]
        raise UserError(f"transform pad32: images must be 28x28, not {height}x{width}; use none")
    return np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))


def halved(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take the mean of 2x2 pixels of ``(N, C, H, W)``, rounded to 8-bit values again."""
    count, channels, height, width = images.shape
    if height % 2 or width % 2:
        raise UserError(
            f"transform half: height and width must be even, not {height}x{width}; use none"
        )
    # Sums of integers are exact, so the order of the additions does not matter.
    pixels = np.rint(images * np.float32(255))
    sums = pixels.reshape(count, channels, height // 2, 2, width // 2, 2).sum((3, 5))
    means: NDArray[np.float32] = np.rint(sums / 4) / np.float32(255)
    return means


def held_out(labels: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Choose `count` images to set apart: the same share of each class, to within one image.

    The choice is fixed: it depends on the labels and the count alone.

    Parameters
    ----------
    labels
        int64 ``(N,)``.

    Returns
    -------
    numpy.ndarray
        bool ``(N,)``: which images are set apart.

    Raises
    ------
    UserError
        If no image would be set apart, or none left.
    """
    if not 0 < count < len(labels):
        raise UserError(
            f"held_out: must be from 1 to {len(labels) - 1}, so that some of the {len(labels)} "
            f"images are on either side, not {count}"
        )
    shuffled = np.random.default_rng(0).permutation(len(labels))
    # Sorted by class, in random order within a class. Every image gets a relative position between
    # 0 and 1 within its class; the images with the lowest positions are chosen.
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    sizes = np.bincount(labels)
    inside = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    places = (inside + 0.5) / np.repeat(sizes, sizes)
    apart = np.zeros(len(labels), bool)
    apart[by_class[np.argsort(places, kind="stable")[:count]]] = True
    return apart


TRANSFORMS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "none": lambda images: images,
    "pad32": pad32,
    "half": halved,
    "pad32-half": lambda images: halved(pad32(images)),
}
