# SPDX-License-Identifier: BSD-3-Clause
"""The 1-bit weights of BONN: the sign of a latent kernel, times the mean of a learnt modulation.

Gu et al., "Bayesian Optimized 1-Bit CNNs", ICCV 2019 (arXiv 1908.06314), algorithm 1 and equations
12 and 15. `quantizers.BayesianWeight` is the Brevitas quantiser that uses it.
"""

from __future__ import annotations

from typing import Any

import torch
from brevitas.core.bit_width import BitWidthConst
from brevitas.core.utils import StatelessBuffer
from torch import Tensor, nn

from bonn_hw.nn.models.quantized_layer import applied

SMALLEST_SCALE = 2.0**-16
RANGES = ("held", "positive", "free")
"""Where w may go, see `ModulatedBinaryQuant`."""
SMALLEST_SHARE = 1 / 16
"""Lower limit of each element of w, as a share of its start."""


class ModulatedSign(torch.autograd.Function):
    """mean(w) * sign(X) in the forward pass; the gradients use the full w, unlike plain autograd.

    With the incoming gradient g and the window 1[|w X| <= 1]:

    * X receives ``g * window * w`` (equation 12);
    * w receives the sum over filters and channels of ``g * window * X`` (equation 15), or, if
      `exact`, the derivative of the forward pass: sum(g * sign(X)) / elements of w.
    """

    @staticmethod
    def forward(ctx: Any, latent: Tensor, modulation: Tensor, scale: Tensor, exact: bool) -> Tensor:
        """Map X ``(C_out, ...)`` to +-scale, same shape; w broadcasts over filters and channels."""
        ctx.save_for_backward(latent, modulation)
        ctx.exact = exact
        return torch.where(latent >= 0, scale, -scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """The gradients of X and w."""
        latent: Tensor
        modulation: Tensor
        latent, modulation = ctx.saved_tensors
        passed = grad * ((modulation * latent).abs() <= 1)
        if ctx.exact:
            total = torch.where(latent >= 0, grad, -grad).sum() / modulation.numel()
            for_modulation = total.expand_as(modulation)
        else:
            for_modulation = (passed * latent).sum((0, 1), keepdim=True)
        return passed * modulation, for_modulation, None, None


class ModulatedBinaryQuant(nn.Module):
    """Brevitas' tensor quantiser with the learnt scale mean(w).

    Where a batch norm follows, it absorbs the scale: the loss does not depend on the size of w, and
    no gradient holds it. The gradient of X is multiplied by w (equation 12), so that a negative
    element of w would reverse it. So w is brought back into its range before each forward pass in
    training: ``held`` keeps w positive and mean(w) at its start, ``positive`` keeps w positive,
    ``free`` changes nothing (the paper's text).

    Parameters
    ----------
    modulation_shape
        Shape of w: 1 for filters and channels, then the kernel size: ``(1, 1, k, k)``.
    modulation_init
        Initial value of every element of w.
    modulation_range
        One of `RANGES`.
    modulation_gradient
        ``paper`` (equation 15) or ``exact``, see `ModulatedSign`.
    power_of_two
        Round the scale to the nearest power of two, for hardware; the gradients do not change.
    """

    def __init__(
        self,
        modulation_shape: tuple[int, ...],
        modulation_init: float,
        modulation_range: str,
        modulation_gradient: str,
        power_of_two: bool,
    ):
        super().__init__()
        if modulation_range not in RANGES:
            raise ValueError(
                f"modulation_range: one of {', '.join(RANGES)}, not {modulation_range!r}"
            )
        self.modulation = nn.Parameter(torch.full(modulation_shape, modulation_init))
        self.start = modulation_init
        self.range = modulation_range
        self.exact = modulation_gradient == "exact"
        self.power_of_two = power_of_two
        self.bit_width = BitWidthConst(1)
        self.zero_point = StatelessBuffer(torch.tensor(0.0))
        self._seen = -1

    @torch.no_grad()
    def project(self) -> None:
        """Bring w back into its range, in place; nothing where no optimiser changed it since.

        A second forward pass before the backward pass must not change what the first one saved.
        """
        w = self.modulation
        if self.range == "free" or w._version == self._seen:
            return
        w.clamp_(min=SMALLEST_SHARE * self.start)
        if self.range == "held":
            w.mul_(self.start / w.mean())
        self._seen = w._version

    def accept(self) -> None:
        """Leave w as it is until an optimiser changes it.

        For a state that was projected before it was saved: twice is not the same as once.
        """
        self._seen = self.modulation._version

    def scale(self) -> Tensor:
        """The scale of the signs, a scalar; no gradient passes through it."""
        mean = self.modulation.detach().mean()
        if self.power_of_two:
            return torch.exp2(mean.clamp(min=SMALLEST_SCALE).log2().round())
        return mean

    def inside(self, latent: Tensor) -> Tensor:
        """The share of X in the window |w X| <= 1, a scalar."""
        return ((self.modulation * latent).detach().abs() <= 1).float().mean()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Map X to its 1-bit values; also return scale, zero point and bit width, for Brevitas."""
        if self.training:
            self.project()
        scale = self.scale()
        y = applied(ModulatedSign, x, self.modulation, scale, self.exact)
        return y, scale, self.zero_point(), self.bit_width()
