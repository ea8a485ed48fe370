# SPDX-License-Identifier: BSD-3-Clause
"""Find where a training went wrong: the first layer whose values are not finite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bonn_hw.nn.models.network import Network


@torch.no_grad()
def layer_at_fault(network: Network, images: Tensor | None) -> str:
    """Describe the first layer whose values are not finite, for an error message."""
    for name, value in network.named_parameters():
        if not torch.isfinite(value).all():
            return f"the first weights that are not finite are {name!r}"
    if images is None:
        return "its name is not in the network but in the losses"
    at_fault: list[str] = []

    def check(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            if not at_fault and not torch.isfinite(output).all():
                at_fault.append(name)

        return hook

    # Inner modules run before those around them. Modules inside quantisers are Brevitas' own, and a
    # user does not know them.
    handles = [
        module.register_forward_hook(check(name))
        for name, module in network.named_modules()
        if name and "_quant" not in name
    ]
    network(images)
    for handle in handles:
        handle.remove()
    if at_fault:
        return f"the first layer that gives such values is {at_fault[0]!r}"
    return "the layers' values are finite, a term of the loss is not"
