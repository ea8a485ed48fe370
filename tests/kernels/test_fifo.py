# SPDX-License-Identifier: BSD-3-Clause
import pytest

from bench import prove
from bonn_hw.ir.design import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.fifo import Fifo


@pytest.mark.rtl
@pytest.mark.parametrize(("depth", "lanes"), [(2, 1), (3, 4), (5, 2), (64, 1)])
def test_rtl(depth, lanes, tmp_path):
    kernel = Fifo(TensorType((3, 3, 4), Element(-4, 3)), depth)
    prove(kernel, Folding(lanes, lanes), tmp_path)


def test_depth_one_is_refused():
    with pytest.raises(ValueError, match="a FIFO of depth 1 would halve the rate: at least 2"):
        Fifo(TensorType((1, 1, 1), BIPOLAR), 1)
