# SPDX-License-Identifier: BSD-3-Clause
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

from bonn_hw.errors import ToolMissing, UserError
from bonn_hw.nn.data import crops, image_folder
from bonn_hw.nn.data.image_folder import FolderBatches, ImageFolder

CLASSES = ("n01", "n02", "n10")


@pytest.fixture(autouse=True, scope="module")
def short_waits():
    """torch waits five seconds for a process that was left in the middle, before it ends it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.utils.data._utils, "MP_STATUS_CHECK_INTERVAL", 0.5)
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Eight training and three test images of each of three classes, of several forms."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 3)):
        for name in CLASSES:
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                height, width = rng.integers(30, 60, 2)
                image = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
                file = root / split / name / f"{name}_{i}"
                if i == 0:
                    image.convert("CMYK").save(f"{file}.JPEG")
                elif i == 1:
                    image.convert("L").save(f"{file}.png")
                else:
                    image.save(f"{file}.jpg")
    (root / "train" / "n01" / "notes.txt").write_text("not an image")
    (root / "train" / ".hidden").mkdir()
    return root


def numbers(batches):
    return [(images, labels.tolist()) for images, labels in batches]


def same(one, other):
    return len(one) == len(other) and all(
        torch.equal(a, b) and p == q for (a, p), (b, q) in zip(one, other, strict=True)
    )


def test_labels_are_the_places_of_the_sorted_class_folders(root):
    folder = ImageFolder.read(root, "train")
    assert folder.classes == CLASSES
    assert len(folder) == 24
    assert np.bincount(folder.labels).tolist() == [8, 8, 8]
    assert folder.labels.dtype == np.int64
    for path, label in zip(folder.paths, folder.labels, strict=True):
        assert f"/train/{CLASSES[label]}/" in path
    assert folder.paths == ImageFolder.read(str(root), "train").paths


def test_first_images_are_of_many_classes(root):
    folder = ImageFolder.read(root, "train")
    first = folder.first(6)
    assert first.paths == folder.paths[:6]
    assert set(first.labels.tolist()) == {0, 1, 2}
    assert len(folder.first(None)) == 24


def test_held_out_has_the_same_share_of_each_class(root):
    folder = ImageFolder.read(root, "train")
    rest, out = folder.held_out(6)
    assert np.bincount(out.labels).tolist() == [2, 2, 2]
    assert sorted(rest.paths + out.paths) == sorted(folder.paths)
    for path, label in zip(out.paths, out.labels, strict=True):
        assert f"/{CLASSES[label]}/" in path


def test_training_batches_depend_on_seed_and_epoch_not_on_workers(root):
    folder = ImageFolder.read(root, "train")

    def batches(seed, epoch, workers=0):
        return numbers(FolderBatches(folder, 10, 16, True, seed, epoch, workers=workers))

    alone = batches(1, 2)
    assert len(alone) == len(FolderBatches(folder, 10, 16, True, 1, 2)) == 2
    assert alone[0][0].shape == (10, 3, 16, 16)
    assert alone[0][0].dtype == torch.float32
    state = torch.get_rng_state()
    assert same(alone, batches(1, 2, workers=2))
    assert torch.equal(state, torch.get_rng_state())
    assert not same(alone, batches(1, 3))
    assert not same(alone, batches(2, 2))


@pytest.mark.parametrize("train", [True, False])
def test_processes_together_see_the_batches_of_one(root, train):
    folder = ImageFolder.read(root, "train")

    def batches(rank, world):
        batches = FolderBatches(folder, 10, 16, train, 0, 0, rank, world, workers=0)
        found = list(batches)
        assert len(found) == len(batches)
        return found

    alone = batches(0, 1)
    assert len(alone) == (2 if train else 3)
    for (whole, names), *parts in zip(alone, batches(0, 2), batches(1, 2), strict=True):
        for rank, (part, called) in enumerate(parts):
            assert torch.equal(part, whole[rank::2]) and torch.equal(called, names[rank::2])


def test_test_images_come_in_order_and_all_of_them(root):
    folder = ImageFolder.read(root, "test")
    found = list(FolderBatches(folder, 4, 16, False, 0, 0, workers=2))
    assert [len(labels) for _, labels in found] == [4, 4, 1]
    assert torch.cat([labels for _, labels in found]).tolist() == folder.labels.tolist()
    images = torch.cat([images for images, _ in found])
    levels = images * 128 + 128
    assert torch.equal(levels, levels.round())
    assert levels.min() >= 0 and levels.max() <= 255
    first = torch.from_numpy(crops.centre_crop(folder.paths[0], 16).copy())
    assert torch.equal(levels[0], first.to(torch.float32))


def test_fewer_images_than_a_batch_make_one_batch(root):
    folder = ImageFolder.read(root, "train").first(3)
    ((images, labels),) = FolderBatches(folder, 50, 8, True, 0, 0, workers=0)
    assert images.shape == (3, 3, 8, 8) and labels.shape == (3,)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_damaged_image_is_named(tmp_path, workers, content):
    for split in ("train", "val"):
        (tmp_path / split / "a").mkdir(parents=True)
    path = tmp_path / "train" / "a" / "x.jpg"
    if content is None:
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(noise).save(path)
        content = path.read_bytes()[:900]
    path.write_bytes(content)
    folder = ImageFolder.read(tmp_path, "train")
    with pytest.raises(UserError) as error:
        list(FolderBatches(folder, 1, 8, True, 0, 0, workers=workers))
    message = str(error.value)
    assert message.startswith(f"{path}: cannot be decoded (")
    assert message.endswith("); copy the image again, or delete it")
    assert "\n" not in message


def refusal(root, split="train"):
    with pytest.raises(UserError) as error:
        ImageFolder.read(root, split)
    return str(error.value)


def test_folders_that_are_no_data_set(tmp_path):
    assert refusal(tmp_path, "test") == (
        f"image folder {tmp_path}: has no folder val or test; name the folder that holds "
        "train/CLASS/*.JPEG and val/CLASS/*.JPEG as root"
    )
    assert refusal(tmp_path, "val") == (
        f"image folder {tmp_path}: split must be train or test, not 'val'"
    )
    (tmp_path / "train").mkdir()
    assert refusal(tmp_path) == (
        f"image folder {tmp_path}/train: has no class folders; sort its images into one for each "
        "class"
    )
    (tmp_path / "train" / "a").mkdir()
    assert refusal(tmp_path) == (
        f"image folder {tmp_path}/train/a: has no image (.jpeg, .jpg, .png); fill or delete it"
    )
    (tmp_path / "test" / "b").mkdir(parents=True)
    assert refusal(tmp_path) == (
        f"image folder {tmp_path}: class 'a' is in only one of train and test; give both the same "
        "class folders"
    )


def test_test_folder_stands_in_for_val(tmp_path):
    (tmp_path / "test" / "a").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(tmp_path / "test" / "a" / "x.JPEG")
    assert ImageFolder.read(tmp_path, "test").paths == (str(tmp_path / "test/a/x.JPEG"),)


def test_unequal_shares_are_refused(root):
    with pytest.raises(UserError, match="batch: 10 images cannot be shared equally by 4"):
        FolderBatches(ImageFolder.read(root, "train"), 10, 16, True, 0, 0, 0, 4)


def test_without_pillow(root, monkeypatch):
    folder = ImageFolder.read(root, "train")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ToolMissing) as error:
        FolderBatches(folder, 10, 16, True, 0, 0)
    assert str(error.value) == (
        "image folder: Pillow, which decodes images, is not installed; run `pip install pillow`"
    )


def test_workers_are_a_share_of_the_cores(monkeypatch):
    monkeypatch.setattr(image_folder.os, "sched_getaffinity", lambda _: range(12), raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert image_folder.usable_workers() == 8
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert image_folder.usable_workers() == 3
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "20")
    assert image_folder.usable_workers() == 1
