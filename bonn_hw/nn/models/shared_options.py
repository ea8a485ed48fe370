# SPDX-License-Identifier: BSD-3-Clause
"""Options that every network has. They change how it is trained, and nothing of its hardware."""

from __future__ import annotations

from brevitas.nn import QuantIdentity
from torch import nn

from bonn_hw.errors import UserError
from bonn_hw.nn.models.activations import SIGN_GRADIENTS, SignQuant
from bonn_hw.nn.models.binary_layers import binary_layers
from bonn_hw.nn.models.latent import ReCU
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.models.quantized_layer import configure

OF_THE_METHOD = "method"
"""The sign gradient that the method itself has."""
CHOICES = {
    "sign_gradient": (OF_THE_METHOD, *SIGN_GRADIENTS),
    "latent": ("plain", "recu"),
}


def apply(network: Network, sign_gradient: str = OF_THE_METHOD, latent: str = "plain") -> None:
    """Give a new network its sign gradient and its treatment of latent weights, in place.

    Raises
    ------
    UserError
        If the network has no signs, or no latent weights.
    """
    if sign_gradient != OF_THE_METHOD:
        activations = [m for m in network.modules() if isinstance(m, QuantIdentity)]
        signs = {m: s for m in activations for s in m.modules() if isinstance(s, SignQuant)}
        if not signs:
            raise UserError(
                f'network: sign_gradient "{sign_gradient}" is for 1-bit activations, and this '
                "network has none; leave it out, or use another method"
            )
        for activation, sign in signs.items():
            sign.gradient = sign_gradient
            configure(activation.act_quant, sign_gradient=sign_gradient)
    if latent == "recu":
        layers = binary_layers(network).values()
        if not layers:
            raise UserError(
                'network: latent "recu" is for 1-bit weights, and this network has none; leave it '
                "out, or use another method"
            )
        for layer in layers:
            ReCU.attach(layer)


def follow(network: nn.Module, share: float) -> None:
    """Tell sign gradients and latent weights which `share` of the training is done."""
    for module in network.modules():
        if isinstance(module, SignQuant | ReCU):
            module.follow(share)
