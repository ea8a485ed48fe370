# SPDX-License-Identifier: BSD-3-Clause
"""Batches whose images are partly erased or mixed with each other, and whose labels follow.

Random erasing (Zhong et al., AAAI 2020), mixup (Zhang et al., ICLR 2018), CutMix (Yun et al., ICCV
2019). Each process mixes its own share of a batch. What is drawn depends on seed, epoch and process
alone, so that a resumed training sees the same batches as an uninterrupted one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

AREA = (0.02, 0.33)
ASPECT = (0.3, 1 / 0.3)
"""Share of the image that is erased, and height of the erased rectangle by its width."""


class Batches(Iterable[tuple[Tensor, Tensor]], Sized, Protocol):
    """Batches of images ``(N, C, H, W)`` and labels ``(N,)``."""


@dataclass(frozen=True)
class MixedBatches:
    """`batches`, erased and mixed.

    Attributes
    ----------
    batches
        Images, float32 ``(N, C, H, W)``, and labels, int64 ``(N,)``.
    classes
        Number of classes.
    erase
        Share of the images of which a rectangle is filled with a random grey.
    mixup, cutmix
        Parameter alpha of the beta distribution of the shares; 0: none. With both, each batch has
        one of the two. Labels are then the share of each class, float32 ``(N, classes)``.
    seed, epoch, rank
        What the draws depend on.
    """

    batches: Batches
    classes: int
    erase: float
    mixup: float
    cutmix: float
    seed: int
    epoch: int
    rank: int = 0

    def __len__(self) -> int:
        """The number of batches."""
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images and labels of each batch."""
        rng = np.random.default_rng((self.seed, self.epoch, self.rank))
        for images, labels in self.batches:
            if self.erase:
                images = erased(images, self.erase, rng)
            yield (
                self._mixed(images, labels, rng) if self.mixup or self.cutmix else (images, labels)
            )

    def _mixed(
        self, images: Tensor, labels: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        cut = bool(self.cutmix) and (not self.mixup or rng.random() < 0.5)
        alpha = self.cutmix if cut else self.mixup
        share = float(rng.beta(alpha, alpha))
        partners = torch.from_numpy(rng.permutation(len(labels)))
        if cut:
            images, share = pasted(images, images[partners], share, rng)
        else:
            images = torch.lerp(images[partners], images, share)
        soft = torch.nn.functional.one_hot(labels, self.classes).to(images.dtype)
        return images, torch.lerp(soft[partners], soft, share)


def erased(images: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Fill a random rectangle with a random grey, in a `share` of the images ``(N, C, H, W)``."""
    count, _, height, width = images.shape
    area = rng.uniform(*AREA, count) * height * width
    aspect = np.exp(rng.uniform(math.log(ASPECT[0]), math.log(ASPECT[1]), count))
    heights = np.clip(np.rint(np.sqrt(area * aspect)), 1, height)
    widths = np.clip(np.rint(np.sqrt(area / aspect)), 1, width)
    tops = np.floor(rng.uniform(0, height - heights + 1))
    lefts = np.floor(rng.uniform(0, width - widths + 1))
    greys = rng.integers(-128, 128, count) / 128
    chosen = rng.random(count) < share
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    box = chosen[:, None, None]
    for places, starts, sizes in ((rows, tops, heights), (columns, lefts, widths)):
        first = starts[:, None, None]
        box = box & (places >= first) & (places < first + sizes[:, None, None])
    fill = torch.from_numpy(greys).to(images.dtype)[:, None, None, None]
    return torch.where(torch.from_numpy(box)[:, None], fill, images)


def pasted(
    images: Tensor, others: Tensor, share: float, rng: np.random.Generator
) -> tuple[Tensor, float]:
    """Paste a rectangle of `others` into `images`, the same one for all.

    Parameters
    ----------
    share
        Share of the image that should stay.

    Returns
    -------
    tuple
        The images, and the share that stayed: the rectangle is cut off at the image's border.
    """
    height, width = images.shape[2:]
    side = math.sqrt(1 - share) / 2
    middles = rng.uniform(0, (height, width))
    low = np.rint(np.maximum(middles - side * np.array((height, width)), 0)).astype(int)
    high = np.rint(np.minimum(middles + side * np.array((height, width)), (height, width)))
    rows, columns = (
        slice(a, b) for a, b in zip(low.tolist(), high.astype(int).tolist(), strict=True)
    )
    mixed = images.clone()
    mixed[:, :, rows, columns] = others[:, :, rows, columns]
    gone = (rows.stop - rows.start) * (columns.stop - columns.start)
    return mixed, 1 - gone / (height * width)
