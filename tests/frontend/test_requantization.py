# SPDX-License-Identifier: BSD-3-Clause
"""The kernel that is found gives the quantiser's own values, on every integer of the range."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import requantization
from bonn_hw.frontend.requantization import fit
from bonn_hw.frontend.staircase import gather
from bonn_hw.ir.tensor import Element, TensorType

BYTE = Element(-128, 127)


def staircase(table, low, high):
    """Runs of a table ``(R, C)`` over ``low``... ``high``, gathered in uneven chunks."""
    grid, channels = np.arange(low, high + 1), table.shape[1]
    cuts = [0, 1, *range(5, len(grid), 777), len(grid)]
    chunks = [(grid[a:b], table[a:b]) for a, b in pairwise(cuts) if b > a]
    return gather(chunks, np.full(channels, low), np.full(channels, high))


def exact(function, low, high, channels, element=BYTE):
    """Fit a float32 function of ``(R, 1)`` sums; try every integer; return the kernel."""
    grid = np.arange(low, high + 1)
    values = np.rint(function(grid[:, None].astype(np.float32)))
    table = np.clip(values, element.low, element.high).astype(np.int64)
    table = np.broadcast_to(table, (len(grid), channels))
    kind = TensorType((1, 1, channels), Element(low, high))
    kernel = fit(staircase(table, low, high), kind, element, "layer")
    frames = np.broadcast_to(grid[:, None, None, None], (len(grid), 1, 1, channels))
    np.testing.assert_array_equal(kernel.reference(frames)[0].reshape(table.shape), table)
    return kernel


@pytest.mark.parametrize("shift", [1, 2, 5])
def test_a_power_of_two_is_a_shift_that_rounds_half_to_even(shift):
    kernel = exact(lambda x: x * np.float32(2.0**-shift), -500, 501, 3)
    assert (kernel.slopes.tolist(), kernel.shift, kernel.ties_even) == ([[1]], shift, True)


@pytest.mark.parametrize("shift", [1, 2, 5])
def test_a_power_of_two_is_a_shift_that_rounds_down(shift):
    kernel = exact(lambda x: np.floor(x * np.float32(2.0**-shift)), -500, 501, 3)
    assert (kernel.slopes.tolist(), kernel.shift, kernel.ties_even) == ([[1]], shift, False)


def test_two_slopes_of_powers_of_two_need_no_multiplier():
    kernel = exact(lambda x: np.where(x < 0, x * np.float32(0.25), x), -256, 254, 4)
    assert sorted(kernel.slopes.reshape(-1).tolist()) == [1, 4]
    assert (kernel.shift, kernel.ties_even, kernel.mask.bit_count()) == (2, True, 2)


def test_learnt_slopes_by_channel():
    slopes = np.random.default_rng(0).normal(0, 0.5, 8).astype(np.float32)
    exact(lambda x: np.where(x < 0, x * slopes, x), -256, 254, 8)


@pytest.mark.parametrize("low", [-128, 0])
def test_batch_norms_with_gains_of_both_signs(low):
    random = np.random.default_rng(1)
    gain = random.normal(0, 0.3, 16).astype(np.float32)
    shift = random.normal(0, 20, 16).astype(np.float32)
    exact(lambda x: x * gain + shift, -300, 411, 16, Element(low, 127))


def test_float_rounding_that_no_single_line_follows():
    """Accumulators of 18 bits through a float32 norm: some steps move by one integer."""
    random = np.random.default_rng(0)
    gain = (random.normal(0, 1, 32) * 2.0**-9).astype(np.float32)
    shift = random.normal(0, 8, 32).astype(np.float32)
    kernel = exact(lambda x: x * gain + shift, -80_000, 80_000, 32)
    assert 0 < kernel.segment_bits < 10


def test_an_average_of_49():
    exact(lambda x: x * np.float32(0.125) / np.float32(49) * np.float32(32), -6272, 6223, 2)


def test_what_is_neither_rising_nor_falling():
    exact(np.abs, -50, 50, 2)


def test_constant_channels_and_single_integers():
    assert exact(lambda x: 0 * x + 3, -5, 9, 2).slopes.tolist() == [[0]]
    exact(lambda x: x, 7, 7, 1)


def test_channels_of_different_ranges_share_a_line():
    grid = np.arange(-40, 41)
    table = np.rint(grid * 0.25).astype(np.int64)[:, None].repeat(2, axis=1)
    stairs = gather([(grid, table)], np.array([-40, -3]), np.array([12, 40]))
    kernel = fit(stairs, TensorType((1, 1, 2), Element(-40, 40)), Element(-10, 10), "layer")
    assert kernel.alike and kernel.shift == 2


def test_the_runs_of_one_channel():
    table = np.random.default_rng(0).integers(-3, 3, (20, 3))
    whole = staircase(table, -5, 14)
    whole = replace(whole, low=np.array([-5, -6, -7]), high=np.array([14, 15, 16]))
    for channel in range(3):
        found, alone = whole.only(channel), staircase(table[:, [channel]], -5, 14)
        assert (found.low.tolist(), found.high.tolist()) == ([-5 - channel], [14 + channel])
        for name in ("channel", "start", "value"):
            np.testing.assert_array_equal(getattr(found, name), getattr(alone, name))


def test_what_differs_is_named_by_channel():
    table = np.arange(-4, 5)[:, None].repeat(2, axis=1)
    other = table.copy()
    other[3:5, 1] = -1
    one, another = staircase(table, -4, 4), staircase(other, -4, 4)
    assert one.identity and not another.identity
    assert one.differing(another) == {1} and one.differing(one) == set()


def test_a_table_that_no_device_holds_is_refused(monkeypatch):
    """With a smaller device: random tables of the real one take a minute to search."""
    monkeypatch.setattr(requantization, "LARGEST_TABLE", 1 << 14)
    random = np.random.default_rng(0)
    table = random.integers(-128, 128, (1 << 6, 64))
    kind = TensorType((1, 1, 64), Element(0, (1 << 6) - 1))
    with pytest.raises(UnsupportedModel) as error:
        fit(staircase(table, 0, (1 << 6) - 1), kind, BYTE, "layer")
    assert str(error.value) == (
        "layer: its values need more than 16384 bits of tables to be quantised exactly, "
        "because they rise and fall; use an activation that only rises, such as a ReLU, or inputs "
        "and weights of fewer bits"
    )


@given(
    st.integers(-40, 40),
    st.integers(1, 60),
    st.integers(1, 3),
    st.sampled_from(("any", "rising", "line")),
    st.integers(0, 999),
)
@settings(max_examples=150, deadline=None)
def test_any_table(low, extent, channels, kind, seed):
    random = np.random.default_rng(seed)
    table = random.integers(-8, 8, (extent, channels))
    if kind == "rising":
        table.sort(axis=0)
    elif kind == "line":
        slope = random.normal(0, 1, channels).astype(np.float32)
        table = np.rint(np.arange(extent)[:, None] * slope).astype(np.int64)
    exact(lambda x: table, low, low + extent - 1, channels, Element(-8, 7))
