# SPDX-License-Identifier: BSD-3-Clause
"""Where a training went wrong: the first layer whose values are not finite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bonn_hw.nn.models.network import Network


@torch.no_grad()
def layer_at_fault(network: Network, images: Tensor | None) -> str:
    """Say which layer is the first with values that are not finite."""
    for name, value in network.named_parameters():
        if not torch.isfinite(value).all():
            return f"the first weights that are not finite are {name!r}"
    if images is None:
        return "its name is not in the network but in the losses"
    found: list[str] = []

    def look(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            if not found and not torch.isfinite(output).all():
                found.append(name)

        return hook

    # Inner modules answer before those around them; what is inside a quantiser is none of a user's.
    handles = [
        module.register_forward_hook(look(name))
        for name, module in network.named_modules()
        if name and "_quant" not in name
    ]
    network(images)
    for handle in handles:
        handle.remove()
    if found:
        return f"the first layer that gives such values is {found[0]!r}"
    return "the layers' values are finite, a term of the loss is not"
