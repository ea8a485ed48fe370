# SPDX-License-Identifier: BSD-3-Clause
"""ReCU: latent weights are standardised and clamped before their sign (Xu et al., ICCV 2021).

A latent weight far from zero hardly ever changes its sign again. So each filter is brought to mean
0 and a fixed deviation, and clamped by the quantile tau. Neither changes a sign: the network that
is exported is the same as without.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from bonn_hw.nn.models.adaptive import DeviationQuant
from bonn_hw.nn.models.quantized_layer import QuantizedLayer

FIRST_TAU, LAST_TAU = 0.85, 0.99
"""The quantile at the start of the training and at its end, as in the authors' code."""


class ReCU(nn.Module):
    """Scales each filter of X to a fixed deviation and clamps it, on the way to its quantiser.

    The mean is not subtracted here but from X itself, by `centre` after each training step: X and
    what is made of it then have the same signs, whatever a mean is rounded to.

    Parameters
    ----------
    layer
        The 1-bit layer. Its filters get the deviation of PyTorch's initial weights.
    """

    tau: Tensor

    def __init__(self, layer: QuantizedLayer):
        super().__init__()
        self.deviation = 1 / math.sqrt(3 * layer.weight[0].numel())
        # Saved with the weights: scales that are a mean of |X| depend on it.
        self.register_buffer("tau", torch.tensor(FIRST_TAU))

    @classmethod
    def attach(cls, layer: QuantizedLayer) -> None:
        """Put it before the layer's quantiser."""
        recu = cls(layer)
        layer.add_module("latent", recu)
        # A bound method: a copy of the layer then calls the copy's own.
        layer.weight_quant.register_forward_pre_hook(recu.before)
        centre(layer)

    def before(self, quantiser: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """What the quantiser gets instead of `inputs`."""
        return (self(inputs[0]), *inputs[1:])

    def follow(self, share: float) -> None:
        """Set tau for the `share` of the training that is done."""
        progress = (math.exp(share) - 1) / (math.e - 1)
        self.tau.fill_(FIRST_TAU + (LAST_TAU - FIRST_TAU) * progress)

    def forward(self, latent: Tensor) -> Tensor:
        """Map X ``(C_out, ...)`` to the same shape."""
        flat = latent.flatten(1)
        deviation = flat.var(1, correction=0).add(1e-12).sqrt()
        scaled = latent * (self.deviation / deviation).view(-1, *(1,) * (latent.dim() - 1))
        # The quantile of a Laplace distribution with this mean |X|.
        limit = -scaled.detach().abs().mean() * torch.log(2 - 2 * self.tau)
        return scaled.clamp(-limit, limit)


@torch.no_grad()
def centre(layer: QuantizedLayer) -> None:
    """Subtract from each filter of X its mean, in place."""
    dimensions = tuple(range(1, layer.weight.dim()))
    layer.weight.sub_(layer.weight.mean(dimensions, keepdim=True))


@torch.no_grad()
def centre_latent_weights(model: nn.Module) -> None:
    """`centre` all layers whose method needs it: those with a `ReCU`, and those of AdaBin."""
    for module in model.modules():
        if isinstance(module, QuantizedLayer) and (
            isinstance(getattr(module, "latent", None), ReCU)
            or isinstance(module.weight_quant.tensor_quant, DeviationQuant)
        ):
            centre(module)
