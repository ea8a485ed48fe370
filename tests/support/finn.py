# SPDX-License-Identifier: BSD-3-Clause
"""FINN's environment in tests: whether it is there, and its scripts."""

from __future__ import annotations

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
