# SPDX-License-Identifier: BSD-3-Clause
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from bonn_hw.nn.augment import EpochBatches, flipped, shifted  # noqa: E402

IMAGES = torch.arange(7 * 16.0).reshape(7, 1, 4, 4)


def test_epoch_is_a_permutation_that_seed_and_epoch_decide():
    def order(seed, epoch):
        batches = EpochBatches(IMAGES, torch.arange(7), 2, "none", seed, epoch)
        assert len(batches) == 3
        return torch.cat([labels for _, labels in batches]).tolist()

    assert order(1, 0) == order(1, 0)
    assert len(set(order(1, 0))) == 6
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_fewer_images_than_a_batch_make_one_batch():
    ((images, labels),) = EpochBatches(IMAGES, torch.arange(7), 50, "shift-flip", 0, 0)
    assert images.shape == (7, 1, 4, 4) and labels.shape == (7,)


def test_shift_moves_whole_images_and_lets_black_in():
    image = torch.zeros(50, 1, 5, 5)
    image[:, :, 2, 2] = 1
    moved = shifted(image, torch.Generator().manual_seed(0))
    assert torch.all(moved.amax((1, 2, 3)) == 1)
    spots = moved.flatten(1).argmax(1)
    assert spots.unique().numel() > 10
    assert moved.min() == -1


def test_flip_mirrors_some():
    images = torch.arange(4.0).repeat(40, 1, 4, 1)
    rows = flipped(images, torch.Generator().manual_seed(0))[:, 0, 0].tolist()
    assert {tuple(row) for row in rows} == {(0, 1, 2, 3), (3, 2, 1, 0)}
