# SPDX-License-Identifier: BSD-3-Clause
"""AdaBin: activations with two learnt levels, weights with the deviation of their filter as scale.

Tu et al., "AdaBin: Improving Binary Neural Networks with Adaptive Binary Sets", ECCV 2022 (arXiv
2208.08084). Activations are alpha - beta and alpha + beta. The sum of a window with such inputs
differs by a constant from that with -1 and +1, so that hardware takes the same matrix unit and
other thresholds.

The paper's weights have an offset too, the mean of their filter. It would need the sum of each
window beside its products, one more popcount. Here the latent weights are centred instead, by
`latent.centre_latent_weights` after each training step, and the offset is 0.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from brevitas.core.bit_width import BitWidthConst
from brevitas.core.utils import StatelessBuffer
from torch import Tensor, nn

from bonn_hw.nn.models.affine import Affine

LEAST_DISTANCE = 2.0**-8
"""Lower limit of beta."""
STEPS = 4
"""In hardware, alpha is a multiple of beta / `STEPS`."""


def _straight(value: Tensor, used: Tensor) -> Tensor:
    """`used`, with the gradient of `value`."""
    return value + (used - value).detach()


def _power_of_two(value: Tensor) -> Tensor:
    return torch.exp2(value.log2().round())


class LearntLevels(nn.Module):
    """alpha + beta sign((x - alpha) / beta); alpha and beta are learnt, one of each for a layer.

    Parameters
    ----------
    sign
        Maps a tensor to -1 and +1.
    power_of_two
        For hardware: beta is rounded to a power of two, alpha to a multiple of beta / `STEPS`. The
        gradients do not change.
    """

    def __init__(self, sign: nn.Module, power_of_two: bool):
        super().__init__()
        self.quantiser = sign
        self.power_of_two = power_of_two
        self.middle = nn.Parameter(torch.zeros(()))
        self.distance = nn.Parameter(torch.ones(()))

    def levels(self) -> tuple[Tensor, Tensor]:
        """alpha and beta, scalars."""
        beta = self.distance.clamp(min=LEAST_DISTANCE)
        if not self.power_of_two:
            return self.middle, beta
        beta = _straight(beta, _power_of_two(beta))
        step = beta.detach() / STEPS
        return _straight(self.middle, (self.middle / step).round() * step), beta

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, ...)`` to the same shape."""
        alpha, beta = self.levels()
        signs: Tensor = self.quantiser((x - alpha) / beta)
        return signs * beta + alpha

    def folded(self) -> nn.Sequential:
        """The same function with constants in place of what rounds them."""
        alpha, beta = (one.detach().reshape(1, 1, 1) for one in self.levels())
        before = Affine(1 / beta, -alpha / beta)
        parts = OrderedDict(before=before, quantiser=self.quantiser, behind=Affine(beta, alpha))
        return nn.Sequential(parts).train(self.training)


class DeviationQuant(nn.Module):
    """Brevitas' tensor quantiser: sign(X) times the deviation of X in the filter.

    The gradient passes straight through the sign of X over its deviation.

    Parameters
    ----------
    power_of_two
        Round the scales to the nearest power of two, for hardware; the gradients do not change.
    """

    def __init__(self, power_of_two: bool):
        super().__init__()
        self.power_of_two = power_of_two
        self.bit_width = BitWidthConst(1)
        self.zero_point = StatelessBuffer(torch.tensor(0.0))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Map X to its 1-bit values; also return scale, zero point and bit width, for Brevitas.

        X ``(C_out, ...)`` is centred; the scales are ``(C_out, 1, ...)``.
        """
        within = tuple(range(1, x.dim()))
        deviation = x.square().mean(within, keepdim=True).add(1e-12).sqrt()
        scale = deviation.detach()
        if self.power_of_two:
            scale = _power_of_two(scale)
        signs = torch.where(x >= 0, 1.0, -1.0).to(x.dtype)
        y = deviation * _straight(x / deviation, signs)
        return _straight(y, scale * signs), scale, self.zero_point(), self.bit_width()
