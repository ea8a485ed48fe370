# SPDX-License-Identifier: BSD-3-Clause
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from bonn_hw.errors import UserError
from bonn_hw.nn.data.augment import EpochBatches, flipped, shifted

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


@pytest.mark.parametrize(("augment", "reach"), [("shift", 2), ("crop", 4)])
def test_images_move_whole_and_black_moves_in(augment, reach):
    images = torch.zeros(400, 1, 9, 9)
    images[:, :, 4, 4] = 1
    ((moved, _),) = EpochBatches(images, torch.arange(400), 400, augment, 0, 0)
    assert moved.shape == images.shape
    assert torch.all(moved.amax((1, 2, 3)) == 1)
    spots = moved.flatten(1).argmax(1)
    # Every place within reach is visited, and no other.
    near = range(4 - reach, 4 + reach + 1)
    assert set(spots.tolist()) == {9 * row + column for row in near for column in near}
    assert moved.min() == -1


def test_shifted_starts_where_it_is_told():
    framed = torch.full((8, 8), -1.0)
    framed[2:6, 2:6] = IMAGES[1, 0]
    offsets = torch.tensor([[2, 0], [2, 3]])
    stays, moves = shifted(IMAGES[[1, 1]], offsets, 2)
    assert torch.equal(stays, IMAGES[1])
    assert torch.equal(moves[0], framed[0:4, 3:7])


def test_flip_mirrors_some():
    images = torch.arange(4.0).repeat(40, 1, 4, 1)
    ((mixed, _),) = EpochBatches(images, torch.arange(40), 40, "flip", 0, 0)
    assert {tuple(row) for row in mixed[:, 0, 0].tolist()} == {(0, 1, 2, 3), (3, 2, 1, 0)}
    last, first = flipped(images[:2], torch.tensor([True, False]))[:, 0, 0].tolist()
    assert (first, last) == ([0, 1, 2, 3], [3, 2, 1, 0])


@pytest.mark.parametrize("augment", ["none", "shift", "flip", "shift-flip", "crop", "crop-flip"])
def test_processes_together_see_the_batches_of_one(augment):
    images = torch.rand(30, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(30)
    (*alone,) = EpochBatches(images, labels, 8, augment, 3, 5)
    assert len(alone) == 3
    shares = [EpochBatches(images, labels, 8, augment, 3, 5, rank, 4) for rank in range(4)]
    for (whole, names), *parts in zip(alone, *shares, strict=True):
        together, called = torch.empty_like(whole), torch.empty_like(names)
        for rank, (part, called_part) in enumerate(parts):
            together[rank::4], called[rank::4] = part, called_part
        assert torch.equal(together, whole) and torch.equal(called, names)


def test_batches_that_cannot_be_shared():
    with pytest.raises(UserError) as error:
        EpochBatches(IMAGES, torch.arange(7), 10, "none", 0, 0, 0, 4)
    assert str(error.value) == (
        "batch: 10 images cannot be shared equally by 4 processes; choose a multiple of 4"
    )
    with pytest.raises(UserError) as error:
        EpochBatches(IMAGES, torch.arange(7), 8, "none", 0, 0, 0, 8)
    assert str(error.value) == ("data: 7 images cannot be shared by 8 processes; start at most 7")
