# SPDX-License-Identifier: BSD-3-Clause
"""The crops that are usual for ImageNet; Pillow decodes the images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

SCALE = (0.08, 1.0)
ASPECT = (3 / 4, 4 / 3)
TRIES = 10


def random_crop(path: str, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Read a random part of an image, half the time mirrored: uint8 ``(3, size, size)``.

    As is usual for ImageNet: a rectangle of 8 to 100 % of the area and of an aspect ratio from 3:4
    to 4:3, at a random place.
    """
    image = _rgb(path)
    left, top, width, height = random_box(image.width, image.height, rng)
    pixels = _resized(image.crop((left, top, left + width, top + height)), size, size)
    if rng.random() < 0.5:
        pixels = pixels[:, :, ::-1]
    return pixels


def centre_crop(path: str, size: int) -> NDArray[np.uint8]:
    """Read the middle of an image: uint8 ``(3, size, size)``.

    As is usual for ImageNet, the image is scaled before: its shorter side to 256/224 of `size`.
    """
    image = _rgb(path)
    scale = size * 256 / 224 / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    return _resized(image, width, height)[:, top : top + size, left : left + size]


def random_box(width: int, height: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Choose left, top, width and height, in pixels."""
    for _ in range(TRIES):
        area = width * height * rng.uniform(*SCALE)
        aspect = math.exp(rng.uniform(math.log(ASPECT[0]), math.log(ASPECT[1])))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1)), w, h
    # A very long image: its middle, at the nearest allowed aspect ratio.
    w = min(width, max(1, round(height * ASPECT[1])))
    h = min(height, max(1, round(width / ASPECT[0])))
    return (width - w) // 2, (height - h) // 2, w, h


def _rgb(path: str) -> Image.Image:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    # Pillow's decoders raise any of these for a damaged file.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{path}: cannot be decoded ({error}); copy the image again, or delete it"
        ) from error


def _resized(image: Image.Image, width: int, height: int) -> NDArray[np.uint8]:
    from PIL import Image

    pixels: NDArray[np.uint8] = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return pixels.transpose(2, 0, 1)
