# SPDX-License-Identifier: BSD-3-Clause
"""Images that a user names: files and data sets, and what is said of those that do not fit."""

import numpy as np
import pytest

from bonn_hw.errors import UserError
from bonn_hw.images import ImageSource


def test_a_file_is_fed_as_it_is(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(3, 1, 2, 2)
    np.save(tmp_path / "x.npy", values)
    found = ImageSource(inputs=tmp_path / "x.npy").load((9, 9, 9), "pad32")
    np.testing.assert_array_equal(found.values, values)
    assert found.labels is None
    some = ImageSource(inputs=tmp_path / "x.npy", count=2).load((1, 2, 2), None)
    np.testing.assert_array_equal(some.values, values[:2])


def test_a_file_that_is_none(tmp_path):
    path = tmp_path / "x.npy"
    with pytest.raises(
        UserError, match=r"^--inputs .*x\.npy cannot be read as a NumPy array \(.*No"
    ):
        ImageSource(inputs=path).load((1, 2, 2), None)
    path.write_bytes(b"")
    with pytest.raises(UserError, match=r"write it with numpy\.save, float32, batch first$"):
        ImageSource(inputs=path).load((1, 2, 2), None)


@pytest.mark.torch
def test_a_data_set_has_labels():
    found = ImageSource(dataset="digits", count=5).load((1, 8, 8), None)
    assert found.values.shape == (5, 1, 8, 8) and found.labels.shape == (5,)


@pytest.mark.torch
def test_a_data_set_of_another_shape():
    told = (
        r"^--dataset digits: its images are \(1, 8, 8\), the model takes \(3, 32, 32\): prepare "
        r"them yourself and give them with --inputs$"
    )
    with pytest.raises(UserError, match=told):
        ImageSource(dataset="digits").load((3, 32, 32), None)


def test_own_labels_and_expected_outputs(tmp_path):
    def saved(name, values):
        np.save(tmp_path / name, values)
        return tmp_path / name

    x = saved("x.npy", np.zeros((3, 2), np.float32))
    labels, y = saved("l.npy", np.array([[2.0], [0.0], [1.0]])), saved("y.npy", np.eye(3))
    found = ImageSource(inputs=x, labels=labels, expected=y).load((2,), None)
    assert found.labels.tolist() == [2, 0, 1] and found.labels.dtype == np.int64
    assert found.expected.dtype == np.float32 and (found.expected == np.eye(3)).all()
    some = ImageSource(inputs=x, labels=labels, expected=y, count=2).load((2,), None)
    assert some.labels.tolist() == [2, 0] and len(some.expected) == 2

    for wrong, told in (
        (saved("a.npy", np.zeros(2)), r"^--labels .*: it has 2 frames, and the inputs have 3$"),
        (saved("b.npy", np.eye(3)), r"shape \(3, 3\): give one whole number for each frame"),
        (saved("c.npy", np.full(3, 0.5)), "give one whole number for each frame"),
        (tmp_path / "none.npy", r"^--labels .* numpy\.save, one whole number for each frame$"),
    ):
        with pytest.raises(UserError, match=told):
            ImageSource(inputs=x, labels=wrong).load((2,), None)
    with pytest.raises(UserError, match=r"^--expected .*: it has 2 frames, and the inputs have 3"):
        ImageSource(inputs=x, expected=saved("d.npy", np.zeros((2, 3)))).load((2,), None)


def test_random_frames_are_the_callers():
    asked = []

    def randomly(count):
        asked.append(count)
        return np.ones((count, 2), np.float32)

    found = ImageSource(random=5).load((2,), None, randomly)
    assert asked == [5] and found.values.shape == (5, 2)
    assert found.labels is None and found.expected is None
