# SPDX-License-Identifier: BSD-3-Clause
"""Networks of the field, by their topology, with random weights: FINN's examples, and others.

The sources are the networks of finn-examples, and the papers that the docstrings name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tests.support.large_networks import mobilenet_v1, resnet50
from tests.support.sketch import Sketch


@dataclass(frozen=True)
class Network:
    """A network, and what a run of it is asked for.

    Attributes
    ----------
    frames : int
        Frames for which the integer graph is compared with the reference.
    simulated : int
        Frames in RTL.
    """

    build: Callable[[], Sketch]
    board: str = "pynq-z2"
    fps: float = 1000.0
    frames: int = 100
    simulated: int = 3


def activated(sketch: Sketch, channels: int, products: int, bits: int, weight: float) -> Sketch:
    """A norm with statistics as after training, and a sign or a ReLU with its quantiser.

    Parameters
    ----------
    products : int
        How many are added to a sum.
    weight : float
        Usual size of a weight times that of an activation.
    """
    spread = np.sqrt(products) * weight
    if bits == 1:
        return sketch.norm(channels, spread).sign()
    sketch.norm(channels, spread, np.abs(sketch.random.normal(1, 0.3, channels)))
    return sketch.add("Relu").quant(bits, signed=0, scale=2.0 ** (2 - bits))


def convolved(sketch: Sketch, outputs: int, inputs: int, bits: int, kernel=(3, 3), **given):
    if bits == 1:
        return sketch.conv(outputs, inputs, kernel, **given)
    return sketch.few_bit_conv(outputs, inputs, kernel, bits=bits, scale=0.5, **given)


def dense(sketch: Sketch, inputs: int, outputs: int, bits: int) -> Sketch:
    if bits == 1:
        return sketch.dense(inputs, outputs)
    return sketch.few_bit_dense(inputs, outputs, bits=bits, scale=0.5)


def perceptron(*widths: int, bits: int, activations: int, first: int = 8) -> Sketch:
    """Dense layers of these widths; the input has ``first`` bits, 1 for −1 and +1."""
    sketch = Sketch(widths[0])
    if first == 1:
        sketch.sign()
    else:
        sketch.quant(first, scale=2.0 ** (2 - first))
    for wide, high in pairwise(widths[:-1]):
        activated(dense(sketch, wide, high, bits), high, wide, activations, 1.0)
    return dense(sketch, widths[-2], widths[-1], bits)


def cnv(weights: int, activations: int, classes: int = 10) -> Sketch:
    """FINN's CNV (Umuroglu et al., 2017): six convolutions, two pools, three dense layers."""
    sketch, before = Sketch(3, 32, 32).quant(8, scale=2.0**-7), 3
    for width, pooled in ((64, 0), (64, 1), (128, 0), (128, 1), (256, 0), (256, 0)):
        convolved(sketch, width, before, weights)
        activated(sketch, width, 9 * before, activations, 1.0)
        if pooled:
            sketch.pool()
        before = width
    sketch.flatten()
    for wide, high in ((256, 512), (512, 512)):
        activated(dense(sketch, wide, high, weights), high, wide, activations, 1.0)
    return dense(sketch, 512, classes, weights)


def radioml() -> Sketch:
    """VGG10 over 1,024 samples of two channels, w4a4, as for RadioML (O'Shea et al., 2018)."""
    sketch, before = Sketch(2, 1024).quant(8, scale=2.0**-6), 2
    for _ in range(7):
        convolved(sketch, 64, before, 4, (3,), pads=(1, 1))
        activated(sketch, 64, 3 * before, 4, 1.5).pool((2,), (2,))
        before = 64
    sketch.flatten()
    for wide in (512, 128):
        activated(dense(sketch, wide, 128, 4), 128, wide, 4, 1.5)
    return dense(sketch, 128, 24, 4)


def unet() -> Sketch:
    """Two levels down, and up again, with the finer maps beside the coarse ones; w2a2."""
    sketch, kept, before = Sketch(3, 32, 32).quant(8, scale=2.0**-7), [], 3
    same = {"pads": (1, 1, 1, 1)}
    for width in (16, 32):
        activated(convolved(sketch, width, before, 2, **same), width, 9 * before, 2, 1.0)
        kept.append((sketch.last, width))
        sketch.pool()
        before = width
    activated(convolved(sketch, 64, before, 2, **same), 64, 9 * before, 2, 1.0)
    before = 64
    given = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    for fine, width in reversed(kept):
        scales = np.zeros(0, np.float32), np.array([1, 1, 2, 2], np.float32)
        sketch.add("Resize", *scales, **given)
        sketch._behind("Concat", [sketch.last, fine], "", axis=1)
        wide = before + width
        activated(convolved(sketch, width, wide, 2, **same), width, 9 * wide, 2, 1.0)
        before = width
    return convolved(sketch, 4, before, 2, (1, 1))


def separable() -> Sketch:
    """Depthwise and pointwise convolutions of four bits, and a mean."""
    sketch, before = Sketch(3, 32, 32).quant(8, scale=2.0**-7), 16
    activated(convolved(sketch, 16, 3, 4, strides=(2, 2), pads=(1, 1, 1, 1)), 16, 27, 4, 1.5)
    for width, stride in ((32, 1), (64, 2), (64, 1)):
        given = {"group": before, "strides": (stride, stride), "pads": (1, 1, 1, 1)}
        activated(convolved(sketch, before, 1, 4, **given), before, 9, 4, 1.5)
        activated(convolved(sketch, width, before, 4, (1, 1)), width, before, 4, 1.5)
        before = width
    sketch.add("GlobalAveragePool").quant(4, signed=0, scale=0.25).flatten()
    return dense(sketch, before, 10, 4)


def fire() -> Sketch:
    """Two fire modules of SqueezeNet (Iandola et al., 2016), w2a4."""
    sketch, before = Sketch(3, 32, 32).quant(8, scale=2.0**-7), 16
    activated(convolved(sketch, 16, 3, 2, strides=(2, 2), pads=(1, 1, 1, 1)), 16, 27, 4, 1.0)
    for squeezed, width in ((8, 16), (8, 32)):
        activated(convolved(sketch, squeezed, before, 2, (1, 1)), squeezed, before, 4, 1.0)
        entry, ends = sketch.last, []
        for size in (1, 3):
            sketch.last = entry
            convolved(sketch, width, squeezed, 2, (size, size), pads=(size // 2,) * 4)
            ends.append(activated(sketch, width, size * size * squeezed, 4, 1.0).last)
        sketch._behind("Concat", ends, "", axis=1)
        sketch.pool()
        before = 2 * width
    sketch.add("GlobalAveragePool").quant(4, signed=0, scale=0.25).flatten()
    return dense(sketch, before, 10, 2)


def inverted_residual() -> Sketch:
    """MobileNet-v2's blocks (Sandler et al., 2018): sums of four bits between them, w4a4."""
    sketch, width, inner = Sketch(3, 16, 16).quant(8, scale=2.0**-7), 8, 32
    convolved(sketch, width, 3, 4, pads=(1, 1, 1, 1)).norm(width, 4.0).quant(4, scale=0.25)
    for _ in range(2):
        entry = sketch.last
        activated(convolved(sketch, inner, width, 4, (1, 1)), inner, width, 4, 1.5)
        given = {"group": inner, "pads": (1, 1, 1, 1)}
        activated(convolved(sketch, inner, 1, 4, **given), inner, 9, 4, 1.5)
        convolved(sketch, width, inner, 4, (1, 1)).norm(width, 6.0).quant(4, scale=0.25)
        sketch.join(entry).quant(4, scale=0.25)
    sketch.add("GlobalAveragePool").quant(4, scale=0.125).flatten()
    return dense(sketch, width, 10, 4)


def keyword_cnn() -> Sketch:
    """A 1D keyword spotter over 40 coefficients of 98 windows, w2a2."""
    sketch, before = Sketch(40, 98).quant(8, scale=2.0**-7), 40
    for width, stride in ((32, 2), (48, 2), (64, 2)):
        convolved(sketch, width, before, 2, (3,), strides=(stride,), pads=(1, 1))
        activated(sketch, width, 3 * before, 2, 1.0)
        before = width
    sketch.pool((13,), (13,)).flatten()
    return dense(sketch, before, 12, 2)


def two_heads() -> Sketch:
    """One trunk of bits, a class and a box from different layers."""
    sketch = Sketch(3, 16, 16).quant(8, scale=2.0**-7)
    activated(convolved(sketch, 16, 3, 1, strides=(2, 2)), 16, 27, 1, 1.0)
    activated(convolved(sketch, 32, 16, 1, strides=(2, 2)), 32, 144, 1, 1.0).flatten()
    trunk = sketch.last
    boxes = sketch.dense(288, 4, name="box").last
    sketch.last = trunk
    activated(sketch.dense(288, 32), 32, 288, 1, 1.0).dense(32, 10, name="class")
    sketch.outputs = [sketch.last, boxes]
    return sketch


def darknet() -> Sketch:
    """Convolutions of 3x3 and 1x1 bits with activations of four bits (DarkNet; w1a4)."""
    sketch, before = Sketch(3, 32, 32).quant(8, scale=2.0**-7), 3
    for width, size, pooled in ((16, 3, 1), (32, 3, 1), (64, 3, 0), (32, 1, 0), (64, 3, 1)):
        convolved(sketch, width, before, 1, (size, size), pads=(size // 2,) * 4)
        activated(sketch, width, size * size * before, 4, 1.0)
        if pooled:
            sketch.pool()
        before = width
    return convolved(sketch, 25, before, 1, (1, 1))


def bi_real() -> Sketch:
    """Bi-Real Net's blocks (Liu et al., 2018): a shortcut round each 1-bit convolution."""
    return _shortcuts(shifted=False)


def react() -> Sketch:
    """ReActNet's blocks (Liu et al., 2020): shifts before the signs and round a PReLU."""
    return _shortcuts(shifted=True)


def _shortcuts(shifted: bool) -> Sketch:
    sketch, width = Sketch(3, 16, 16).quant(8, scale=2.0**-7), 16

    def shift() -> np.ndarray:
        return sketch.random.normal(0, 0.3, (width, 1, 1)).astype(np.float32)

    sketch.few_bit_conv(width, 3, bits=8, scale=2.0**-7, pads=(1, 1, 1, 1))
    sketch.norm(width, 1.0).quant(8, scale=2.0**-4)
    for _ in range(3):
        entry = sketch.last
        if shifted:
            sketch.add("Add", shift())
        sketch.sign().conv(width, width, pads=(1, 1, 1, 1)).norm(width, 12.0)
        sketch.quant(8, scale=2.0**-4).join(entry)
        if shifted:
            sketch.add("Add", shift()).add("PRelu", np.abs(shift())).add("Add", shift())
        sketch.quant(8, scale=2.0**-4)
    sketch.add("GlobalAveragePool").quant(8, scale=2.0**-5).flatten()
    return sketch.few_bit_dense(width, 10, bits=8, scale=2.0**-7)


FINN = {
    "tfc_w1a1": Network(lambda: perceptron(784, 64, 64, 64, 10, bits=1, activations=1)),
    "tfc_w1a2": Network(lambda: perceptron(784, 64, 64, 64, 10, bits=1, activations=2)),
    "cnv_w1a1": Network(lambda: cnv(1, 1)),
    "cnv_w1a2": Network(lambda: cnv(1, 2)),
    "cnv_w2a2": Network(lambda: cnv(2, 2), board="zcu104"),
    "gtsrb_cnv_w1a1": Network(lambda: cnv(1, 1, classes=43)),
    "kws_mlp_w3a3": Network(lambda: perceptron(490, 256, 256, 256, 12, bits=3, activations=3)),
    "unsw_mlp_w2a2": Network(
        lambda: perceptron(600, 64, 64, 64, 1, bits=2, activations=2, first=1)
    ),
    "radioml_vgg10_w4a4": Network(radioml, board="zcu104"),
    "mobilenet_v1_w4a4": Network(mobilenet_v1, board="zcu104", fps=20, frames=10, simulated=1),
    "resnet50_w1a2": Network(resnet50, board="alveo-u250", fps=500, frames=10, simulated=0),
}
SMALLER = {  # the same layers and weights on smaller images, which take minutes in RTL
    "mobilenet_v1_w4a4_64x64": Network(
        lambda: mobilenet_v1(64), board="zcu104", fps=400, frames=10, simulated=2
    ),
    "resnet50_w1a2_64x64": Network(
        lambda: resnet50(64), board="zcu111", fps=200, frames=10, simulated=2
    ),
}
OTHERS = {
    one.__name__: Network(one)
    for one in (
        *(unet, separable, fire, inverted_residual, keyword_cnn, two_heads, darknet, bi_real),
        react,
    )
}
