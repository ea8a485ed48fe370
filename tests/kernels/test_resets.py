# SPDX-License-Identifier: BSD-3-Clause
"""The bench of kernels sees a reset that is missing, and a stream that breaks its rules."""

import shutil

import numpy as np
import pytest

from bonn_hw.emit.write import templates_folder
from bonn_hw.errors import Hang
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.label_select import LabelSelect
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.threshold import Threshold
from tests.support.bench import prove

pytestmark = pytest.mark.rtl

KIND = TensorType((2, 3, 4), Element(-4, 3))
THRESHOLD = Threshold(KIND, np.arange(4) - 2, np.zeros(4, bool))
LABELS = LabelSelect(TensorType((1, 1, 6), Element(0, 7)))
BORDER = Pad(TensorType((2, 2, 2), BIPOLAR), (1, 1, 1, 1), -1)


def planted(folder, file, ours, wrong):
    """Our RTL with one fault."""
    templates = shutil.copytree(templates_folder(), folder / "templates")
    text = (templates / file).read_text()
    assert text.count(ours) == 1
    (templates / file).write_text(text.replace(ours, wrong))
    return templates


@pytest.mark.parametrize(
    ("kernel", "folding", "file", "ours", "wrong", "message"),
    [
        # Resets that are missing.
        (THRESHOLD, Folding(2, 2), "threshold.sv", "if (rst) m_axis_tvalid <= 1'b0;\n    else ", "",
         "tvalid of the streams is|not equal|outputs too much"),
        (BORDER, Folding(1, 1), "pad.sv", "if (rst) m_axis_tvalid <= 1'b0;\n    else ", "",
         "tvalid of the streams is|not equal|outputs too much"),
        (LABELS, Folding(1, 2), "label_select.sv", "if (rst) base <= '0;\n      else ", "",
         "not equal"),
        # Streams that break a rule, of which no answer tells.
        (BORDER, Folding(1, 1), "pad.sv", "m_axis_tvalid <= step || !ce;",
         "m_axis_tvalid <= step;", "streams 10: a beat was withdrawn before it was taken"),
    ],
)  # fmt: skip
def test_a_fault_is_found(kernel, folding, file, ours, wrong, message, tmp_path):
    templates = planted(tmp_path, file, ours, wrong)
    with pytest.raises((AssertionError, Hang, RuntimeError), match=f"(?i){message}"):
        prove(kernel, folding, tmp_path, templates)
