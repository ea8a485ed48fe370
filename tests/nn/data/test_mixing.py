# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from bonn_hw.nn.data.augment import EpochBatches
from bonn_hw.nn.data.mixing import AREA, MixedBatches, erased, pasted

SIZE = 10
# The value of an image is its class: 0, 1 or 2.
LABELS = torch.arange(30) % 3
IMAGES = LABELS.float()[:, None, None, None].expand(30, 2, SIZE, SIZE)


def epoch(erase=0.0, mixup=0.0, cutmix=0.0, seed=1, number=0, rank=0):
    plain = EpochBatches(IMAGES, LABELS, 10, "none", seed, number)
    batches = MixedBatches(plain, 3, erase, mixup, cutmix, seed, number, rank)
    assert len(batches) == 3
    return list(batches)


def test_nothing_is_changed_without_a_switch():
    plain = EpochBatches(IMAGES, LABELS, 10, "none", 1, 0)
    for (images, labels), (same, names) in zip(epoch(), plain, strict=True):
        assert torch.equal(images, same) and torch.equal(labels, names)


@pytest.mark.parametrize("switch", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 1.0, "cutmix": 1.0}])
def test_labels_are_the_shares_of_the_images(switch):
    """The mean value of a mixed image is then the mean class of its label."""
    mixed = 0
    for number in range(10):
        for images, labels in epoch(**switch, number=number):
            assert torch.allclose(labels.sum(1), torch.ones(10))
            assert torch.allclose(images.mean((1, 2, 3)), labels @ torch.arange(3.0), atol=1e-5)
            mixed += int((labels.amax(1) < 1).sum())
    assert mixed > 50


def test_one_of_both_ways_to_mix_is_drawn_for_a_batch():
    ways = set()
    for number in range(10):
        for images, labels in epoch(mixup=1.0, cutmix=1.0, number=number):
            flat = images.flatten(1).amax(1) == images.flatten(1).amin(1)
            if (labels.amax(1) < 1).any():
                ways.add(bool(flat.all()))
    assert ways == {True, False}


def test_draws_depend_on_seed_epoch_and_process():
    def drawn(**which):
        return torch.cat([images for images, _ in epoch(erase=0.5, mixup=0.5, **which)])

    assert torch.equal(drawn(), drawn())
    for other in ({"number": 1}, {"seed": 2}, {"rank": 1}):
        assert not torch.equal(drawn(), drawn(**other))


def test_rectangles_are_erased_in_some_images():
    images = torch.full((2000, 2, SIZE, SIZE), 5.0)
    new = erased(images, 0.25, np.random.default_rng(0))
    gone = new != 5
    assert torch.equal(gone[:, 0], gone[:, 1])
    touched = gone.any(1).any(2).any(1)
    assert touched.float().mean() == pytest.approx(0.25, abs=0.04)
    areas = gone[touched, 0].float().mean((1, 2))
    assert areas.min() >= AREA[0] / 2 and areas.max() <= AREA[1] * 1.3
    for image, where in zip(new[touched][:50], gone[touched][:50, 0], strict=True):
        rows, columns = where.any(1).nonzero(), where.any(0).nonzero()
        box = image[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert box.unique().numel() == 1 and -1 <= box[0, 0, 0] < 1
        assert box[0].numel() == where.sum()
    # Every place is reached.
    assert gone[:, 0].any(0).all()


def test_share_that_stays_is_that_of_the_pixels():
    rng = np.random.default_rng(0)
    ones, zeros = torch.ones(4, 1, 8, 6), torch.zeros(4, 1, 8, 6)
    for wanted in np.linspace(0, 1, 30):
        mixed, share = pasted(ones, zeros, float(wanted), rng)
        assert torch.allclose(mixed.mean((1, 2, 3)), torch.full((4,), share))
        # To within the rounding of both sides to whole pixels.
        assert share >= wanted - 0.15
