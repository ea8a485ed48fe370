# SPDX-License-Identifier: BSD-3-Clause
"""Labelled images as arrays, for data sets that fit into memory; NumPy only."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bonn_hw.nn.data.transforms import TRANSFORMS, halved, held_out, normalise

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Dataset:
    """Labelled images.

    Attributes
    ----------
    images
        float32 ``(N, C, H, W)``: in [0, 1] from `datasets.load`, in [-1, 127/128] after
        `transforms.normalise`.
    labels
        int64 ``(N,)``.
    classes
        The name of every label.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    def first(self, count: int | None) -> Dataset:
        """The first `count` images, or all."""
        return replace(self, images=self.images[:count], labels=self.labels[:count])

    def held_out(self, count: int) -> tuple[Dataset, Dataset]:
        """The rest and `count` images that `transforms.held_out` sets apart, in their order."""
        apart = held_out(self.labels, count)
        rest, out = (
            replace(self, images=self.images[part], labels=self.labels[part])
            for part in (~apart, apart)
        )
        return rest, out

    def halved(self) -> Dataset:
        """The data at half the height and width, by the transform ``half``."""
        return replace(self, images=halved(self.images))

    def transformed(self, name: str) -> Dataset:
        """The data as inputs of a network: transform `name`, then `normalise`."""
        return replace(self, images=normalise(TRANSFORMS[name](self.images)))
