# SPDX-License-Identifier: BSD-3-Clause
"""Folders of images such as ImageNet: too large for memory, so they are read batch by batch.

Worker processes decode the images with Pillow. Their number does not change the batches.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.nn.data.augment import check_shares, epoch_generator
from bonn_hw.nn.data.crops import centre_crop, random_crop
from bonn_hw.nn.data.labelled_images import SPLITS
from bonn_hw.nn.data.transforms import held_out

_Result: TypeAlias = tuple[int, NDArray[np.uint8]] | UserError
"""A decoded image and its place in the folder, or what is wrong with it."""
# ImageNet's test images have no published labels: everybody tests with val.
SPLIT_FOLDERS = {"train": ("train",), "test": ("val", "test")}
SUFFIXES = (".jpeg", ".jpg", ".png")


@dataclass(frozen=True)
class ImageFolder:
    """Labelled images that lie in a folder for each class.

    Attributes
    ----------
    paths
        The files, in a fixed random order, so that the first ones belong to many classes.
    labels
        int64 ``(N,)``.
    classes
        The folders' names, sorted: a label is the place of its class here.
    """

    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    @classmethod
    def read(cls, root: str | Path, split: str) -> ImageFolder:
        """List the images of ``root/train/CLASS`` or, for test, of ``root/val/CLASS``.

        If there is no ``root/val``, ``root/test`` is used.

        Raises
        ------
        UserError
            If the folder is not there, has no class folders or an empty one, or if train and test
            do not have the same classes.
        """
        if split not in SPLITS:
            raise UserError(f"image folder {root}: split must be train or test, not {split!r}")
        root = Path(root).expanduser()
        folder = _folder(root, split)
        if folder is None:
            raise UserError(
                f"image folder {root}: has no folder {' or '.join(SPLIT_FOLDERS[split])}; name "
                "the folder that holds train/CLASS/*.JPEG and val/CLASS/*.JPEG as root"
            )
        classes = _classes(folder)
        other = _folder(root, next(s for s in SPLITS if s != split))
        # Otherwise one label would mean different classes in the two.
        differ = sorted(set(classes) ^ set(_classes(other))) if other else []
        if other and differ:
            raise UserError(
                f"image folder {root}: class {differ[0]!r} is in only one of {folder.name} and "
                f"{other.name}; give both the same class folders"
            )
        images = [
            (path, label) for label, name in enumerate(classes) for path in _images(folder / name)
        ]
        order = np.random.default_rng(0).permutation(len(images))
        labels = np.array([label for _, label in images], np.int64)
        return cls(tuple(images[i][0] for i in order), labels[order], classes)

    def __len__(self) -> int:
        """The number of images."""
        return len(self.paths)

    def first(self, count: int | None) -> ImageFolder:
        """The first `count` images, or all."""
        return replace(self, paths=self.paths[:count], labels=self.labels[:count])

    def held_out(self, count: int) -> tuple[ImageFolder, ImageFolder]:
        """The rest and `count` images that `transforms.held_out` sets apart."""
        apart = held_out(self.labels, count)
        rest, out = (
            replace(
                self,
                paths=tuple(self.paths[i] for i in np.flatnonzero(part)),
                labels=self.labels[part],
            )
            for part in (~apart, apart)
        )
        return rest, out

    def transformed(self, name: str) -> ImageFolder:
        """This folder, unchanged: its images are cropped and scaled when they are read."""
        return self


def usable_workers() -> int:
    """The number of worker processes to start: this process' share of the cores, at most 8."""
    # On Linux, count only the cores that this process may use.
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(8, max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", 1))))


@dataclass(frozen=True)
class FolderBatches:
    """The batches of one epoch, or one process' share of them.

    In training, images are cropped and mirrored at random, as a function of seed, epoch and
    place in the folder alone. In a test, their middle is taken, in the order of the folder.

    Attributes
    ----------
    folder
        What is read.
    batch
        Images per batch, over all processes. In training, an incomplete last batch is left out.
    size
        Height and width of the network's input, in pixels.
    train
        Whether the batches are for training.
    seed, epoch
        What the order and the crops depend on.
    rank, world
        This process sees every `world`-th image of a batch, from the `rank`-th on.
    workers
        Number of processes that decode; 0: this process does.

    Raises
    ------
    UserError
        If a batch cannot be shared equally, Pillow is missing or, while reading, an image is
        damaged.
    """

    folder: ImageFolder
    batch: int
    size: int
    train: bool
    seed: int
    epoch: int
    rank: int = 0
    world: int = 1
    workers: int = field(default_factory=usable_workers)

    def __post_init__(self) -> None:
        check_shares(self.batch, len(self.folder), self.world)
        try:
            import PIL  # noqa: F401
        except ImportError as error:
            raise ToolMissing(
                "image folder: Pillow, which decodes images, is not installed; run "
                "`pip install pillow`"
            ) from error

    def __len__(self) -> int:
        """The number of batches, of this process."""
        if self.train:
            return max(1, len(self.folder) // self.batch)
        mine = len(range(self.rank, len(self.folder), self.world))
        return math.ceil(mine / (self.batch // self.world))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield network inputs, float32 ``(N, 3, size, size)``, and labels, int64 ``(N,)``."""
        if self.train:
            order = torch.randperm(
                len(self.folder), generator=epoch_generator(self.seed, self.epoch)
            )
        else:
            order = torch.arange(len(self.folder))
        # `world` divides `batch`, so this process' share of every batch has the same size.
        mine, share = order[self.rank :: self.world].tolist(), self.batch // self.world
        loader = DataLoader(
            _Decoded(self),
            batch_sampler=[mine[i * share : (i + 1) * share] for i in range(len(self))],
            num_workers=self.workers,
            collate_fn=_collated,
            # Otherwise the loader would draw from the global generator.
            generator=torch.Generator(),
        )
        for result in loader:
            if isinstance(result, UserError):
                raise result
            pixels, places = result
            # Workers send bytes instead of floats: shared memory is scarce in containers.
            images = (pixels.to(torch.float32) - 128) / 128
            yield images, torch.from_numpy(self.folder.labels[places])


class _Decoded(torch.utils.data.Dataset["_Result"]):
    """Images by their place in the folder: uint8 (3, size, size). Errors are returned as values."""

    def __init__(self, batches: FolderBatches):
        self.batches = batches

    def __getitem__(self, place: int) -> _Result:
        b = self.batches
        try:
            if b.train:
                rng = np.random.default_rng((b.seed, b.epoch, place))
                return place, random_crop(b.folder.paths[place], b.size, rng)
            return place, centre_crop(b.folder.paths[place], b.size)
        except UserError as error:
            # An exception raised in a worker would arrive as text, with the worker's traceback.
            return error


def _collated(results: list[_Result]) -> tuple[Tensor, list[int]] | UserError:
    places, images = [], []
    for result in results:
        if isinstance(result, UserError):
            return result
        places.append(result[0])
        images.append(result[1])
    return torch.from_numpy(np.stack(images)), places


def _folder(root: Path, split: str) -> Path | None:
    return next((root / n for n in SPLIT_FOLDERS[split] if (root / n).is_dir()), None)


def _classes(folder: Path) -> tuple[str, ...]:
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    if not names:
        raise UserError(
            f"image folder {folder}: has no class folders; sort its images into one for each class"
        )
    return tuple(names)


def _images(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        paths = sorted(
            e.path
            for e in entries
            if e.name.lower().endswith(SUFFIXES) and not e.name.startswith(".")
        )
    if not paths:
        raise UserError(
            f"image folder {folder}: has no image ({', '.join(SUFFIXES)}); fill or delete it"
        )
    return paths
