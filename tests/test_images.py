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
