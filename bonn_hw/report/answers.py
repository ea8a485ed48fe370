# SPDX-License-Identifier: BSD-3-Clause
"""The answers of all parts of the flow for the same images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.frontend import PlainComparison
from bonn_hw.sim.run import SimulationRun


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of all parts of the flow for the same images.

    ``rtl`` and ``integer`` are the output integers of the accelerator, ``(N, H, W, C)``: of the RTL
    and of the integer graph. ``y`` and ``y_integer`` are the answers that the host computes from
    them; ``qonnx`` is the answer of the reference, the QONNX model with exact sums; ``plain``
    compares it with ONNX Runtime on the file as it is, whose float sums are rounded;
    ``rounded`` is that answer of ONNX Runtime.
    """

    rtl: NDArray[np.int64]
    integer: NDArray[np.integer[Any]]
    y: NDArray[np.float32]
    y_integer: NDArray[np.float32]
    qonnx: NDArray[np.float32]
    plain: PlainComparison
    run: SimulationRun
    rounded: NDArray[np.float32] | None = None
