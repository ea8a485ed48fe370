# SPDX-License-Identifier: BSD-3-Clause
"""The base class of all networks, as training, export and comparison use it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from bonn_hw.errors import UserError
from bonn_hw.nn.models.block import Block
from bonn_hw.nn.models.quantized_layer import QuantizedLayer
from bonn_hw.nn.models.quantizers import BipolarWeight


class Network(nn.Module):
    """A classifier of images.

    Parameters
    ----------
    input_shape
        ``(C, H, W)`` of one image after `transforms.normalise`.
    classes
        Number of outputs.

    Attributes
    ----------
    exact
        Whether every matrix product is an integer times a power of two. All evaluations of it are
        then equal (``==``).
    """

    exact = True

    def __init__(self, input_shape: tuple[int, int, int], classes: int):
        super().__init__()
        self.input_shape = input_shape
        self.classes = classes

    def accumulators(self, x: Tensor) -> Tensor:
        """The classifier's integers before scale and bias, ``(N, classes)`` in float32."""
        raise NotImplementedError

    def blocks(self) -> Iterator[tuple[str, Block]]:
        """Yield name and block of every 1-bit activation directly after a 1-bit matrix product.

        Only there can the sign of a float32 batch norm depend on its rounding (a tie). PyTorch's
        rounding then decides.
        """
        return iter(())


def no_integers(method: str) -> UserError:
    """The error for a network whose matrix products are not of integers."""
    return UserError(
        f'network: method "{method}" has float weights and so no integers to compile; train a '
        'second run of a 1-bit method from this one: [training] init = "RUN"'
    )


@torch.no_grad()
def clip_latent_weights(model: nn.Module) -> None:
    """Clip the latent weights of plain 1-bit layers to [-1, 1], in place.

    Outside, a weight would need more and more training steps until its sign changes.
    """
    for module in model.modules():
        if isinstance(module, QuantizedLayer) and issubclass(
            module.weight_quant.quant_injector, BipolarWeight
        ):
            module.weight.clamp_(-1, 1)
