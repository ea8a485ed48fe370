# SPDX-License-Identifier: BSD-3-Clause
"""Brevitas' quantised layers and torch's autograd functions, with the types that they lack."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast

from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
from torch import Tensor, autograd, nn


class WeightQuantiser(Protocol):
    """What this package uses of Brevitas' ``WeightQuantProxyFromInjector``."""

    quant_injector: type
    is_quant_enabled: bool
    tensor_quant: nn.Module

    def scale(self) -> Tensor:
        """What an integer weight counts for: a scalar, or one a filter."""

    def bit_width(self) -> Tensor:
        """Bits of a weight, a scalar."""


if TYPE_CHECKING:

    class QuantizedLayer(nn.Module):
        """A ``QuantConv2d`` or a ``QuantLinear``."""

        weight: nn.Parameter
        weight_quant: WeightQuantiser
else:
    QuantizedLayer = QuantConv2d | QuantLinear


def quantized_convolution(
    inputs: int, outputs: int, kernel: int, stride: int, padding: int, weight_quant: type
) -> QuantizedLayer:
    """A convolution without bias, its weights quantised."""
    layer = QuantConv2d(
        inputs, outputs, kernel, stride, padding, bias=False, weight_quant=weight_quant
    )
    return cast("QuantizedLayer", layer)


def quantized_linear(inputs: int, outputs: int, weight_quant: type) -> QuantizedLayer:
    """A linear layer without bias, its weights quantised."""
    layer = QuantLinear(inputs, outputs, bias=False, weight_quant=weight_quant)
    return cast("QuantizedLayer", layer)


def quantized_identity(act_quant: type) -> nn.Module:
    """A quantiser of activations as a module."""
    return cast("nn.Module", QuantIdentity(act_quant=act_quant))


def applied(function: type[autograd.Function], *arguments: object) -> Tensor:
    """The value of an autograd function."""
    apply = cast("Callable[..., Tensor]", function.apply)
    return apply(*arguments)
