# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.max_pool import MaxPool
from tests.support.bench import prove


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("shape", "element", "kernel", "lanes"),
    [
        ((4, 6, 4), BIPOLAR, (2, 2), 2),
        ((5, 7, 3), BIPOLAR, (2, 3), 1),  # rows and columns over
        ((6, 5, 2), Element(-128, 127), (3, 2), 2),
        ((4, 4, 4), Element(0, 200), (2, 2), 1),
        ((18, 1, 3), BIPOLAR, (9, 1), 3),  # as it follows a sliding window
        ((3, 3, 1), BIPOLAR, (1, 1), 1),
        ((2, 2, 5), Element(-3, 60), (2, 2), 5),
    ],
)
def test_rtl(shape, element, kernel, lanes, tmp_path):
    prove(MaxPool(TensorType(shape, element), kernel), Folding(lanes, lanes), tmp_path)


def test_reference_drops_what_is_over():
    kernel = MaxPool(TensorType((3, 3, 1), Element(-9, 9)), (2, 2))
    frame = np.array([[-5, -4, 9], [-7, -6, 9], [9, 9, 9]]).reshape(1, 3, 3, 1)
    assert kernel.reference(frame)[0].ravel().tolist() == [-4]
