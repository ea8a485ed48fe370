# SPDX-License-Identifier: BSD-3-Clause
"""The host's part without operators: integers, their order, their limits, and trial frames."""

from dataclasses import replace

import numpy as np
import pytest

from bonn_hw.errors import UserError
from bonn_hw.frontend.host import Host
from bonn_hw.ir.tensor import BIPOLAR, Element

HOST = Host(
    (2, 2),
    None,
    None,
    0.5,
    Element(-4, 3),
    np.array([[0, 2], [1, 3]]),
    np.array([1, 0]),
    np.array([0.25, 2.0], np.float32),
)


def test_frames_become_integers_in_stream_order():
    frames = np.array([[[-2.0, 1.5], [0.25, 0.75]]], np.float32)  # ties go to the even integer
    assert HOST.encode(frames).tolist() == [[-4, 0, 3, 2]]
    assert HOST.encode(np.concatenate([frames, -frames[:, ::-1] / 2])).shape == (2, 4)


@pytest.mark.parametrize(("high", "kind"), [(3, "int16"), (2**15 - 1, "int16"), (2**15, "int32")])
def test_integers_are_as_narrow_as_they_can_be(high, kind):
    host = replace(HOST, element=Element(-4, high))
    assert host.encode(np.zeros((1, 2, 2), np.float32)).dtype == kind


def test_many_frames_are_encoded_as_each_alone():
    frames = np.random.default_rng(0).uniform(-2, 1.5, (150, 2, 2)).astype(np.float32)
    alone = [HOST.encode(frames[at : at + 1]) for at in range(len(frames))]
    np.testing.assert_array_equal(HOST.encode(frames), np.concatenate(alone))


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        (np.zeros((0, 2, 2), np.float32), r"the shape \(N, 2, 2\), not \(0, 2, 2\): put"),
        (np.zeros((2, 2), np.float32), r"the shape \(N, 2, 2\), not \(2, 2\): put"),
        (np.float32(1) * np.ones(()).astype(np.float32)[...], r"not .*: (put|convert)"),
        (np.zeros((1, 2, 2)), "takes float32, not float64"),
        ([[1.0]], "takes float32, not list"),
        (np.full((3, 2, 2), [[[0]], [[0]], [[np.inf]]], np.float32), "frame 2 holds NaN"),
        (np.full((1, 2, 2), 2, np.float32), r"from 4 to 4 leave the range \[-4, 3\]"),
        (
            np.linspace(-9, 1, 804, dtype=np.float32).reshape(-1, 2, 2),
            r"from -18 to 2 leave the range \[-4, 3\]",
        ),
    ],
)
def test_frames_that_do_not_fit_are_refused(frames, text):
    with pytest.raises(UserError, match=text):
        HOST.encode(frames)


def test_sums_become_floats_of_the_model():
    sums = np.array([[[[3, -5]]], [[[0, 1]]]])
    assert HOST.decode(sums).tolist() == [[-10.0, 0.75], [2.0, 0.0]]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"encode_order": np.array([[0, 2], [1, 2]])}, "encode_order is no order of 4 elements"),
        ({"decode_order": np.array([0.0, 1.0])}, "decode_order holds no indices"),
        ({"decode_order": np.zeros(0, int)}, "decode_order holds no indices"),
        ({"decode_order": np.array([-1, 0])}, "decode_order holds no indices"),
        ({"decode_order": np.array([0, 2])}, "decode_order leaves the 2 elements"),
        ({"scale": np.array([1.0, 2.0])}, "scale is no list of float32"),
        ({"scale": np.ones((1, 2), np.float32)}, "scale is no list of float32"),
        ({"scale": np.zeros(0, np.float32)}, "scale is no list of float32"),
        ({"input_shape": (2, 0)}, r"the input's shape is \(2, 0\)"),
        ({"input_shape": (2, 2.0)}, r"the input's shape is \(2, 2.0\)"),
        ({"input_scale": 0.0}, "the input's scale is 0.0"),
        ({"input_scale": 1}, "the input's scale is 1"),
        ({"input_scale": np.inf}, "the input's scale is inf"),
    ],
)
def test_what_does_not_fit_an_accelerator(change, text):
    HOST.check(4, (1, 1, 2))
    replace(HOST, input_shape=(1, 4), decode_order=np.array([0])).check(4, (1, 1, 2))
    with pytest.raises(ValueError, match=text):
        replace(HOST, **change).check(4, (1, 1, 2))


def test_frames_on_trial():
    """Random, low, high, mixed, and with borders that differ from what they enclose."""
    host = replace(HOST, input_shape=(1, 3, 3), encode_order=np.arange(9).reshape(1, 3, 3))
    frames = host.trial_frames()
    assert frames.shape == (9, 1, 3, 3)
    integers = frames[:4] / 0.5
    assert (integers == np.rint(integers)).all()
    assert integers.min() == -4 and integers.max() == 3
    low, high = -2.0, 1.5
    assert (frames[4] == low).all() and (frames[5] == high).all()
    assert frames[6].reshape(-1).tolist() == [low, high] * 4 + [low]
    assert frames[7, 0].tolist() == [[high] * 3, [high, low, high], [high] * 3]
    assert frames[8, 0].tolist() == [[low] * 3, [low, high, low], [low] * 3]
    assert replace(HOST, input_shape=(4,)).trial_frames(2).shape == (5, 4)
    signs = replace(host, element=BIPOLAR).trial_frames()[:4]
    assert set(signs.reshape(-1)) == {-0.5, 0.5}


def test_a_host_is_read_as_it_was_written(tmp_path):
    HOST.save(tmp_path)
    again = Host.load(tmp_path)
    frames = HOST.trial_frames(2)
    assert (again.encode(frames) == HOST.encode(frames)).all()
    assert (again.element, again.input_scale, again.head, again.tail, again.outputs) == (
        *(HOST.element, HOST.input_scale),
        *(None, None, ()),
    )
