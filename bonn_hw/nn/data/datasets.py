# SPDX-License-Identifier: BSD-3-Clause
"""Images and labels: readers of the published files, and how images reach a network.

``load("digits", "test")`` needs nothing but scikit-learn; the other data sets are files in
one of `folders`. Only NumPy is imported, so that the hardware half can read test images too.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.nn.data.transforms import TRANSFORMS, halved, held_out, normalise

SPLITS = ("train", "test")
FASHION_CLASSES = (
    *("t-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "boot"),
)
CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
# The mirrors compress the same four files differently, so the checksums are of what is inside.
FASHION_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
# The files of a split, as the published archives name them.
CIFAR_FILES = {
    "cifar10": {
        "train": tuple(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)),
        "test": ("cifar-10-batches-bin/test_batch.bin",),
    },
    "cifar100": {
        "train": ("cifar-100-binary/train.bin",),
        "test": ("cifar-100-binary/test.bin",),
    },
}
DEBIAN_FOLDERS = {
    "fashion-mnist": ("/usr/share/datasets/fashion-mnist", "/usr/share/dataset-fashion-mnist")
}
REMEDY = {
    "fashion-mnist": "run `python -m bonn_hw.nn.data.fetch fashion-mnist`, or `apt-get install "
    "dataset-fashion-mnist`",
    "mnist": "put its four files, such as train-images-idx3-ubyte.gz, there",
    "cifar10": "run `python -m bonn_hw.nn.data.fetch cifar10`, or unpack cifar-10-binary.tar.gz "
    "there",
    "cifar100": "run `python -m bonn_hw.nn.data.fetch cifar100`, or unpack cifar-100-binary.tar.gz "
    "there",
}


@dataclass(frozen=True)
class Dataset:
    """Labelled images.

    Attributes
    ----------
    images
        float32 ``(N, C, H, W)``: in [0, 1] from `load`, in [-1, 127/128] after `normalise`.
    labels
        int64 ``(N,)``.
    classes
        The name of every label.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    def first(self, count: int | None) -> Dataset:
        """The first `count` images, or all."""
        return replace(self, images=self.images[:count], labels=self.labels[:count])

    def held_out(self, count: int) -> tuple[Dataset, Dataset]:
        """The rest and `count` images that `held_out` sets apart, both in their order."""
        apart = held_out(self.labels, count)
        rest, out = (
            replace(self, images=self.images[part], labels=self.labels[part])
            for part in (~apart, apart)
        )
        return rest, out

    def halved(self) -> Dataset:
        """The data in half the height and width, as transform ``half`` makes them."""
        return replace(self, images=halved(self.images))

    def transformed(self, name: str) -> Dataset:
        """The data as a network is fed: transform `name`, then `normalise`."""
        return replace(self, images=normalise(TRANSFORMS[name](self.images)))


def cache_folder() -> Path:
    """Where fetched data sets are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "bonn_hw"


def folders(name: str, root: str | Path | None = None) -> list[Path]:
    """The folders in which data set `name` is looked for, in order.

    A given `root` is the only one: a user who names a folder does not want another's data.
    """
    if root is not None:
        return [Path(root).expanduser()]
    bases = [Path(os.environ["BONN_HW_DATA"])] if os.environ.get("BONN_HW_DATA") else []
    places = [base / spelling for base in bases for spelling in (name, name.replace("-", "_"))]
    places += [Path(folder) for folder in DEBIAN_FOLDERS.get(name, ())]
    return list(dict.fromkeys([*places, cache_folder() / name]))


def load(name: str, split: str, root: str | Path | None = None) -> Dataset:
    """Read one split of a data set.

    Parameters
    ----------
    name
        digits, fashion-mnist, mnist, cifar10 or cifar100.
    split
        train or test.
    root
        The folder that holds the files; left out, the folders of `folders` are searched.

    Raises
    ------
    UserError
        If the name or split is not known, or the files are missing or damaged.
    """
    if name not in READERS:
        raise UserError(f"data set {name!r} is not known; choose one of {', '.join(READERS)}")
    if split not in SPLITS:
        raise UserError(f"data set {name}: split must be train or test, not {split!r}")
    return READERS[name](name, split, root)


def _digits(name: str, split: str, root: str | Path | None) -> Dataset:
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
    return Dataset(images[chosen], labels[chosen].astype(np.int64), tuple("0123456789"))


def read_idx(path: Path, sha256: str | None = None) -> np.ndarray:
    """Read an IDX file of bytes, plain or gzip: a uint8 array of the shape that the file states.

    Parameters
    ----------
    sha256
        What the content, unpacked, must have; left out, any content will do.

    Raises
    ------
    UserError
        If the file cannot be read, is not the one that is meant, or contradicts itself.
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
                f"{sha256[:12]}...; delete the file and fetch it again with `make data`"
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


def _idx(name: str, split: str, root: str | Path | None) -> Dataset:
    prefix = "train" if split == "train" else "t10k"
    kinds = ("images-idx3-ubyte", "labels-idx1-ubyte")
    found = _find(name, root, [(f"{prefix}-{k}.gz", f"{prefix}-{k}") for k in kinds])
    # Of a user's own MNIST no checksums are known.
    sums = FASHION_SHA256 if name == "fashion-mnist" else {}
    pixels, labels = (read_idx(path, sums.get(path.name.removesuffix(".gz"))) for path in found)
    if pixels.ndim != 3 or labels.ndim != 1 or len(pixels) != len(labels):
        raise UserError(
            f"{found[0]}: {pixels.shape} images do not go with {labels.shape} labels; "
            "fetch the files again"
        )
    classes = FASHION_CLASSES if name == "fashion-mnist" else "0123456789"
    return _dataset(found[1], pixels[:, None], labels, tuple(classes))


def _cifar(name: str, split: str, root: str | Path | None) -> Dataset:
    if name == "cifar10":
        label_bytes, classes = 1, CIFAR10_CLASSES
    else:
        label_bytes, classes = 2, tuple(map(str, range(100)))
    files = CIFAR_FILES[name][split]
    found = _find(name, root, [(file.rpartition("/")[2], file) for file in files])
    record = label_bytes + 3 * 32 * 32
    records = []
    for path in found:
        content = np.fromfile(path, np.uint8)
        if content.size == 0 or content.size % record:
            raise UserError(
                f"{path}: its {content.size} bytes are no multiple of a record's {record}; "
                "fetch the file again"
            )
        records.append(content.reshape(-1, record))
    table = np.concatenate(records)
    # CIFAR-100 has a coarse label first; the fine one, before the pixels, is the one that counts.
    return _dataset(
        found[0], table[:, label_bytes:].reshape(-1, 3, 32, 32), table[:, label_bytes - 1], classes
    )


def _dataset(
    path: Path, pixels: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]
) -> Dataset:
    if len(labels) and labels.max() >= len(classes):
        raise UserError(
            f"{path}: label {labels.max()} is not below {len(classes)}; fetch the file again"
        )
    images = pixels.astype(np.float32) / np.float32(255)
    return Dataset(images, labels.astype(np.int64), classes)


def _find(name: str, root: str | Path | None, files: list[tuple[str, ...]]) -> list[Path]:
    """The first folder's files, each under one of its spellings."""
    places = folders(name, root)
    for folder in places:
        found = [
            next((folder / f for f in spellings if (folder / f).is_file()), None)
            for spellings in files
        ]
        if all(found):
            return [path for path in found if path]
    raise UserError(
        f"data set {name}: {files[0][0]} is in none of {', '.join(map(str, places))}; "
        + REMEDY[name]
        + ("" if root is not None else ", or name your folder as root")
    )


READERS: dict[str, Callable[[str, str, str | Path | None], Dataset]] = {
    "digits": _digits,
    "fashion-mnist": _idx,
    "mnist": _idx,
    "cifar10": _cifar,
    "cifar100": _cifar,
}
