# SPDX-License-Identifier: BSD-3-Clause
"""Batches of one epoch: shuffled and augmented as a function of seed and epoch alone.

No generator's state survives an epoch, so that a resumed training sees the very batches of an
uninterrupted one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

SHIFT_PIXELS = 2
BLACK = -1.0


@dataclass(frozen=True)
class EpochBatches:
    """The batches of one epoch.

    Attributes
    ----------
    images, labels
        float32 ``(N, C, H, W)`` as the network is fed; int64 ``(N,)``.
    batch
        Images a batch; an incomplete last batch is left out, its images come in other epochs.
    augment
        none, shift, flip or shift-flip.
    seed, epoch
        What the order and the augmentation depend on.
    """

    images: Tensor
    labels: Tensor
    batch: int
    augment: str
    seed: int
    epoch: int

    def __len__(self) -> int:
        """Return the number of batches."""
        return max(1, len(self.labels) // self.batch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images and labels of each batch."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.labels), generator=generator)
        for i in range(len(self)):
            chosen = order[i * self.batch : (i + 1) * self.batch]
            images = self.images[chosen]
            if "shift" in self.augment:
                images = shifted(images, generator)
            if "flip" in self.augment:
                images = flipped(images, generator)
            yield images, self.labels[chosen]


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Move each image by up to two pixels in both directions; black moves in."""
    reach = SHIFT_PIXELS
    count, channels, height, width = images.shape
    framed = torch.nn.functional.pad(images, (reach,) * 4, value=BLACK)
    offsets = torch.randint(0, 2 * reach + 1, (2, count), generator=generator)
    rows = (offsets[0, :, None] + torch.arange(height))[:, None, :, None]
    columns = (offsets[1, :, None] + torch.arange(width))[:, None, None, :]
    image = torch.arange(count)[:, None, None, None]
    return framed[image, torch.arange(channels)[None, :, None, None], rows, columns]


def flipped(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror left and right in half of the images."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)
