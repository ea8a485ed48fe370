# SPDX-License-Identifier: BSD-3-Clause
"""Readers of the published files, as `Source.read` calls them."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.nn.data.labelled_images import Dataset
from bonn_hw.nn.data.source import Source

if TYPE_CHECKING:
    from bonn_hw.nn.data.image_folder import ImageFolder


def read_digits(source: Source, split: str, root: str | Path | None) -> Dataset:
    """Read scikit-learn's 1,797 digits, 8x8; every fifth image of each class is for the test."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ToolMissing(
            "data set digits: scikit-learn, which ships it, is not installed; "
            "run `pip install scikit-learn`"
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    chosen = np.zeros(len(labels), bool)
    for digit in range(10):
        chosen[np.flatnonzero(labels == digit)[::5]] = True
    if split == "train":
        chosen = ~chosen
    images = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    return Dataset(images[chosen], labels[chosen].astype(np.int64), source.classes)


def read_idx_pair(source: Source, split: str, root: str | Path | None) -> Dataset:
    """Read the IDX files of images and of labels, plain or gzipped."""
    paths = source.find(root, [(f"{file}.gz", file) for file in source.files[split]])
    pixels, labels = (
        read_idx(path, source.sha256.get(path.name.removesuffix(".gz"))) for path in paths
    )
    if pixels.ndim != 3 or labels.ndim != 1 or len(pixels) != len(labels):
        raise UserError(
            f"{paths[0]}: {pixels.shape} images do not go with {labels.shape} labels; "
            "fetch the files again"
        )
    return _dataset(paths[1], pixels[:, None], labels, source.classes)


def read_idx(path: Path, sha256: str | None = None) -> NDArray[np.uint8]:
    """Read an IDX file of bytes, plain or gzip: a uint8 array of the shape that the file states.

    Parameters
    ----------
    sha256
        SHA-256 that the unpacked content must have; by default it is not checked.

    Raises
    ------
    UserError
        If the file cannot be read, has another SHA-256, or its header does not fit its size.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error}); fetch the file again") from error
    if sha256 is not None:
        actual = hashlib.sha256(content).hexdigest()
        if actual != sha256:
            raise UserError(
                f"{path}: SHA-256 of its content is {actual[:12]}..., but the published file's is "
                f"{sha256[:12]}...; delete the file and fetch it again with `bonn-hw setup data`"
            )
    rank = content[3] if len(content) >= 4 else 0
    header = 4 + 4 * rank
    if content[:3] != b"\0\0\x08" or rank == 0 or len(content) < header:
        raise UserError(f"{path}: not an IDX file of bytes; fetch the file again")
    shape = tuple(np.frombuffer(content[4:header], ">u4").tolist())
    elements = int(np.prod(shape, dtype=object))
    if len(content) - header != elements:
        raise UserError(
            f"{path}: its header promises {elements} bytes, but {len(content) - header} follow; "
            "fetch the file again"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def read_cifar10(source: Source, split: str, root: str | Path | None) -> Dataset:
    """Read CIFAR-10's binary files: for each image a label byte, then its pixels."""
    return _cifar(source, split, root, label_bytes=1)


def read_cifar100(source: Source, split: str, root: str | Path | None) -> Dataset:
    """Read CIFAR-100's binary files: coarse label (not used), fine label, pixels."""
    return _cifar(source, split, root, label_bytes=2)


def _cifar(source: Source, split: str, root: str | Path | None, label_bytes: int) -> Dataset:
    files = source.files[split]
    paths = source.find(root, [(file.rpartition("/")[2], file) for file in files])
    record = label_bytes + 3 * 32 * 32
    records = []
    for path in paths:
        content = np.fromfile(path, np.uint8)
        if content.size == 0 or content.size % record:
            raise UserError(
                f"{path}: its {content.size} bytes are no multiple of a record's {record}; "
                "fetch the file again"
            )
        records.append(content.reshape(-1, record))
    table = np.concatenate(records)
    pixels = table[:, label_bytes:].reshape(-1, 3, 32, 32)
    return _dataset(paths[0], pixels, table[:, label_bytes - 1], source.classes)


def read_image_folder(source: Source, split: str, root: str | Path | None) -> ImageFolder:
    """List the images of the user's folders; they are decoded batch by batch."""
    # Imported here because it needs torch; the other readers do not.
    from bonn_hw.nn.data.image_folder import ImageFolder

    if root is None:
        raise UserError(f"data set {source.name}: root is missing; {source.remedy}")
    return ImageFolder.read(root, split)


def _dataset(
    path: Path, pixels: NDArray[np.uint8], labels: NDArray[np.uint8], classes: tuple[str, ...]
) -> Dataset:
    if len(labels) and labels.max() >= len(classes):
        raise UserError(
            f"{path}: label {labels.max()} is not below {len(classes)}; fetch the file again"
        )
    images = pixels.astype(np.float32) / np.float32(255)
    return Dataset(images, labels.astype(np.int64), classes)
