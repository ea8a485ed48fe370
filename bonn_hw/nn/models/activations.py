# SPDX-License-Identifier: BSD-3-Clause
"""Tensor quantisers for activations, with surrogate gradients.

They compute the same values as Brevitas' own, in half the time on a CPU, or with a gradient that
Brevitas does not have.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from brevitas.core.bit_width import BitWidthConst
from brevitas.core.utils import StatelessBuffer
from torch import Tensor, nn

from bonn_hw.nn.models.quantized_layer import applied

COLDEST, HOTTEST = 0.1, 10.0
"""Factors of x in EDE's tanh, at the start of the training and at its end."""


def inside(grad: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    """`grad` where ``low <= x <= high``, else 0: all three tensors have one shape.

    PyTorch's hardtanh does this in one pass, which a comparison and a product take five times as
    long for; its bounds are excluded, hence the next floats outside of them.
    """
    wide = np.float64 if x.dtype == torch.float64 else np.float32  # what it compares in
    below, above = np.nextafter(np.array([low, high], wide), np.array([-np.inf, np.inf], wide))
    inner: Tensor = torch.ops.aten.hardtanh_backward(grad, x, float(below), float(above))
    return inner


def _window(grad: Tensor, x: Tensor, factor: float) -> Tensor:
    return inside(grad, x, -1, 1)


def _triangle(grad: Tensor, x: Tensor, factor: float) -> Tensor:
    return x.abs().clamp_(max=1).mul_(-2).add_(2).mul_(grad)


def _ede(grad: Tensor, x: Tensor, factor: float) -> Tensor:
    slope = x.mul(factor).tanh_().square_().neg_().add_(1).mul_(max(factor, 1.0))
    return slope.mul_(grad)


def _sine(grad: Tensor, x: Tensor, factor: float) -> Tensor:
    # Beyond 1, cos(pi/2 x) would be negative.
    return x.clamp(-1, 1).mul_(math.pi / 2).cos_().mul_(math.pi / 2).mul_(grad)


SIGN_GRADIENTS: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "window": _window,
    "triangle": _triangle,
    "ede": _ede,
    "sine": _sine,
}
"""Name -> the gradient of x, from that of its sign, x, and EDE's factor. The derivative is:

* ``window``: derivative of x clipped to [-1, 1]: 1 where |x| <= 1, else 0;
* ``triangle``: derivative of Bi-Real Net's piecewise polynomial (ECCV 2018): 2 - 2|x| where
  |x| <= 1, else 0;
* ``ede``: derivative of k tanh(t x), k = max(1 / t, 1) (IR-Net, CVPR 2020). t rises exponentially
  over the epochs: all inputs are learnt at the start, and the sign is met closely at the end;
* ``sine``: derivative of sin(pi/2 x) where |x| <= 1, else 0.
"""


class Sign(torch.autograd.Function):
    """sign(x) in the forward pass; in the backward pass the derivative of a similar function."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gradient: str, factor: float) -> Tensor:
        """Map x, of any shape, to its signs; `gradient` is one of `SIGN_GRADIENTS`."""
        ctx.save_for_backward(x)
        ctx.gradient, ctx.factor = SIGN_GRADIENTS[gradient], factor
        # Seven times as fast as torch.where. The sum turns -0 into 0, whose sign is +1.
        return torch.copysign(x.new_ones(()), x + 0.0)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """The gradient of x."""
        x: Tensor = ctx.saved_tensors[0]
        return ctx.gradient(grad, x, ctx.factor), None, None


class SignQuant(nn.Module):
    """Brevitas' tensor quantiser for 1-bit activations.

    Parameters
    ----------
    sign_gradient
        One of `SIGN_GRADIENTS`.
    """

    def __init__(self, sign_gradient: str):
        super().__init__()
        self.gradient = sign_gradient
        self.factor = COLDEST
        self.scale = StatelessBuffer(torch.tensor(1.0))
        self.zero_point = StatelessBuffer(torch.tensor(0.0))
        self.bit_width = BitWidthConst(1)

    def follow(self, share: float) -> None:
        """Set EDE's factor for the `share` of the training that is done."""
        self.factor = COLDEST * (HOTTEST / COLDEST) ** share

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Map x to its signs; also return scale, zero point and bit width, for Brevitas."""
        y = applied(Sign, x, self.gradient, self.factor)
        return y, self.scale(), self.zero_point(), self.bit_width()


class RoundToGrid(torch.autograd.Function):
    """Round to a multiple of a scale, half to even, and clip; gradient 1 inside the range."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float, low: int, high: int) -> Tensor:
        """Map x, of any shape, to `scale` times integers from `low` to `high`."""
        ctx.save_for_backward(x)
        ctx.range = low * scale, high * scale
        return x.div(scale).round_().clamp_(low, high).mul_(scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        """The gradient of x."""
        x: Tensor = ctx.saved_tensors[0]
        return inside(grad, x, *ctx.range), None, None, None


class GridQuant(nn.Module):
    """Brevitas' tensor quantiser for signed integers with a constant power-of-two scale.

    Parameters
    ----------
    grid_scale
        The scale.
    bit_width
        Bits of the integers.
    """

    def __init__(self, grid_scale: float, bit_width: int):
        super().__init__()
        self.grid_scale = grid_scale
        self.low, self.high = -(2 ** (bit_width - 1)), 2 ** (bit_width - 1) - 1
        self.scale = StatelessBuffer(torch.tensor(grid_scale))
        self.zero_point = StatelessBuffer(torch.tensor(0.0))
        self.bit_width = BitWidthConst(bit_width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Round x to the grid; also return scale, zero point and bit width, for Brevitas."""
        y = applied(RoundToGrid, x, self.grid_scale, self.low, self.high)
        return y, self.scale(), self.zero_point(), self.bit_width()


SLOPES = 2.0**-8, 2.0
"""Range of the slopes on powers of two; positive, so that the function rises."""


class PowerOfTwoPReLU(nn.PReLU):
    """A PReLU whose slopes are rounded to powers of two: shifts in hardware.

    The gradient of a slope is that of the rounded one, inside the range and outside of it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, ...)`` to the same shape."""
        rounded = self.rounded()
        slopes = self.weight + (rounded - self.weight.detach()) if self.training else rounded
        return nn.functional.prelu(x, slopes)

    def rounded(self) -> Tensor:
        """The slopes ``(C,)`` on powers of two, without gradient."""
        return torch.exp2(self.weight.detach().clamp(*SLOPES).log2().round())

    def folded(self) -> nn.PReLU:
        """The same function as a plain PReLU."""
        prelu = nn.PReLU(self.num_parameters)
        prelu.weight = nn.Parameter(self.rounded())
        return prelu.train(self.training)
