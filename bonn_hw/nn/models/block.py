# SPDX-License-Identifier: BSD-3-Clause
"""The block of chains: a 1-bit layer, a batch norm, a sign and optionally copies and a pool."""

from __future__ import annotations

from torch import Tensor, nn

from bonn_hw.nn.models.quantized_layer import QuantizedLayer


class Block(nn.Module):
    """A 1-bit layer: matrix product, batch norm, sign and, with `pool`, a 2x2 max-pool.

    The pool is after the sign, where it is an OR of bits; before it, it would compare integers.
    After pruning `copies` are between product and norm, so that every channel has its own norm.
    """

    def __init__(
        self,
        matrix: QuantizedLayer,
        norm: nn.BatchNorm1d | nn.BatchNorm2d,
        sign: nn.Module,
        pool: bool = False,
        copies: nn.Module | None = None,
    ):
        super().__init__()
        self.matrix = matrix
        self.copies = nn.Identity() if copies is None else copies
        self.norm = norm
        self.sign = sign
        self.pool = nn.MaxPool2d(2) if pool else None

    def activate(self, accumulators: Tensor) -> Tensor:
        """Map the matrix product's outputs, copied, to -1 and +1, same shape."""
        signs: Tensor = self.sign(self.norm(accumulators))
        return signs

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` or ``(N, features)`` of the previous layer to this layer's signs."""
        x = self.activate(self.copies(self.matrix(x)))
        if self.pool is not None:
            x = self.pool(x)
        return x
