# SPDX-License-Identifier: BSD-3-Clause
"""Methods of training 1-bit layers: BONN and those that it is compared with.

A method is an entry of `METHODS`, for residual networks and for chains. The entry names the weight
quantiser for chains, or says why the method does not work in a chain.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bonn_hw.errors import UserError
from bonn_hw.nn.models import quantizers
from bonn_hw.nn.models.activations import PowerOfTwoPReLU
from bonn_hw.nn.models.adaptive import LearntLevels
from bonn_hw.nn.models.quantized_layer import (
    QuantizedLayer,
    quantized_convolution,
    quantized_identity,
    quantized_linear,
)

FIXED_SLOPE = 0.25


@dataclass(frozen=True)
class Method:
    """The parts in which methods differ.

    Attributes
    ----------
    weight, weight_power_of_two
        Weight quantisers with any scale and, for hardware, with power-of-two scales; None: float.
    activation
        Quantiser before the convolution; None: a ReLU.
    shifts
        Whether there are learnt shifts before the sign and on both sides of the PReLU (ReActNet's
        RSign and RPReLU).
    levels
        Whether activations have two learnt levels in place of -1 and +1 (`adaptive.LearntLevels`).
    weight_in_chain
        Weight quantiser for chains, where a batch norm follows each product; one power-of-two scale
        per layer.
    not_in_chain
        Why the method does not work in a chain, for the error message; "" if it does.
    """

    weight: type | None
    weight_power_of_two: type | None
    activation: type | None
    shifts: bool = False
    levels: bool = False
    weight_in_chain: type | None = None
    not_in_chain: str = ""

    def __post_init__(self) -> None:
        if (self.weight_in_chain is None) != bool(self.not_in_chain):
            raise ValueError("a method has a weight_in_chain, or says why not in not_in_chain")


_SCALES_OF_FILTERS = "it scales each filter by itself, and a layer of a chain has one scale"

METHODS = {
    "bonn": Method(
        quantizers.LearntScaleWeight,
        quantizers.LearntScaleWeightPowerOfTwo,
        quantizers.BipolarActivation,
        # A batch norm follows: it absorbs the scale, which is held for that reason.
        weight_in_chain=quantizers.BayesianWeightPowerOfTwo,
    ),
    "xnor": Method(
        quantizers.XnorWeight,
        quantizers.XnorWeightPowerOfTwo,
        quantizers.BipolarActivation,
        not_in_chain=_SCALES_OF_FILTERS,
    ),
    "bnn": Method(
        quantizers.ScaledBipolarWeight,
        quantizers.ScaledBipolarWeightPowerOfTwo,
        quantizers.BipolarActivation,
        weight_in_chain=quantizers.BipolarWeight,
    ),
    "bireal": Method(
        quantizers.XnorWeight,
        quantizers.XnorWeightPowerOfTwo,
        quantizers.ApproximateSignActivation,
        not_in_chain=_SCALES_OF_FILTERS,
    ),
    "react": Method(
        quantizers.XnorWeight,
        quantizers.XnorWeightPowerOfTwo,
        quantizers.ApproximateSignActivation,
        shifts=True,
        not_in_chain=_SCALES_OF_FILTERS,
    ),
    "rebnn": Method(
        quantizers.ResilientWeight,
        quantizers.ResilientWeightPowerOfTwo,
        quantizers.ApproximateSignActivation,
        shifts=True,
        not_in_chain=_SCALES_OF_FILTERS,
    ),
    "adabin": Method(
        quantizers.DeviationWeight,
        quantizers.DeviationWeightPowerOfTwo,
        quantizers.ApproximateSignActivation,
        levels=True,
        not_in_chain=_SCALES_OF_FILTERS,
    ),
    "float-weights": Method(
        quantizers.FloatWeight,
        quantizers.FloatWeight,
        quantizers.BipolarActivation,
        weight_in_chain=quantizers.FloatWeight,
    ),
    "float": Method(None, None, None, not_in_chain="a chain has 1-bit layers only"),
}


def convolution(
    method: Method, inputs: int, outputs: int, stride: int, power_of_two: bool
) -> nn.Module:
    """The method's 3x3 convolution, zero-padded by one pixel."""
    weight = method.weight_power_of_two if power_of_two else method.weight
    if weight is None:
        return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return quantized_convolution(inputs, outputs, 3, stride, 1, weight)


def chain_convolution(
    method: Method, inputs: int, outputs: int, window: tuple[int, int, int]
) -> QuantizedLayer:
    """The method's convolution in a chain; its kernel size, stride and pixels of padding."""
    return quantized_convolution(inputs, outputs, *window, _weight_in_chain(method))


def chain_linear(method: Method, inputs: int, outputs: int) -> QuantizedLayer:
    """The method's linear layer in a chain."""
    return quantized_linear(inputs, outputs, _weight_in_chain(method))


def chain_sign(method: Method) -> nn.Module:
    """The activation after each product of a chain."""
    if method.activation is None or method.shifts or method.levels:
        raise ValueError("a chain's activation is a plain sign")
    return quantized_identity(method.activation)


def in_chain(name: str) -> Method:
    """The method `name` for a chain.

    Raises
    ------
    UserError
        If it does not work in a chain.
    """
    method = METHODS[name]
    if method.not_in_chain:
        others = [other for other, entry in METHODS.items() if not entry.not_in_chain]
        raise UserError(
            f'network: method "{name}" does not work in a chain: {method.not_in_chain}; use a '
            f"residual network, or one of the methods {', '.join(others)}"
        )
    return method


def _weight_in_chain(method: Method) -> type:
    if method.weight_in_chain is None:
        raise ValueError(f"no method of a chain: {method.not_in_chain}")
    return method.weight_in_chain


def sign(method: Method, channels: int, power_of_two: bool) -> nn.Module:
    """The activation before the convolution, for `channels` channels."""
    if method.activation is None:
        return nn.ReLU()
    quantiser = quantized_identity(method.activation)
    if method.levels:
        quantiser = LearntLevels(quantiser, power_of_two)
    if not method.shifts:
        return quantiser
    return nn.Sequential(OrderedDict(shift=Shift(channels), sign=quantiser))


def activation(method: Method, channels: int, learnt: bool, power_of_two: bool) -> nn.Module:
    """The PReLU after the addition: one learnt slope per channel, or `FIXED_SLOPE`."""
    slopes = PowerOfTwoPReLU if power_of_two else nn.PReLU
    prelu = slopes(channels) if learnt else nn.LeakyReLU(FIXED_SLOPE)
    if not method.shifts:
        return prelu
    return nn.Sequential(OrderedDict(before=Shift(channels), prelu=prelu, behind=Shift(channels)))


class Shift(nn.Module):
    """x + b with one learnt b per channel (Liu et al., ReActNet, ECCV 2020)."""

    def __init__(self, channels: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to the same shape."""
        return x + self.bias
