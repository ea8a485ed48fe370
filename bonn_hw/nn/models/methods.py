# SPDX-License-Identifier: BSD-3-Clause
"""How a 1-bit convolution is trained: BONN and the methods that it is compared with."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from brevitas.nn import QuantConv2d, QuantIdentity
from torch import Tensor, nn

from bonn_hw.nn.models import quantizers

LATENT_DEVIATION = 0.01
"""Of BONN's kernels at the start; at |X| of this size the prior's pull matters (paper, fig. 3)."""
FIXED_SLOPE = 0.25


@dataclass(frozen=True)
class Method:
    """What tells one method from another.

    Attributes
    ----------
    weight, weight_power_of_two
        Weight quantiser with any scale and, for hardware, with power-of-two scales; None: float.
    activation
        Quantiser in front of the convolution; None: a ReLU.
    shifts
        Learnable shifts before the sign and around the PReLU (ReActNet's RSign and RPReLU).
    deviation
        Of the latent weights at the start; None: torch's own start.
    """

    weight: type | None
    weight_power_of_two: type | None
    activation: type | None
    shifts: bool = False
    deviation: float | None = None


METHODS = {
    "bonn": Method(
        quantizers.BayesianWeight,
        quantizers.BayesianWeightPowerOfTwo,
        quantizers.BipolarActivation,
        deviation=LATENT_DEVIATION,
    ),
    "xnor": Method(
        quantizers.XnorWeight, quantizers.XnorWeightPowerOfTwo, quantizers.BipolarActivation
    ),
    "bnn": Method(
        quantizers.ScaledBipolarWeight,
        quantizers.ScaledBipolarWeightPowerOfTwo,
        quantizers.BipolarActivation,
    ),
    "bireal": Method(
        quantizers.XnorWeight, quantizers.XnorWeightPowerOfTwo, quantizers.ApproximateSignActivation
    ),
    "react": Method(
        quantizers.XnorWeight,
        quantizers.XnorWeightPowerOfTwo,
        quantizers.ApproximateSignActivation,
        shifts=True,
    ),
    "float": Method(None, None, None),
}


def convolution(
    method: Method, inputs: int, outputs: int, stride: int, power_of_two: bool
) -> nn.Module:
    """The method's 3x3 convolution, zero-padded by one pixel."""
    weight = method.weight_power_of_two if power_of_two else method.weight
    if weight is None:
        return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    conv = QuantConv2d(inputs, outputs, 3, stride, padding=1, bias=False, weight_quant=weight)
    start(method, conv)
    return conv


def start(method: Method, layer: nn.Module) -> None:
    """Draw the latent weights of a 1-bit layer as the method wants them."""
    if method.deviation is not None:
        nn.init.normal_(layer.weight, std=method.deviation)


def sign(method: Method, channels: int) -> nn.Module:
    """What stands in front of the convolution, for `channels` channels."""
    if method.activation is None:
        return nn.ReLU()
    quantiser = QuantIdentity(act_quant=method.activation)
    if not method.shifts:
        return quantiser
    return nn.Sequential(OrderedDict(shift=Shift(channels), sign=quantiser))


def activation(method: Method, channels: int, learnt: bool) -> nn.Module:
    """The PReLU behind the addition: one slope a channel, or the fixed `FIXED_SLOPE`."""
    prelu = nn.PReLU(channels) if learnt else nn.LeakyReLU(FIXED_SLOPE)
    if not method.shifts:
        return prelu
    return nn.Sequential(OrderedDict(before=Shift(channels), prelu=prelu, behind=Shift(channels)))


class Shift(nn.Module):
    """x + b with one learnt b a channel (Liu et al., ReActNet, ECCV 2020)."""

    def __init__(self, channels: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to the same shape."""
        return x + self.bias
