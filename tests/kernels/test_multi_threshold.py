# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.multi_threshold import MultiThreshold
from tests.support.bench import prove
from tests.support.grids import Grid, Point, even, signed, unsigned


def staircase(
    taken: Element, given: Element, channels: int, size: tuple[int, int] = (2, 2), seed: int = 0
) -> MultiThreshold:
    """Random thresholds, some out of reach or equal; half of the channels fall."""
    rng = np.random.default_rng(seed)
    shape = (channels, (1 << given.bits) - 1)
    levels = np.sort(rng.integers(taken.low - 1, taken.high + 2, shape), axis=1)
    inverted = rng.random(channels) < 0.5
    # Codes below and above those that occur: of thresholds that are always and never reached.
    lowest = -(1 << given.bits - 1) if given.signed else 0
    below, above = given.low - lowest, lowest + shape[1] - given.high
    for channel, falls in enumerate(inverted):
        always, never = (above, below) if falls else (below, above)
        levels[channel, :always] = taken.low
        levels[channel, shape[1] - never :] = taken.high + 1
    return MultiThreshold(TensorType((*size, channels), taken), given, levels, inverted)


EXAMPLES = [
    staircase(Element(-100, 100), Element(-2, 1), 6, (4, 4)),
    staircase(Element(0, 9), Element(0, 7), 4, (2, 3)),
]
ILLEGAL = [{"FOLDS": 0}, {"LEVEL_BITS": 3}, {"OUT_BITS": 9}]


def points() -> Iterator[Point]:
    """Random thresholds of two to eight bits."""
    for channels, taken, given in product(
        (16, 64, 256), (unsigned(6), signed(10), signed(14)), (unsigned(2), signed(4))
    ):
        for lanes in (1, 4, 16):
            yield staircase(taken, given, channels), even(lanes)
    for lanes in (1, 2, 8):
        yield staircase(signed(14), signed(8), 64), even(lanes)


GRID = Grid(points, step=6)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("taken", "given", "lanes"),
    [
        (Element(-128, 127), Element(-8, 7), 2),
        (Element(0, 255), Element(0, 3), 6),
        (Element(-7, 100), Element(0, 30), 1),
        (Element(0, 1), Element(0, 1), 3),
        (Element(-3000, 3000), Element(-120, 127), 3),
    ],
)
def test_rtl(taken, given, lanes, tmp_path):
    prove(staircase(taken, given, 6, (3, 4), seed=1), Folding(lanes, lanes), tmp_path)


@pytest.mark.rtl
def test_thresholds_in_block_memory(tmp_path):
    kernel = staircase(signed(12), signed(7), 24, (2, 2), seed=2)
    blocks = kernel.rtl(even(2)).parameters["BLOCKS"].value
    assert 0 < blocks < 1 << 7  # those of the last steps, not of the first
    prove(kernel, even(2), tmp_path)


def test_an_output_is_the_number_of_thresholds_that_are_reached():
    levels = np.array([[-9, 0, 2], [-9, 0, 2]])
    kind = TensorType((1, 1, 2), Element(-4, 3))
    kernel = MultiThreshold(kind, Element(-2, 1), levels, np.array([False, True]))
    for x, up, down in ((-4, -1, 0), (-1, -1, 0), (0, 0, -1), (1, 0, -1), (2, 1, -2), (3, 1, -2)):
        assert kernel.reference(np.full((1, 1, 1, 2), x))[0].ravel().tolist() == [up, down]


def test_values_of_chosen_channels():
    kernel = staircase(Element(-9, 12), Element(-3, 3), 5, (1, 1), seed=4)
    x = np.arange(-9, 13)
    frames = np.broadcast_to(x[:, None, None, None], (x.size, 1, 1, 5))
    chosen = np.array([3, 0, 4])
    found = kernel.apply(x[:, None], chosen)
    assert np.array_equal(found, kernel.reference(frames)[0][:, 0, 0, chosen])


@pytest.mark.parametrize(
    ("taken", "given", "levels", "message"),
    [
        (BIPOLAR, Element(0, 1), [[0]], "inputs are integers, not bits"),
        (Element(0, 9), BIPOLAR, [[0]], "outputs are integers of at most 8 bits"),
        (Element(0, 9), Element(0, 256), [[0]], "outputs are integers of at most 8 bits"),
        (Element(0, 9), Element(0, 3), [[0, 1]], r"3 thresholds and one inversion for each of 1"),
        (Element(0, 9), Element(0, 3), [[0, 2, 1]], "thresholds of a channel must ascend"),
    ],
)
def test_what_is_none(taken, given, levels, message):
    with pytest.raises(ValueError, match=message):
        MultiThreshold(TensorType((1, 1, 1), taken), given, np.array(levels), np.zeros(1, bool))
