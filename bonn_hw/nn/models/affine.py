# SPDX-License-Identifier: BSD-3-Clause
"""One multiplication and one addition: what norms and levels become in the exported model."""

from __future__ import annotations

from torch import Tensor, nn


class Affine(nn.Module):
    """x * gain + shift, both ``(C, 1, 1)``."""

    gain: Tensor
    shift: Tensor

    def __init__(self, gain: Tensor, shift: Tensor):
        super().__init__()
        self.register_buffer("gain", gain)
        self.register_buffer("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to the same shape."""
        return x * self.gain + self.shift
