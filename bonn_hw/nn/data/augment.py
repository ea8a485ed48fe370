# SPDX-License-Identifier: BSD-3-Clause
"""Batches of one epoch: shuffled and augmented as a function of seed and epoch alone.

Every epoch starts a new random generator, so that a resumed training sees the same batches as an
uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bonn_hw.errors import UserError

# Augmentation -> pixels by which an image moves at most.
REACH = {"shift": 2, "crop": 4}
BLACK = -1.0


@dataclass(frozen=True)
class EpochBatches:
    """The batches of one epoch, or one process' share of them.

    Every process draws order and augmentation for whole batches, so that all processes together
    see what a single process would see.

    Attributes
    ----------
    images, labels
        Inputs of the network, float32 ``(N, C, H, W)``; int64 ``(N,)``.
    batch
        Images per batch, over all processes. An incomplete last batch is left out; its images come
        in other epochs.
    augment
        none, shift (by up to 2 pixels), crop (after a border of 4 pixels), flip, shift-flip or
        crop-flip.
    seed, epoch
        What the order and the augmentation depend on.
    rank, world
        This process sees every `world`-th image of a batch, from the `rank`-th on.

    Raises
    ------
    UserError
        If a batch cannot be shared equally, or there are fewer images than processes.
    """

    images: Tensor
    labels: Tensor
    batch: int
    augment: str
    seed: int
    epoch: int
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        check_shares(self.batch, len(self.labels), self.world)

    def __len__(self) -> int:
        """The number of batches."""
        return max(1, len(self.labels) // self.batch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images and labels of each batch."""
        generator = epoch_generator(self.seed, self.epoch)
        order = torch.randperm(len(self.labels), generator=generator)
        mine = slice(self.rank, None, self.world)
        reach = REACH.get(self.augment.removesuffix("-flip"))
        for i in range(len(self)):
            chosen = order[i * self.batch : (i + 1) * self.batch]
            images = self.images[chosen[mine]]
            if reach:
                offsets = torch.randint(2 * reach + 1, (2, len(chosen)), generator=generator)
                images = shifted(images, offsets[:, mine], reach)
            if self.augment.endswith("flip"):
                mirrored = torch.rand(len(chosen), generator=generator) < 0.5
                images = flipped(images, mirrored[mine])
            yield images, self.labels[chosen[mine]]


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """The random generator of an epoch's order and augmentation."""
    return torch.Generator().manual_seed(seed * 1_000_003 + epoch)


def check_shares(batch: int, count: int, world: int) -> None:
    """Refuse a `batch`, or `count` images, that `world` processes cannot share equally."""
    if batch % world:
        raise UserError(
            f"batch: {batch} images cannot be shared equally by {world} processes; choose a "
            f"multiple of {world}"
        )
    if count < world:
        raise UserError(
            f"data: {count} images cannot be shared by {world} processes; start at most {count}"
        )


def shifted(images: Tensor, offsets: Tensor, reach: int) -> Tensor:
    """Add a black border of `reach` pixels, then crop each image to its size at an offset.

    Parameters
    ----------
    images
        ``(N, C, H, W)``.
    offsets
        int64 ``(2, N)``: first row and column of the crop, from 0 to ``2 * reach``; `reach` leaves
        the image where it is.
    """
    count, channels, height, width = images.shape
    bordered = torch.nn.functional.pad(images, (reach,) * 4, value=BLACK)
    rows = (offsets[0, :, None] + torch.arange(height))[:, None, :, None]
    columns = (offsets[1, :, None] + torch.arange(width))[:, None, None, :]
    image = torch.arange(count)[:, None, None, None]
    return bordered[image, torch.arange(channels)[None, :, None, None], rows, columns]


def flipped(images: Tensor, mirrored: Tensor) -> Tensor:
    """Mirror left and right those images for which `mirrored`, bool ``(N,)``, is set."""
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)
