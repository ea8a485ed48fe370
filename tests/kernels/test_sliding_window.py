# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonn_hw.emit.write import templates_folder
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.synth.kernel import synthesise_kernels
from bonn_hw.timing.model import run_schedules
from tests.support import lint
from tests.support.bench import prove
from tests.support.corners import corners
from tests.support.grids import Grid, Point, close, signed, unsigned

BITS = TensorType((4, 4, 6), BIPOLAR)
EXAMPLES = [
    SlidingWindow(BITS, (3, 3), (1, 1)),
]
ILLEGAL = [{"KH": 5}, {"SX": 0}, {"DEPTH": 8}, {"DEPTH": 48}]


def points() -> Iterator[Point]:
    """All foldings of some layers."""
    for (height, width), channels, kernel, stride, element in (
        ((32, 32), 3, (3, 3), (1, 1), signed(8)),
        ((30, 30), 64, (3, 3), (1, 1), BIPOLAR),
        ((12, 12), 128, (3, 3), (1, 1), BIPOLAR),
        ((5, 5), 256, (3, 3), (1, 1), BIPOLAR),
        ((16, 16), 64, (3, 3), (2, 2), BIPOLAR),
        ((16, 16), 32, (1, 1), (2, 2), unsigned(4)),
        ((9, 11), 16, (5, 3), (2, 1), signed(4)),
        ((57, 57), 64, (3, 3), (1, 1), unsigned(2)),
        ((16, 16), 8, (2, 2), (2, 2), unsigned(8)),
    ):
        window = SlidingWindow(TensorType((height, width, channels), element), kernel, stride)
        for folding in window.foldings():
            if folding.pe * element.bits <= 600:
                yield window, folding


GRID = Grid(points, step=9)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("shape", "element", "kernel", "stride", "pe", "simd"),
    corners(
        [
            # a tap a beat, or a part of it
            ((5, 6, 4), BIPOLAR, (3, 3), (1, 1), 2, 2),
            ((8, 5, 3), Element(-128, 127), (3, 2), (2, 1), 3, 3),
            ((9, 8, 2), BIPOLAR, (3, 1), (1, 2), 1, 1),  # the stride jumps over unused beats
            ((6, 11, 1), BIPOLAR, (2, 1), (3, 4), 1, 1),  # and over more than the ring holds
            ((4, 7, 2), Element(0, 3), (1, 3), (1, 1), 2, 2),  # the first row of taps is the last
            ((8, 8, 2), BIPOLAR, (2, 2), (2, 2), 1, 1),
            ((6, 40, 4), Element(-128, 127), (3, 3), (1, 1), 4, 4),  # in block memory
            ((3, 5, 1), BIPOLAR, (2, 1), (1, 3), 1, 1),  # a stride beyond the kernel's width
            ((3, 5, 1), BIPOLAR, (1, 2), (1, 2), 1, 1),  # the same in order: the last tile is cut
            # a row of taps
            ((6, 6, 2), BIPOLAR, (3, 3), (1, 1), 6, 2),
            ((10, 9, 1), Element(-4, 3), (2, 3), (1, 2), 3, 1),
            ((9, 7, 1), BIPOLAR, (5, 5), (1, 1), 5, 1),
            ((8, 7, 3), BIPOLAR, (3, 2), (2, 1), 6, 3),
            ((1, 9, 2), BIPOLAR, (1, 4), (1, 1), 8, 2),
            ((7, 3, 2), BIPOLAR, (3, 3), (1, 1), 6, 2),  # no window beside another
            # in the order of the frame
            ((9, 8, 1), Element(0, 3), (1, 1), (3, 2), 1, 1),
            ((11, 4, 2), BIPOLAR, (1, 2), (5, 2), 1, 1),
            ((10, 3, 1), BIPOLAR, (3, 2), (4, 2), 1, 1),
            ((7, 9, 2), BIPOLAR, (7, 9), (1, 1), 2, 2),
            ((1, 1, 6), BIPOLAR, (1, 1), (1, 1), 3, 3),
            ((3, 3, 2), BIPOLAR, (3, 3), (4, 4), 2, 2),
        ],
        lambda shape, element, kernel, stride, pe, simd: (
            SlidingWindow(TensorType(shape, element), kernel, stride)
            .rtl(Folding(pe, simd))
            .parameters
        ),
    ),
)
def test_rtl(shape, element, kernel, stride, pe, simd, tmp_path):
    window = SlidingWindow(TensorType(shape, element), kernel, stride)
    prove(window, Folding(pe, simd), tmp_path)


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


def channel_lanes(kernel):
    return [folding.pe for folding in kernel.foldings() if folding.simd == kernel.input.shape[2]]


def test_rows_of_taps_where_they_pay():
    bits = TensorType((32, 32, 6), BIPOLAR)
    fast = SlidingWindow(bits, (3, 3), (1, 1))
    assert list(fast.foldings()) == [*(Folding(n, n) for n in (1, 2, 3, 6)), Folding(18, 6)]
    assert fast.cycles(Folding(6, 6)) == 30 * 30 * 9 and fast.cycles(Folding(18, 6)) == 30 * 30 * 3
    # As many cycles as the input has pixels are needed in any case.
    assert SlidingWindow(bits, (3, 3), (2, 2)).cycles(Folding(18, 6)) == 32 * 32
    assert channel_lanes(SlidingWindow(bits, (2, 2), (2, 2))) == [6]
    assert channel_lanes(SlidingWindow(bits, (3, 1), (1, 1))) == [6]
    assert channel_lanes(SlidingWindow(TensorType((3, 3, 6), BIPOLAR), (3, 3), (1, 1))) == [6]


def test_padded_frames_fill_a_ring_of_their_words():
    for size in (8, 16, 32):
        padded = TensorType((size + 2, size + 2, 4), BIPOLAR)
        assert SlidingWindow(padded, (3, 3), (1, 1)).depth(Folding(12, 4)) == 4 * size


def test_windows_in_the_order_of_the_frame_need_no_line_buffer():
    for kernel, stride in (((1, 1), (1, 1)), ((1, 1), (2, 2)), ((1, 2), (1, 3)), ((9, 8), (1, 1))):
        window = SlidingWindow(TensorType((9, 8, 4), BIPOLAR), kernel, stride)
        assert window.depth(Folding(4, 4)) == 0 and window.resources(Folding(4, 4)).lut < 20


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"TAPS": 2}, "TAPS 2 must be 1, or KW 3 where FOLDS 1 is 1 and DEPTH 16 not 0"),
        ({"DEPTH": 0}, "DEPTH 0: these windows need a line buffer"),
        ({"DEPTH": 4}, "DEPTH 4 must be a power of two and hold 6 words"),
    ],
)
def test_illegal_rows_of_taps(change, text):
    instance = SlidingWindow(TensorType((5, 5, 2), BIPOLAR), (3, 3), (1, 1)).rtl(Folding(6, 2))
    files = [templates_folder() / name for name in instance.templates]
    log = lint.verilator(instance.module, files, instance.parameters | change)
    assert text in log


@pytest.mark.large
def test_resources_are_those_of_synthesis():
    points = [
        (SlidingWindow(TensorType(shape, element), kernel, stride), Folding(pe, simd))
        for shape, element, kernel, stride, pe, simd in (
            ((5, 5, 64), BIPOLAR, (2, 2), (1, 1), 64, 64),
            ((12, 9, 6), Element(-128, 127), (3, 3), (1, 1), 2, 2),  # banks of LUT memory
            ((34, 34, 64), BIPOLAR, (3, 3), (1, 1), 64, 64),  # block memory
            ((34, 34, 64), BIPOLAR, (3, 3), (1, 1), 192, 64),
            ((33, 33, 16), BIPOLAR, (3, 3), (2, 2), 48, 16),
            ((33, 33, 64), BIPOLAR, (1, 1), (2, 2), 64, 64),
        )
    ]
    for (kernel, folding), use in zip(points, synthesise_kernels(points), strict=True):
        assert close(kernel.resources(folding), use), (kernel, folding, use)


def test_reference_orders_taps_by_row_column_channel():
    kernel = SlidingWindow(TensorType((2, 3, 2), Element(0, 99)), (2, 2), (1, 1))
    (windows,) = kernel.reference(np.arange(12).reshape(1, 2, 3, 2))
    assert windows[0, 0].tolist() == [[0, 1, 2, 3, 6, 7, 8, 9], [2, 3, 4, 5, 8, 9, 10, 11]]


def test_a_window_larger_than_the_frame_is_refused():
    with pytest.raises(ValueError, match=r"a \(3, 3\) window does not fit a frame of 2x5"):
        SlidingWindow(TensorType((2, 5, 1), BIPOLAR), (3, 3), (1, 1))
