# SPDX-License-Identifier: BSD-3-Clause
"""A user's own data: ``def data(split)`` returns labelled images as arrays or from a loader.

They are read once, into memory: held-out images are set apart from them, and augmentation is the
recipe's. Loaders are read without importing torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError
from bonn_hw.nn.data.labelled_images import SPLITS, Dataset
from bonn_hw.nn.own.source import OwnName, blamed

REMEDY = (
    "return (images, labels), or a DataLoader or Dataset of such pairs, with the class of each "
    "image, an integer from 0 on"
)


@dataclass(frozen=True)
class PreparedImages(Dataset):
    """Images of floats, which enter the network as they are."""

    def transformed(self, name: str) -> PreparedImages:
        """These images: their preparation is the user's."""
        if name != "none":
            raise UserError(
                f"transform {name}: is for pixels, and your data are floats, which are used as "
                "they are; return uint8, or leave [data] transform out"
            )
        return self


def read(own: OwnName, folder: str, split: str) -> Dataset:
    """One split of the user's data.

    Parameters
    ----------
    split
        train or test, as the function gets it.

    Returns
    -------
    Dataset
        Images of uint8 are pixels, as in other data sets; others are used as they are.

    Raises
    ------
    UserError
        If the function is missing, fails, or returns anything but labelled images.
    """
    train = _read(own, folder, "train", own.text(folder))
    classes = tuple(map(str, range(int(train[1].max()) + 1)))
    images, labels = train if split == "train" else _read(own, folder, split, own.text(folder))
    if labels.max() >= len(classes):
        raise UserError(
            f'{own}("{split}"): label {labels.max()} is none of the classes 0 to '
            f"{len(classes) - 1} of the training images; give both splits the same classes"
        )
    if images.dtype == np.uint8:
        return Dataset(images.astype(np.float32) / np.float32(255), labels, classes)
    return PreparedImages(images.astype(np.float32), labels, classes)


@cache
def _read(
    own: OwnName, folder: str, split: str, text: str
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Call the function; `text` is the file's content, so that a changed file is read again."""
    if split not in SPLITS:
        raise UserError(f"data set {own}: split must be train or test, not {split!r}")
    function, what = own.load(folder), f'{own}("{split}")'
    with blamed(what, str(Path(folder, own.file))):
        images, labels = _pair(function(split), what)
    return _checked(images, labels, what)


def _pair(given: Any, what: str) -> tuple[NDArray[Any], Any]:
    """Images and labels of arrays, of a loader of batches, or of a data set of samples."""
    if isinstance(given, tuple | list) and len(given) == 2:
        return np.asarray(given[0]), given[1]
    if not hasattr(given, "__iter__") and not hasattr(given, "__getitem__"):
        raise UserError(f"{what} returns a {type(given).__name__}; {REMEDY}")
    batches = hasattr(given, "batch_size")
    rows: Iterable[Any] = (
        given if hasattr(given, "__iter__") else (given[place] for place in range(len(given)))
    )
    images, labels = [], []
    for row in rows:
        if not isinstance(row, tuple | list) or len(row) != 2:
            raise UserError(f"{what} gives images without labels; {REMEDY}")
        images.append(np.asarray(row[0]))
        labels.append(np.asarray(row[1]))
    if not images:
        raise UserError(f"{what} is empty; {REMEDY}")
    join: Any = np.concatenate if batches else np.stack
    return join(images), join(labels)


def _checked(images: NDArray[Any], given: Any, what: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    if given is None:
        raise UserError(f"{what} gives images without labels; {REMEDY}")
    labels = np.asarray(given)
    if images.ndim != 4 or not len(images) or images.dtype.kind not in "fiu":
        raise UserError(
            f"{what} gives images of {images.dtype} and the shape {images.shape}; give uint8 "
            "pixels, or float32, of the shape (N, C, H, W)"
        )
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        raise UserError(f"{what} gives images with NaN or infinity; every value must be finite")
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise UserError(
            f"{what} gives {len(images)} images, and labels of {labels.dtype} and the shape "
            f"{labels.shape}; {REMEDY}"
        )
    return images, labels.astype(np.int64)
