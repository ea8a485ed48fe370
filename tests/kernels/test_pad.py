# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.pad import Pad
from tests.support.bench import prove


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("shape", "element", "pads", "value", "lanes"),
    [
        ((3, 5, 4), BIPOLAR, (1, 1, 1, 1), -1, 2),
        ((2, 3, 6), BIPOLAR, (2, 0, 1, 3), 1, 6),
        ((3, 2, 2), Element(-128, 127), (0, 1, 2, 0), 0, 1),
        ((1, 1, 3), Element(0, 5), (3, 3, 3, 3), 0, 3),
        ((2, 2, 1), BIPOLAR, (0, 0, 0, 0), 1, 1),
    ],
)
def test_rtl(shape, element, pads, value, lanes, tmp_path):
    prove(Pad(TensorType(shape, element), pads, value), Folding(lanes, lanes), tmp_path)


def test_reference_puts_the_value_round_the_frame():
    kernel = Pad(TensorType((1, 1, 2), Element(0, 9)), (1, 0, 0, 1), 7)
    (padded,) = kernel.reference(np.array([[[[3, 4]]]]))
    assert padded[0].tolist() == [[[7, 7], [7, 7]], [[3, 4], [7, 7]]]


def test_a_value_that_the_element_lacks_is_refused():
    with pytest.raises(ValueError, match="pad value 0 is not one of 1x1x1 bipolar"):
        Pad(TensorType((1, 1, 1), BIPOLAR), (1, 1, 1, 1), 0)
