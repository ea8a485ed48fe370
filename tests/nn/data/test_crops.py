# SPDX-License-Identifier: BSD-3-Clause
import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")

from bonn_hw.nn.data import crops


def test_centre_crop_takes_the_middle_of_the_resized_image(tmp_path):
    pixels = np.zeros((256, 400, 3), np.uint8)
    pixels[16:240, 88:312] = (10, 100, 200)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    middle = crops.centre_crop(str(tmp_path / "a.png"), 224)
    assert middle.shape == (3, 224, 224)
    assert middle.reshape(3, -1).min(1).tolist() == [10, 100, 200]
    assert middle.reshape(3, -1).max(1).tolist() == [10, 100, 200]


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGBA", "P"])
def test_other_colours_become_rgb(tmp_path, mode):
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new("RGB", (32, 32), (102, 102, 102)).convert(mode).save(path)
    pixels = crops.centre_crop(str(path), 16)
    assert np.all(np.abs(pixels.astype(int) - 102) <= 2)


def test_random_boxes_lie_inside_with_the_usual_areas_and_ratios():
    rng = np.random.default_rng(0)
    areas = []
    for _ in range(500):
        left, top, width, height = crops.random_box(300, 200, rng)
        assert 0 <= left <= 300 - width and 0 <= top <= 200 - height
        assert 0.7 < width / height < 1.4
        areas.append(width * height / 60000)
    assert 0.07 < min(areas) < 0.12 and max(areas) > 0.8
    # Of a very long image no part is as large: the middle is taken.
    left, top, width, height = crops.random_box(4000, 10, rng)
    assert (left, top, width, height) == (1993, 0, 13, 10)


def test_random_crop_mirrors_half_of_the_time(tmp_path):
    ramp = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[None, :, None], 64, 0)
    Image.fromarray(np.broadcast_to(ramp, (64, 64, 3)).copy()).save(tmp_path / "a.png")
    mirrored = [
        crop[0, 0, 0] > crop[0, 0, -1]
        for crop in (
            crops.random_crop(str(tmp_path / "a.png"), 8, np.random.default_rng(i))
            for i in range(100)
        )
    ]
    assert 35 < sum(mirrored) < 65
