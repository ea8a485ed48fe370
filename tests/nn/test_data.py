# SPDX-License-Identifier: BSD-3-Clause
import gzip
import subprocess
import sys

import numpy as np
import pytest

from bonn_hw.errors import UserError
from bonn_hw.nn import data


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@pytest.fixture
def fashion(tmp_path):
    """Two test images, gzipped, and three training images, plain."""
    rng = np.random.default_rng(0)
    for prefix, count, suffix in (("t10k", 2, ".gz"), ("train", 3, "")):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        labels = np.arange(count, dtype=np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx(array)
            file = tmp_path / f"{prefix}-{kind}-ubyte{suffix}"
            file.write_bytes(gzip.compress(content) if suffix else content)
    return tmp_path


def test_importing_data_does_not_import_torch():
    code = "import sys; from bonn_hw.nn import data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("split", "count"), [("train", 3), ("test", 2)])
def test_fashion_is_read_plain_and_compressed(fashion, split, count):
    dataset = data.load("fashion-mnist", split, fashion)
    assert dataset.images.shape == (count, 1, 28, 28)
    assert dataset.images.dtype == np.float32
    assert dataset.labels.tolist() == list(range(count))
    assert dataset.labels.dtype == np.int64
    assert dataset.classes[9] == "boot"
    assert dataset.images.min() >= 0 and dataset.images.max() <= 1


def test_normalise_keeps_every_byte_on_the_grid():
    pixels = np.arange(256)
    images = (pixels / np.float32(255)).astype(np.float32)
    assert np.array_equal(data.normalise(images) * 128, pixels - 128)


def test_transformed_pads_with_black(fashion):
    images = data.load("fashion-mnist", "test", fashion).transformed("pad32").images
    assert images.shape == (2, 1, 32, 32)
    assert np.all(images[:, :, :2] == -1) and np.all(images[:, :, :, -2:] == -1)


def test_pad32_refuses_other_sizes():
    with pytest.raises(UserError) as error:
        data.pad32(np.zeros((1, 1, 8, 8), np.float32))
    assert str(error.value) == "transform pad32: images must be 28x28, not 8x8; use none"


def test_truncated_and_foreign_files_are_refused(fashion):
    path = fashion / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError) as error:
        data.load("fashion-mnist", "train", fashion)
    assert str(error.value) == (
        f"{path}: its header promises 2352 bytes, but 2351 follow; fetch the file again"
    )
    path.write_bytes(b"<html>")
    with pytest.raises(UserError) as error:
        data.load("fashion-mnist", "train", fashion)
    assert str(error.value) == f"{path}: not an IDX file of bytes; fetch the file again"
    compressed = fashion / "t10k-images-idx3-ubyte.gz"
    compressed.write_bytes(compressed.read_bytes()[:50])
    with pytest.raises(UserError, match="cannot be read"):
        data.load("fashion-mnist", "test", fashion)


def test_missing_data_says_where_it_was_sought_and_how_to_get_it(tmp_path):
    with pytest.raises(UserError) as error:
        data.load("fashion-mnist", "test", tmp_path)
    assert str(error.value) == (
        f"data set fashion-mnist: t10k-images-idx3-ubyte.gz is in none of {tmp_path}; run "
        "`python -m bonn_hw.nn.fetch fashion-mnist`, or `apt-get install dataset-fashion-mnist`"
    )


def test_folders_in_order(monkeypatch, tmp_path):
    monkeypatch.setenv("BONN_HW_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    places = data.folders("fashion-mnist")
    assert places[:2] == [tmp_path / "fashion-mnist", tmp_path / "fashion_mnist"]
    assert places[-1] == tmp_path / "cache/bonn_hw/fashion-mnist"
    assert data.folders("fashion-mnist", "/own") == [data.Path("/own")]


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
    train = data.load("cifar10", "train", tmp_path)
    assert train.labels.tolist() == [1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    assert np.array_equal(np.rint(train.images * 255), np.concatenate(batches))
    # Also the inner folder itself may be named.
    assert np.array_equal(np.rint(data.load("cifar10", "test", folder).images * 255), test)


def test_cifar100_takes_the_fine_label(tmp_path):
    pixels = cifar(tmp_path / "test.bin", [[3, 77], [4, 5]])
    dataset = data.load("cifar100", "test", tmp_path)
    assert dataset.labels.tolist() == [77, 5]
    assert np.array_equal(np.rint(dataset.images * 255), pixels)


def test_damaged_cifar_is_refused(tmp_path):
    path = tmp_path / "test_batch.bin"
    cifar(path, [[10]])
    with pytest.raises(UserError) as error:
        data.load("cifar10", "test", tmp_path)
    assert str(error.value) == f"{path}: label 10 is not below 10; fetch the file again"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError) as error:
        data.load("cifar10", "test", tmp_path)
    assert str(error.value) == (
        f"{path}: its 3068 bytes are no multiple of a record's 3073; fetch the file again"
    )


def test_unknown_names():
    with pytest.raises(UserError) as error:
        data.load("imagenet", "test")
    assert str(error.value) == (
        "data set 'imagenet' is not known; choose one of digits, fashion-mnist, mnist, cifar10, "
        "cifar100"
    )
    with pytest.raises(UserError) as error:
        data.load("digits", "validation")
    assert str(error.value) == "data set digits: split must be train or test, not 'validation'"


@pytest.mark.torch
def test_digits_split_is_fixed_stratified_and_disjoint():
    pytest.importorskip("sklearn")
    train, test = data.load("digits", "train"), data.load("digits", "test")
    assert (len(train), len(test)) == (1433, 364)
    assert np.bincount(test.labels).min() >= 35
    assert test.images.shape[1:] == (1, 8, 8) and test.images.max() == 1
    assert test.labels[:12].tolist() == data.load("digits", "test").labels[:12].tolist()
