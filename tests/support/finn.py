# SPDX-License-Identifier: BSD-3-Clause
"""FINN's environment in tests: whether it is there, and its scripts."""

from __future__ import annotations

import numpy as np

from bonn_hw.errors import ToolMissing
from bonn_hw.interop import finn_environment
from tests.support.environment import absent
from tests.support.sketch import Sketch


def need() -> None:
    """Without FINN's environment the test is skipped; in CI it fails."""
    try:
        finn_environment.python()
    except ToolMissing:
        absent("FINN's environment ('make finn-env')")


def run(script: str, *arguments) -> None:
    """Run a script of ``flows/scripts/finn``."""
    need()
    finn_environment.run(script, *arguments, progress=lambda text: None)


def small_cnn(pads=(0, 0, 0, 0), seed=0) -> Sketch:
    """Two convolutions, a pool and a dense layer on 2x12x12 frames of 8 bits, weights of one."""
    rows = 12 - 2 + pads[0] + pads[2]
    made = Sketch(2, 12, 12, seed=seed).quant(8, scale=1 / 128)
    signs = made.signs(8)
    made.bit_conv(8, 2, pads=pads).norm(8, spread=100.0, gamma=signs).sign()
    made.bit_conv(8, 8, pads=pads).norm(8, gamma=signs).sign()
    made.pool(pads=(0, 0, 0, 0))
    rows = (rows - 2 + pads[0] + pads[2]) // 2
    return made.flatten().bit_dense(8 * rows * rows, 6)


def few_bits(normed: tuple[float, ...] = (), last: float = 0.0) -> Sketch:
    """Two convolutions, a pool and a dense layer of few bits on 2x6x6 frames.

    Without norms all scales are powers of two, and many values are ties of the quantisers. Else
    ``normed`` are the gammas of four channels; ``last`` is the scale of a quantiser at the end.
    """
    sides = {"strides": (1, 1), "dilations": (1, 1), "group": 1, "pads": (0, 0, 0, 0)}
    made = Sketch(2, 6, 6).quant(4, scale=1 / 8)
    made.few_bit_conv(4, 2, bits=3, scale=0.25, **sides)
    if normed:
        made.norm(4, spread=1.0, gamma=normed)
    made.add("Relu").quant(3, signed=0, scale=0.5)
    made.few_bit_conv(4, 4, kernel=(1, 1), bits=2, scale=0.5, **sides)
    if normed:
        made.norm(4, spread=1.0, gamma=np.abs(normed))
    made.quant(3, signed=1, scale=0.5, narrow=1).pool(pads=(0, 0, 0, 0)).flatten()
    made.few_bit_dense(16, 5, bits=4)
    return made.quant(3, scale=last) if last else made
