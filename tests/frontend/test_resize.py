# SPDX-License-Identifier: BSD-3-Clause
"""Resize: what repeats pixels is exact, and what does not is refused by its attribute."""

import numpy as np
import pytest

from bonn_hw import frontend
from bonn_hw.errors import UnsupportedModel
from tests.support.sketch import Sketch, agree

ASYMMETRIC = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
HALVES = {"coordinate_transformation_mode": "half_pixel"}
REMEDY = "does not just repeat pixels; use nearest neighbours at whole factors"


def resized(opset, down=2.0, **given):
    """A layer of bits whose pixels are doubled, and a layer behind it."""
    scales = np.array([1, 1, down, 2], np.float32)
    region = () if opset < 11 else (np.zeros(0, np.float32),)
    sketch = Sketch(2, 3, 4, opset=opset).quant(4, scale=0.25).conv(3, 2).norm(3).sign()
    return sketch.add("Resize", *region, scales, name="up", **given).conv(2, 3, (1, 1))


@pytest.mark.parametrize(
    ("opset", "given"),
    [(10, {}), (11, ASYMMETRIC), (17, {**HALVES, "nearest_mode": "round_prefer_ceil"})],
)
def test_pixels_are_repeated(opset, given, tmp_path):
    sketch = resized(opset, **given)
    agree(sketch, tmp_path, sketch.random.integers(-8, 8, (4, 2, 3, 4)).astype(np.float32) / 4)


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"coordinate_transformation_mode": "align_corners"},
            f"up: resizes with coordinate_transformation_mode align_corners, which {REMEDY}",
        ),
        (
            {**HALVES, "nearest_mode": "floor"},
            "up: resizes with nearest_mode floor at half_pixel coordinates, which does not just "
            "repeat pixels; use round_prefer_floor or round_prefer_ceil there",
        ),
        ({**ASYMMETRIC, "mode": "linear"}, f"up: resizes with mode linear, which {REMEDY}"),
    ],
)
def test_what_mixes_pixels_is_refused(opset, given, message, tmp_path):
    with pytest.raises(UnsupportedModel) as error:
        frontend.lower(frontend.read(resized(opset, **given).write(tmp_path)))
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("opset", [10, 11, 17])
def test_scales_that_give_whole_factors_by_rounding_are_refused(opset, tmp_path):
    """One row becomes two, but 2.6 is the distance of pixels in the model."""
    sketch = resized(opset, 2.6, **(ASYMMETRIC if opset > 10 else {}))
    with pytest.raises(UnsupportedModel) as error:
        frontend.lower(frontend.read(sketch.write(tmp_path)))
    assert str(error.value) == (
        "up: resizes (3, 1, 2) (channels, height, width) to (3, 2, 4) with scales "
        "[1.0, 1.0, 2.6, 2.0], which does not just repeat pixels; use nearest neighbours at whole "
        "factors (torch.nn.Upsample(scale_factor=2)) and leave batch and channels alone"
    )
