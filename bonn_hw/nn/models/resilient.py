# SPDX-License-Identifier: BSD-3-Clause
"""ReBNN: a learnt scale for each filter, and a pull of the latent weights toward it.

Xu et al., "Resilient Binary Neural Network", AAAI 2023 (arXiv 2302.00956). A latent weight near
zero can change its sign at every step. The reconstruction loss gamma/2 ||X - alpha sign(X)||² holds
it back; gamma is large for a filter whose signs change often. What is exported is the same network
as of `quantizers.XnorWeight`: a 1-bit kernel with a scale for each filter.
"""

from __future__ import annotations

from typing import Any

import torch
from brevitas.core.bit_width import BitWidthConst
from brevitas.core.utils import StatelessBuffer
from torch import Tensor, nn

from bonn_hw.nn.models.modulation import SMALLEST_SCALE, SMALLEST_SHARE
from bonn_hw.nn.models.quantized_layer import QuantizedLayer, applied

LEAST_PULL, MOST_PULL = 1e-5, 2e-4
"""Limits of gamma, as in the authors' code."""


class ResilientSign(torch.autograd.Function):
    """alpha sign(X), with the gradients of the loss and of the reconstruction loss.

    With the incoming gradient g, the window 1[|X| <= 1], b = sign(X) and D = X - alpha b:

    * gamma of a filter is the share of its signs that have changed, times its largest ``|g|``;
    * X receives ``alpha * g * window + gamma * D``;
    * alpha of a filter receives the sum over the filter of ``(g - gamma * D) * b``.
    """

    @staticmethod
    def forward(ctx: Any, latent: Tensor, alpha: Tensor, scale: Tensor, changed: Tensor) -> Tensor:
        """Map X ``(C_out, ...)`` to +-scale, same shape.

        Parameters
        ----------
        alpha, scale, changed
            The learnt scale, the scale that is used (a power of two for hardware), and the share of
            changed signs: ``(C_out, 1, ...)``.
        """
        ctx.save_for_backward(latent, alpha, changed)
        return torch.where(latent >= 0, scale, -scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """The gradients of X and alpha."""
        latent: Tensor
        alpha: Tensor
        changed: Tensor
        latent, alpha, changed = ctx.saved_tensors
        within = tuple(range(1, latent.dim()))
        gamma = (changed * grad.abs().amax(within, keepdim=True)).clamp(LEAST_PULL, MOST_PULL)
        signs = torch.where(latent >= 0, 1.0, -1.0).to(latent.dtype)
        pull = gamma * (latent - alpha * signs)
        for_latent = alpha * grad * (latent.abs() <= 1) + pull
        return for_latent, ((grad - pull) * signs).sum(within, keepdim=True), None, None


def learnt_scales(layer: QuantizedLayer) -> list[nn.Parameter]:
    """The alpha of a layer of ReBNN, ``(C_out, 1, ...)``; none of another layer."""
    quantiser = layer.weight_quant.tensor_quant
    return [quantiser.alpha] if isinstance(quantiser, ResilientQuant) else []


class ResilientQuant(nn.Module):
    """Brevitas' tensor quantiser with the learnt scales alpha.

    Parameters
    ----------
    kernel_shape
        Shape of X, ``(C_out, ...)``.
    alpha_init
        Initial value of every alpha; alpha stays above a sixteenth of it.
    power_of_two
        Round the scales to the nearest power of two, for hardware; the gradients do not change.
    """

    positive: Tensor
    started: Tensor

    def __init__(self, kernel_shape: tuple[int, ...], alpha_init: float, power_of_two: bool):
        super().__init__()
        shape = (kernel_shape[0], *(1,) * (len(kernel_shape) - 1))
        self.alpha = nn.Parameter(torch.full(shape, alpha_init))
        self.smallest = SMALLEST_SHARE * alpha_init
        self.power_of_two = power_of_two
        # The signs of the last step. Saved, so that a resumed training goes on as it was.
        self.register_buffer("positive", torch.zeros(kernel_shape, dtype=torch.bool))
        self.register_buffer("started", torch.tensor(False))
        self.bit_width = BitWidthConst(1)
        self.zero_point = StatelessBuffer(torch.tensor(0.0))

    def scale(self) -> Tensor:
        """The scales of the signs, ``(C_out, 1, ...)``; no gradient passes through them."""
        alpha = self.alpha.detach().clamp(min=max(self.smallest, SMALLEST_SCALE))
        return torch.exp2(alpha.log2().round()) if self.power_of_two else alpha

    @torch.no_grad()
    def _changed(self, latent: Tensor) -> Tensor:
        """The share of signs that differ from the last call's, by filter, ``(C_out, 1, ...)``."""
        positive = latent >= 0
        changed = (positive != self.positive) & self.started
        self.positive.copy_(positive)
        self.started.fill_(True)
        return changed.to(latent.dtype).mean(tuple(range(1, latent.dim())), keepdim=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Map X to its 1-bit values; also return scale, zero point and bit width, for Brevitas."""
        if self.training:
            with torch.no_grad():
                self.alpha.clamp_(min=self.smallest)
        changed = self._changed(x.detach()) if self.training else torch.zeros_like(self.alpha)
        scale = self.scale()
        y = applied(ResilientSign, x, self.alpha, scale, changed)
        return y, scale, self.zero_point(), self.bit_width()
