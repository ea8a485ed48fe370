# SPDX-License-Identifier: BSD-3-Clause
"""What each part of the flow answers for the same images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.sim.run import SimulationRun


@dataclass(frozen=True, eq=False)
class Answers:
    """What every stage of the flow answers for the same images.

    ``rtl`` and ``integer`` are the integers that leave the accelerator, ``(N, H, W, C)``;
    ``y`` and ``y_integer`` are the same after the host's part, ``qonnx`` is the model's own answer.
    """

    rtl: NDArray[np.int64]
    integer: NDArray[np.integer[Any]]
    y: NDArray[np.float32]
    y_integer: NDArray[np.float32]
    qonnx: NDArray[np.float32]
    run: SimulationRun
