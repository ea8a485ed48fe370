# SPDX-License-Identifier: BSD-3-Clause
"""The first value that differs, and its sentence."""

from dataclasses import replace

import numpy as np

from bonn_hw.report.first_difference import differing, place, sentence


def test_the_first_by_frame_then_in_the_order_of_the_stream():
    values = np.arange(2 * 2 * 3 * 10).reshape(2, 2, 3, 10)
    assert differing(values, values, reference="r", layer="l") is None
    other = values.copy()
    other[1, 0, 2, 9] += 1
    other[1, 1, 0, 0] += 1
    found = differing(values, other, reference="integer graph", layer="l", stage="s", first_frame=3)
    assert (found.frame, found.place) == (4, (0, 2, 9))
    assert found.expected == found.value + 1 == 90.0
    assert found.channel == 5 and len(found.values_around) == 5
    assert found.expected_around == (*found.values_around[:4], 90.0)
    text = (
        "first difference: layer l (s), frame 4, row 0, column 2, channel 9: 89, and 90 by the "
        "integer graph"
    )
    assert sentence(found) == text
    found = replace(found, cycle=1234, cycle_frame=4)
    assert sentence(found) == f"{text}, in cycle 1,234 of a simulation from frame 4 on"


def test_outputs_of_a_model():
    nan = np.float32("nan")
    values, other = np.array([[1, nan, 3]], np.float32), np.array([[1, nan, 2.5]], np.float32)
    found = differing(values, other, reference="expected outputs", layer="outputs")
    assert place(found) == "outputs, frame 0, output 2"
    assert found.expected == 2.5
