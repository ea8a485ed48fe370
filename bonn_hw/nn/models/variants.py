# SPDX-License-Identifier: BSD-3-Clause
"""The two forms of a residual network: the paper's, and the same one in integers for hardware.

A form creates the layers that are not binarised. In `Paper` they and the residual stream are float;
in `Hardware` they are few-bit integers with power-of-two scales, and every value is exactly an
integer times its scale.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bonn_hw.nn.models import quantizers
from bonn_hw.nn.models.affine import Affine
from bonn_hw.nn.models.quantized_layer import (
    QuantizedLayer,
    quantized_convolution,
    quantized_identity,
    quantized_linear,
)


class Paper:
    """First, 1x1 and last layers and the residual stream in float."""

    exact = False

    def image(self) -> nn.Module:
        """The quantiser of the image."""
        return nn.Identity()

    def convolution(
        self, inputs: int, outputs: int, kernel: int, stride: int
    ) -> nn.Conv2d | QuantizedLayer:
        """A convolution that is not binarised, padded by half the kernel size."""
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

    def linear(self, features: int, classes: int) -> nn.Linear | QuantizedLayer:
        """The classifier without its bias."""
        return nn.Linear(features, classes, bias=False)


class Hardware(Paper):
    """The same layers in 8-bit integers, see `quantizers`."""

    exact = True

    def image(self) -> nn.Module:
        """The quantiser of 8-bit pixels."""
        return quantized_identity(quantizers.SignedByteInput)

    def convolution(self, inputs: int, outputs: int, kernel: int, stride: int) -> QuantizedLayer:
        """A convolution with 8-bit weights."""
        padding = kernel // 2
        return quantized_convolution(
            inputs, outputs, kernel, stride, padding, quantizers.ByteWeight
        )

    def norm(self, channels: int, affine: bool = True) -> nn.Module:
        """A batch norm that is rounded in the same way everywhere."""
        return ExactNorm(channels, affine=affine)

    def stream(self) -> nn.Module:
        """The quantiser of the residual stream and of what is added to it."""
        return quantized_identity(quantizers.StreamActivation)

    def fine(self) -> nn.Module:
        """The quantiser before a norm whose output is quantised to several bits."""
        return quantized_identity(quantizers.FineActivation)

    def features(self) -> nn.Module:
        """The quantiser of the features."""
        return quantized_identity(quantizers.FeatureActivation)

    def linear(self, features: int, classes: int) -> QuantizedLayer:
        """The classifier with 8-bit weights, without its bias."""
        return quantized_linear(features, classes, quantizers.ByteWeight)


FORMS = {"paper": Paper(), "hardware": Hardware()}


class ExactNorm(nn.BatchNorm2d):
    """A batch norm that is evaluated as one multiplication and one addition.

    A library may evaluate a batch-norm operator in any order of float operations. So two libraries
    sometimes differ in the last bit, and a sign or a rounding after it turns that into another
    integer. Single IEEE 754 products and sums are rounded in the same way everywhere.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to the same shape; in training, as `torch.nn.BatchNorm2d`."""
        if self.training:
            return super().forward(x)
        y: Tensor = self.folded()(x)
        return y

    def folded(self) -> Affine:
        """The norm as one multiplication and one addition per channel."""
        if self.running_mean is None or self.running_var is None:
            raise TypeError("a norm without running statistics cannot be folded")
        gain = 1 / torch.sqrt(self.running_var + self.eps)
        if self.affine:
            gain = self.weight * gain
        shift = -self.running_mean * gain
        if self.affine:
            shift = self.bias + shift
        return Affine(gain[:, None, None], shift[:, None, None])
