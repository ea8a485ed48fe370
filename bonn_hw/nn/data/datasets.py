# SPDX-License-Identifier: BSD-3-Clause
"""The data sets by name. To add one, add an entry to `SOURCES` and, for a new format, a reader.

``load("digits", "test")`` needs scikit-learn only; the other data sets are files in one of
`folders`. Only NumPy is imported, so that test images can be read without torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bonn_hw.errors import UserError, near
from bonn_hw.nn.data import readers
from bonn_hw.nn.data.labelled_images import SPLITS, Dataset
from bonn_hw.nn.data.source import Archive, Source

if TYPE_CHECKING:
    from bonn_hw.nn.data.image_folder import ImageFolder

__all__ = ["SOURCES", "Dataset", "Source", "folders", "load", "read"]

_IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_CIFAR_FOLDER = "https://www.cs.toronto.edu/~kriz"
_DIGITS = tuple("0123456789")

SOURCES = {
    source.name: source
    for source in (
        Source("digits", readers.read_digits, _DIGITS),
        Source(
            "fashion-mnist",
            readers.read_idx_pair,
            classes=(
                *("t-shirt", "trouser", "pullover", "dress", "coat"),
                *("sandal", "shirt", "sneaker", "bag", "boot"),
            ),
            files=_IDX_FILES,
            # Of the unpacked content: each mirror compresses the same four files differently.
            sha256={
                "train-images-idx3-ubyte": (
                    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
                ),
                "train-labels-idx1-ubyte": (
                    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
                ),
                "t10k-images-idx3-ubyte": (
                    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
                ),
                "t10k-labels-idx1-ubyte": (
                    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
                ),
            },
            installed=(
                "/usr/share/datasets/fashion-mnist",
                "/usr/share/dataset-fashion-mnist",
            ),
            package="dataset-fashion-mnist",
            mirrors=(
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
                "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            ),
            remedy="run `bonn-hw setup data fashion-mnist`, or `apt-get install "
            "dataset-fashion-mnist`",
        ),
        Source(
            "mnist",
            readers.read_idx_pair,
            classes=_DIGITS,
            # Users bring their own copies, whose checksums are not known.
            files=_IDX_FILES,
            remedy="put its four files, such as train-images-idx3-ubyte.gz, there",
        ),
        Source(
            "cifar10",
            readers.read_cifar10,
            classes=(
                *("airplane", "automobile", "bird", "cat", "deer"),
                *("dog", "frog", "horse", "ship", "truck"),
            ),
            files={
                "train": tuple(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)),
                "test": ("cifar-10-batches-bin/test_batch.bin",),
            },
            archive=Archive(
                _CIFAR_FOLDER, "cifar-10-binary.tar.gz", md5="c32a1d4ab5d03f1284b67883e8d87530"
            ),
            remedy="run `bonn-hw setup data cifar10`, or unpack cifar-10-binary.tar.gz there",
        ),
        Source(
            "cifar100",
            readers.read_cifar100,
            classes=tuple(map(str, range(100))),
            files={
                "train": ("cifar-100-binary/train.bin",),
                "test": ("cifar-100-binary/test.bin",),
            },
            archive=Archive(
                _CIFAR_FOLDER, "cifar-100-binary.tar.gz", md5="03b5dce01913d631647c71ecec9e9cb8"
            ),
            remedy="run `bonn-hw setup data cifar100`, or unpack cifar-100-binary.tar.gz there",
        ),
        Source(
            "imagenet",
            readers.read_image_folder,
            in_memory=False,
            remedy="name the folder that holds train/ and val/ under [data]",
        ),
    )
}
"""Name -> data set. `imagenet` is any folder of images that is laid out like ImageNet's."""


def folders(name: str, root: str | Path | None = None) -> list[Path]:
    """The folders in which data set `name` is looked for, in order; see `Source.folders`."""
    return SOURCES[name].folders(root)


def load(name: str, split: str, root: str | Path | None = None) -> Dataset:
    """Read one split of a data set that fits into memory.

    Parameters
    ----------
    name
        A key of `SOURCES`.
    split
        train or test.
    root
        The folder that holds the files; by default those of `folders` are searched.

    Raises
    ------
    UserError
        If the name or split is not known, the data set is too large to be held in memory, or the
        files are missing or damaged.
    """
    whole = [source.name for source in SOURCES.values() if source.in_memory]
    if name in SOURCES and name not in whole:
        raise UserError(
            f"data set {name}: is read batch by batch in training, and cannot be loaded as a "
            f"whole; choose one of {', '.join(whole)}"
        )
    if name not in SOURCES:
        raise UserError(
            f"data set {name!r} is not known{near(name, whole)}; choose one of {', '.join(whole)}"
        )
    data = read(name, split, root)
    if not isinstance(data, Dataset):
        raise TypeError(f"data set {name}: its reader returns a {type(data).__name__}")
    return data


def read(name: str, split: str, root: str | Path | None = None) -> Dataset | ImageFolder:
    """Read one split of any data set; parameters and errors as of `load`."""
    if name not in SOURCES:
        raise UserError(
            f"data set {name!r} is not known{near(name, SOURCES)}; choose one of "
            f"{', '.join(SOURCES)}"
        )
    if split not in SPLITS:
        raise UserError(f"data set {name}: split must be train or test, not {split!r}")
    source = SOURCES[name]
    return source.read(source, split, root)
