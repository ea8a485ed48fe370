# SPDX-License-Identifier: BSD-3-Clause
"""Typed wrappers of Brevitas' quantised layers and of torch's autograd functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

from brevitas.nn import (
    QuantConv1d,
    QuantConv2d,
    QuantConvTranspose1d,
    QuantConvTranspose2d,
    QuantIdentity,
    QuantLinear,
)
from torch import Tensor, autograd, nn


class WeightQuantiser(Protocol):
    """The part of Brevitas' ``WeightQuantProxyFromInjector`` that this package uses."""

    quant_injector: type
    is_quant_enabled: bool
    tensor_quant: nn.Module

    def scale(self) -> Tensor:
        """The scale of the integer weights: a scalar, or one value per filter."""

    def bit_width(self) -> Tensor:
        """Bits per weight, a scalar."""

    def register_forward_pre_hook(self, hook: Callable[..., object]) -> object:
        """As of any module: `hook` changes the weights before they are quantised."""


class ActivationQuantiser(Protocol):
    """The part of Brevitas' ``ActQuantProxyFromInjector`` that this package uses."""

    quant_injector: type


if TYPE_CHECKING:

    class QuantizedLayer(nn.Module):
        """A convolution of one or two dimensions, transposed or not, or a ``QuantLinear``."""

        weight: nn.Parameter
        weight_quant: WeightQuantiser
else:
    QuantizedLayer = (
        QuantConv1d | QuantConv2d | QuantConvTranspose1d | QuantConvTranspose2d | QuantLinear
    )


def filters(layer: QuantizedLayer) -> Tensor:
    """X by filter, ``(C_out, C_in, ...)``; a transposed layer itself has C_in first."""
    transposed = isinstance(layer, QuantConvTranspose1d | QuantConvTranspose2d)
    return layer.weight.transpose(0, 1) if transposed else layer.weight


def quantized_convolution(
    inputs: int, outputs: int, kernel: int, stride: int, padding: int, weight_quant: type
) -> QuantizedLayer:
    """A convolution with quantised weights and without bias."""
    layer = QuantConv2d(
        inputs, outputs, kernel, stride, padding, bias=False, weight_quant=weight_quant
    )
    return cast("QuantizedLayer", layer)


def quantized_linear(inputs: int, outputs: int, weight_quant: type) -> QuantizedLayer:
    """A linear layer with quantised weights and without bias."""
    layer = QuantLinear(inputs, outputs, bias=False, weight_quant=weight_quant)
    return cast("QuantizedLayer", layer)


def quantized_identity(act_quant: type) -> nn.Module:
    """A module that quantises activations."""
    return cast("nn.Module", QuantIdentity(act_quant=act_quant))


def configure(quantiser: WeightQuantiser | ActivationQuantiser, **settings: object) -> None:
    """Change settings of a quantiser's injector.

    A setting that is changed in the quantiser alone is lost when a state is loaded: Brevitas then
    creates the quantiser anew from its injector.
    """
    injector: Any = quantiser.quant_injector
    quantiser.quant_injector = injector.let(**settings)


def applied(function: type[autograd.Function], *arguments: object) -> Tensor:
    """Apply an autograd function."""
    apply = cast("Callable[..., Tensor]", function.apply)
    return apply(*arguments)
