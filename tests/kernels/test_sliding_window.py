# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import prove
from bonn_hw.ir.design import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.timing.model import run_schedules


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("shape", "element", "kernel", "stride", "lanes"),
    [
        ((5, 6, 4), BIPOLAR, (3, 3), (1, 1), 2),
        ((8, 5, 3), Element(-128, 127), (3, 2), (2, 1), 3),
        ((7, 7, 2), BIPOLAR, (2, 2), (2, 2), 1),
        ((9, 8, 1), Element(0, 3), (1, 1), (3, 2), 1),  # the stride jumps over unused beats
        ((11, 4, 1), BIPOLAR, (1, 2), (5, 2), 1),  # and over more than the ring holds
        ((7, 9, 2), BIPOLAR, (7, 7), (1, 1), 2),
        ((1, 1, 6), BIPOLAR, (1, 1), (1, 1), 3),
        ((3, 3, 2), BIPOLAR, (3, 3), (4, 4), 2),
    ],
)
def test_rtl(shape, element, kernel, stride, lanes, tmp_path):
    window = SlidingWindow(TensorType(shape, element), kernel, stride)
    prove(window, Folding(lanes, lanes), tmp_path)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_the_line_buffer_never_costs_a_cycle(data):
    height, width = data.draw(st.integers(1, 14)), data.draw(st.integers(1, 14))
    kernel = SlidingWindow(
        TensorType((height, width, data.draw(st.integers(1, 3))), BIPOLAR),
        (data.draw(st.integers(1, min(7, height))), data.draw(st.integers(1, min(7, width)))),
        (data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))),
    )
    for folding in kernel.foldings():
        timing = run_schedules([kernel.schedule(folding)], 10)
        assert np.diff(timing.last_out)[-3:].tolist() == [kernel.cycles(folding)] * 3


def test_reference_orders_taps_by_row_column_channel():
    kernel = SlidingWindow(TensorType((2, 3, 2), Element(0, 99)), (2, 2), (1, 1))
    (windows,) = kernel.reference(np.arange(12).reshape(1, 2, 3, 2))
    assert windows[0, 0].tolist() == [[0, 1, 2, 3, 6, 7, 8, 9], [2, 3, 4, 5, 8, 9, 10, 11]]


def test_a_window_larger_than_the_frame_is_refused():
    with pytest.raises(ValueError, match=r"a \(3, 3\) window does not fit a frame of 2x5"):
        SlidingWindow(TensorType((2, 5, 1), BIPOLAR), (3, 3), (1, 1))
