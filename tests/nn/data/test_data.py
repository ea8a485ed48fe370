# SPDX-License-Identifier: BSD-3-Clause
import gzip
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bonn_hw.errors import UserError
from bonn_hw.nn.data import datasets, readers, transforms


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@pytest.fixture
def fashion(tmp_path, monkeypatch):
    """Two test images, gzipped, and three training images, plain; taken for the published ones."""
    rng = np.random.default_rng(0)
    for prefix, count, suffix in (("t10k", 2, ".gz"), ("train", 3, "")):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        labels = np.arange(count, dtype=np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx(array)
            file = tmp_path / f"{prefix}-{kind}-ubyte{suffix}"
            file.write_bytes(gzip.compress(content) if suffix else content)
            digest = hashlib.sha256(content).hexdigest()
            sums = datasets.SOURCES["fashion-mnist"].sha256
            monkeypatch.setitem(sums, f"{prefix}-{kind}-ubyte", digest)
    return tmp_path


def test_importing_data_does_not_import_torch():
    code = "import sys; import bonn_hw.nn.data.datasets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("split", "count"), [("train", 3), ("test", 2)])
def test_fashion_is_read_plain_and_compressed(fashion, split, count):
    dataset = datasets.load("fashion-mnist", split, fashion)
    assert dataset.images.shape == (count, 1, 28, 28)
    assert dataset.images.dtype == np.float32
    assert dataset.labels.tolist() == list(range(count))
    assert dataset.labels.dtype == np.int64
    assert dataset.classes[9] == "boot"
    assert dataset.images.min() >= 0 and dataset.images.max() <= 1


def test_normalise_keeps_every_byte_on_the_grid():
    pixels = np.arange(256)
    images = (pixels / np.float32(255)).astype(np.float32)
    assert np.array_equal(transforms.normalise(images) * 128, pixels - 128)


def test_transformed_pads_with_black(fashion):
    images = datasets.load("fashion-mnist", "test", fashion).transformed("pad32").images
    assert images.shape == (2, 1, 32, 32)
    assert np.all(images[:, :, :2] == -1) and np.all(images[:, :, :, -2:] == -1)


def test_pad32_refuses_other_sizes():
    with pytest.raises(UserError) as error:
        transforms.pad32(np.zeros((1, 1, 8, 8), np.float32))
    assert str(error.value) == "transform pad32: images must be 28x28, not 8x8; use none"


def test_fashion_that_is_not_the_published_one_is_refused(fashion):
    path = fashion / "train-labels-idx1-ubyte"
    right = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    other = idx(np.array([0, 1, 3], np.uint8))
    path.write_bytes(other)
    with pytest.raises(UserError) as error:
        datasets.load("fashion-mnist", "train", fashion)
    wrong = hashlib.sha256(other).hexdigest()[:12]
    assert str(error.value) == (
        f"{path}: SHA-256 of its content is {wrong}..., but the published file's is {right}...; "
        "delete the file and fetch it again with `bonn-hw setup data`"
    )
    # A user's own images in MNIST's form are nobody's published ones.
    assert datasets.load("mnist", "train", fashion).labels.tolist() == [0, 1, 3]


def test_truncated_and_foreign_files_are_refused(fashion):
    path = fashion / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError) as error:
        datasets.load("mnist", "train", fashion)
    assert str(error.value) == (
        f"{path}: its header promises 2352 bytes, but 2351 follow; fetch the file again"
    )
    path.write_bytes(b"<html>")
    with pytest.raises(UserError) as error:
        datasets.load("mnist", "train", fashion)
    assert str(error.value) == f"{path}: not an IDX file of bytes; fetch the file again"
    compressed = fashion / "t10k-images-idx3-ubyte.gz"
    compressed.write_bytes(compressed.read_bytes()[:50])
    with pytest.raises(UserError, match="cannot be read"):
        datasets.load("mnist", "test", fashion)


def test_half_takes_the_rounded_mean_of_four_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (50, 2, 6, 4))
    images = (pixels / np.float32(255)).astype(np.float32)
    dataset = datasets.Dataset(images, np.zeros(50, np.int64), ("one",))
    sums = sum(pixels[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1))
    # Halves go to the even level, exactly.
    means = np.rint(sums / 4)
    transformed = dataset.transformed("half").images
    assert transformed.dtype == np.float32
    assert np.array_equal(transformed * 128, means - 128)
    assert np.array_equal(transforms.normalise(dataset.halved().images), transformed)


def test_half_refuses_odd_sizes():
    with pytest.raises(UserError) as error:
        transforms.halved(np.zeros((1, 1, 8, 7), np.float32))
    assert str(error.value) == ("transform half: height and width must be even, not 8x7; use none")


def some(labels) -> datasets.Dataset:
    """Images that are all different."""
    labels = np.array(labels, np.int64)
    images = np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1)
    return datasets.Dataset(images, labels, ("a", "b", "c"))


def test_held_out_has_the_same_share_of_each_class():
    dataset = some([0] * 40 + [1] * 20 + [2] * 20)
    rest, out = dataset.held_out(20)
    assert np.bincount(out.labels).tolist() == [10, 5, 5]
    assert (len(rest), len(out)) == (60, 20)
    both = np.concatenate([rest.images, out.images])
    assert sorted(both.ravel().tolist()) == list(range(80))
    for part in (rest, out):
        numbers = part.images.ravel().astype(int)
        assert np.all(np.diff(numbers) > 0)
        assert np.array_equal(part.labels, dataset.labels[numbers])
    for count in range(1, 80):
        shares = np.bincount(dataset.held_out(count)[1].labels, minlength=3)
        assert shares.sum() == count
        assert np.all(np.abs(shares - np.array([0.5, 0.25, 0.25]) * count) <= 1)


def test_held_out_is_a_fixed_choice():
    labels = np.arange(30) % 3
    expected = [2, 4, 6, 10, 11, 21]
    np.random.seed(5)
    assert np.flatnonzero(transforms.held_out(labels, 6)).tolist() == expected


@pytest.mark.parametrize("count", [-1, 0, 3, 4])
def test_held_out_leaves_something_on_either_side(count):
    with pytest.raises(UserError) as error:
        some([0, 1, 2]).held_out(count)
    assert str(error.value) == (
        "held_out: must be from 1 to 2, so that some of the 3 images are on either side, not "
        f"{count}"
    )


def test_missing_data_says_where_it_was_sought_and_how_to_get_it(tmp_path):
    with pytest.raises(UserError) as error:
        datasets.load("fashion-mnist", "test", tmp_path)
    assert str(error.value) == (
        f"data set fashion-mnist: t10k-images-idx3-ubyte.gz is in none of {tmp_path}; run "
        "`bonn-hw setup data fashion-mnist`, or "
        "`apt-get install dataset-fashion-mnist`"
    )
    with pytest.raises(UserError) as error:
        datasets.load("cifar10", "train", tmp_path)
    assert str(error.value) == (
        f"data set cifar10: data_batch_1.bin is in none of {tmp_path}; run "
        "`bonn-hw setup data cifar10`, or unpack cifar-10-binary.tar.gz there"
    )


def test_folders_in_order(monkeypatch, tmp_path):
    monkeypatch.setenv("BONN_HW_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    places = datasets.folders("fashion-mnist")
    assert places[:2] == [tmp_path / "fashion-mnist", tmp_path / "fashion_mnist"]
    assert places[-1] == tmp_path / "cache/bonn_hw/fashion-mnist"
    assert datasets.folders("fashion-mnist", "/own") == [Path("/own")]


def cifar(path, labels: list[list[int]]) -> np.ndarray:
    """Write one record for each list of label bytes; return the pixels."""
    rng = np.random.default_rng(len(labels))
    pixels = rng.integers(0, 256, (len(labels), 3072), np.uint8)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(bytes(a) + b.tobytes() for a, b in zip(labels, pixels, strict=True)))
    return pixels.reshape(-1, 3, 32, 32)


def test_cifar10_binary(tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    batches = [cifar(folder / f"data_batch_{i}.bin", [[i], [i + 1]]) for i in range(1, 6)]
    test = cifar(folder / "test_batch.bin", [[9]])
    train = datasets.load("cifar10", "train", tmp_path)
    assert train.labels.tolist() == [1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    assert np.array_equal(np.rint(train.images * 255), np.concatenate(batches))
    # Also the inner folder itself may be named.
    assert np.array_equal(np.rint(datasets.load("cifar10", "test", folder).images * 255), test)


def test_cifar100_takes_the_fine_label(tmp_path):
    pixels = cifar(tmp_path / "test.bin", [[3, 77], [4, 5]])
    dataset = datasets.load("cifar100", "test", tmp_path)
    assert dataset.labels.tolist() == [77, 5]
    assert np.array_equal(np.rint(dataset.images * 255), pixels)


def test_damaged_cifar_is_refused(tmp_path):
    path = tmp_path / "test_batch.bin"
    cifar(path, [[10]])
    with pytest.raises(UserError) as error:
        datasets.load("cifar10", "test", tmp_path)
    assert str(error.value) == f"{path}: label 10 is not below 10; fetch the file again"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError) as error:
        datasets.load("cifar10", "test", tmp_path)
    assert str(error.value) == (
        f"{path}: its 3068 bytes are no multiple of a record's 3073; fetch the file again"
    )


def test_unknown_names():
    with pytest.raises(UserError) as error:
        datasets.load("svhn", "test")
    assert str(error.value) == (
        "data set 'svhn' is not known; choose one of digits, fashion-mnist, mnist, cifar10, "
        "cifar100"
    )
    with pytest.raises(UserError) as error:
        datasets.read("imagnet", "test")
    assert str(error.value) == (
        "data set 'imagnet' is not known (did you mean 'imagenet'?); choose one of digits, "
        "fashion-mnist, mnist, cifar10, cifar100, imagenet"
    )
    with pytest.raises(UserError) as error:
        datasets.load("imagenet", "test")
    assert str(error.value) == (
        "data set imagenet: is read batch by batch in training, and cannot be loaded as a whole; "
        "choose one of digits, fashion-mnist, mnist, cifar10, cifar100"
    )
    with pytest.raises(UserError) as error:
        datasets.load("digits", "validation")
    assert str(error.value) == "data set digits: split must be train or test, not 'validation'"


def test_a_data_set_is_one_entry(tmp_path, monkeypatch):
    """An entry is enough to read it, to look for its files and to name it in an experiment."""
    source = datasets.Source(
        "tiny-cifar",
        readers.read_cifar10,
        classes=("a", "b"),
        files={"train": ("inner/train.bin",), "test": ("inner/test.bin",)},
        remedy="unpack tiny.tar there",
    )
    monkeypatch.setitem(datasets.SOURCES, source.name, source)
    monkeypatch.setenv("BONN_HW_DATA", str(tmp_path))
    cifar(tmp_path / "tiny-cifar/train.bin", [[0], [1], [1]])
    train = datasets.load("tiny-cifar", "train")
    assert (train.labels.tolist(), train.classes) == ([0, 1, 1], ("a", "b"))
    with pytest.raises(UserError, match=r"test.bin is in none of .*; unpack tiny.tar there, or"):
        datasets.load("tiny-cifar", "test")


@pytest.mark.torch
def test_digits_split_is_fixed_stratified_and_disjoint():
    pytest.importorskip("sklearn")
    train, test = datasets.load("digits", "train"), datasets.load("digits", "test")
    assert (len(train), len(test)) == (1433, 364)
    assert np.bincount(test.labels).min() >= 35
    assert test.images.shape[1:] == (1, 8, 8) and test.images.max() == 1
    assert test.labels[:12].tolist() == datasets.load("digits", "test").labels[:12].tolist()
