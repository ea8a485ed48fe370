# SPDX-License-Identifier: BSD-3-Clause
"""The two forms of a residual network: the paper's, and the same one in integers for hardware.

A form gives the layers that are not binarised. In `Paper` they and the residual stream are float;
in `Hardware` they are few-bit integers on power-of-two grids, every value an exact integer times a
scale.
"""

from __future__ import annotations

import torch
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
from torch import Tensor, nn

from bonn_hw.nn.models import quantizers


class Paper:
    """First, 1x1 and last layers and the residual stream in float."""

    exact = False

    def image(self) -> nn.Module:
        """What an image passes first."""
        return nn.Identity()

    def convolution(self, inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
        """A convolution that is not binarised, its padding half the kernel."""
        return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)

    def norm(self, channels: int, affine: bool = True) -> nn.Module:
        """A batch norm."""
        return nn.BatchNorm2d(channels, affine=affine)

    def stream(self) -> nn.Module:
        """The quantiser of the residual stream and of what is added to it."""
        return nn.Identity()

    def fine(self) -> nn.Module:
        """The quantiser before a norm whose output is quantised to several bits."""
        return nn.Identity()

    def features(self) -> nn.Module:
        """The quantiser of the features."""
        return nn.Identity()

    def linear(self, features: int, classes: int) -> nn.Module:
        """The classifier without its bias."""
        return nn.Linear(features, classes, bias=False)


class Hardware(Paper):
    """The same layers in 8-bit integers, see `quantizers`."""

    exact = True

    def image(self) -> nn.Module:
        """The quantiser of 8-bit pixels."""
        return QuantIdentity(act_quant=quantizers.SignedByteInput)

    def convolution(self, inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
        """A convolution with 8-bit weights."""
        weights = quantizers.ByteWeight
        return QuantConv2d(
            inputs, outputs, kernel, stride, kernel // 2, bias=False, weight_quant=weights
        )

    def norm(self, channels: int, affine: bool = True) -> nn.Module:
        """A batch norm that any evaluation rounds alike."""
        return ExactNorm(channels, affine=affine)

    def stream(self) -> nn.Module:
        """The quantiser of the residual stream and of what is added to it."""
        return QuantIdentity(act_quant=quantizers.StreamActivation)

    def fine(self) -> nn.Module:
        """The quantiser before a norm whose output is quantised to several bits."""
        return QuantIdentity(act_quant=quantizers.FineActivation)

    def features(self) -> nn.Module:
        """The quantiser of the features."""
        return QuantIdentity(act_quant=quantizers.FeatureActivation)

    def linear(self, features: int, classes: int) -> nn.Module:
        """The classifier with 8-bit weights, without its bias."""
        return QuantLinear(features, classes, bias=False, weight_quant=quantizers.ByteWeight)


FORMS = {"paper": Paper(), "hardware": Hardware()}


class ExactNorm(nn.BatchNorm2d):
    """A batch norm that is evaluated as one multiplication and one addition.

    A batch-norm operator leaves the order of its float operations to the library, and two libraries
    then differ now and then in the last bit, which a sign or a rounding behind it turns into a
    step. IEEE products and sums are the same everywhere.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to the same shape; in training, as `torch.nn.BatchNorm2d`."""
        return super().forward(x) if self.training else self.folded()(x)

    def folded(self) -> Affine:
        """The evaluation as one multiplication and one addition a channel."""
        gain = 1 / torch.sqrt(self.running_var + self.eps)
        if self.affine:
            gain = self.weight * gain
        shift = -self.running_mean * gain
        if self.affine:
            shift = self.bias + shift
        return Affine(gain[:, None, None], shift[:, None, None])


class Affine(nn.Module):
    """x * gain + shift, both ``(C, 1, 1)``."""

    def __init__(self, gain: Tensor, shift: Tensor):
        super().__init__()
        self.register_buffer("gain", gain)
        self.register_buffer("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to the same shape."""
        return x * self.gain + self.shift
