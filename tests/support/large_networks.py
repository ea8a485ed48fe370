# SPDX-License-Identifier: BSD-3-Clause
"""The two large networks of FINN's examples, by their topology, with random weights."""

from __future__ import annotations

import numpy as np

from tests.support.sketch import Sketch

# MobileNet-v1: channels and stride of each depthwise separable block (Howard et al., table 1).
BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)
# ResNet-50: bottlenecks of each stage, their inner channels, and the stride of the first.
STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))
EXPANSION = 4


def _activated(sketch: Sketch, channels: int, products: int, bits: int, weight: float) -> None:
    """A norm with statistics as after training, a ReLU, and a quantiser of so many bits."""
    spread = np.sqrt(products) * weight * 0.6
    sketch.norm(channels, spread, np.abs(sketch.random.normal(1, 0.3, channels)))
    sketch.add("Relu").quant(bits, signed=0, scale=2.0 ** (2 - bits))


def mobilenet_v1(extent: int = 224, classes: int = 1000) -> Sketch:
    """MobileNet-v1 w4a4, as FINN's: 8-bit images, four bits in all layers."""
    sketch = Sketch(3, extent, extent).quant(8, signed=0, scale=2.0**-8)
    sketch.few_bit_conv(32, 3, (3, 3), bits=4, strides=(2, 2), pads=(1, 1, 1, 1))
    _activated(sketch, 32, 27, 4, 1.2)
    before = 32
    for channels, stride in BLOCKS:
        given = {"group": before, "strides": (stride, stride), "pads": (1, 1, 1, 1)}
        sketch.few_bit_conv(before, 1, (3, 3), bits=4, **given)
        _activated(sketch, before, 9, 4, 1.2)
        sketch.few_bit_conv(channels, before, (1, 1), bits=4)
        _activated(sketch, channels, before, 4, 1.2)
        before = channels
    sketch.add("GlobalAveragePool").quant(4, signed=0, scale=0.25).flatten()
    return sketch.few_bit_dense(before, classes, bits=4)


def resnet50(extent: int = 224, classes: int = 1000) -> Sketch:
    """ResNet-50 w1a2: sums of four bits between blocks, two bits inside them.

    FINN's has eight bits in the last layer; with four it fits the block memory of a Zynq board.
    """
    sketch = Sketch(3, extent, extent).quant(8, signed=0, scale=2.0**-8)
    sketch.few_bit_conv(64, 3, (7, 7), bits=8, strides=(2, 2), pads=(3, 3, 3, 3))
    _activated(sketch, 64, 147, 4, 18.0)
    sketch.pool((3, 3), (2, 2), pads=(1, 1, 1, 1))
    before = 64
    for count, inner, first in STAGES:
        for place in range(count):
            before = _bottleneck(sketch, before, inner, first if place == 0 else 1)
    sketch.add("GlobalAveragePool").quant(4, signed=0, scale=0.25).flatten()
    return sketch.few_bit_dense(before, classes, bits=4)


def _bottleneck(sketch: Sketch, before: int, inner: int, stride: int) -> int:
    """Three convolutions of one bit, and a shortcut; returns the channels after it."""
    entry, after = sketch.last, inner * EXPANSION
    shortcut = entry
    if before != after or stride > 1:
        sketch.conv(after, before, (1, 1), strides=(stride, stride))
        sketch.norm(after, np.sqrt(before)).quant(4, scale=0.25)
        shortcut = sketch.last
    else:
        sketch.quant(4, scale=0.25)
        shortcut = sketch.last
    sketch.last = entry
    sketch.conv(inner, before, (1, 1))
    _activated(sketch, inner, before, 2, 1.0)
    sketch.conv(inner, inner, (3, 3), strides=(stride, stride), pads=(1, 1, 1, 1))
    _activated(sketch, inner, inner * 9, 2, 1.0)
    sketch.conv(after, inner, (1, 1)).norm(after, np.sqrt(inner)).quant(4, scale=0.25)
    sketch.join(shortcut).add("Relu").quant(4, signed=0, scale=0.25)
    return after
