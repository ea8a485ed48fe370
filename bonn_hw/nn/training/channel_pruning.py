# SPDX-License-Identifier: BSD-3-Clause
"""A network whose filters are grouped -> the network with one filter per group.

Each layer computes one filter per group, and the result is copied to all channels of the group.
Identity shortcuts need every channel, and in a chain every channel has its own batch norm. The
answers stay the same, with fewer products.

A chain can become narrower instead: then only the batch norm of the kept filter stays, and the next
layer has fewer inputs too. So the accelerator becomes smaller still, but the answers change, and
further training has to recover the accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from bonn_hw.nn.models.binary_layers import binary_layers
from bonn_hw.nn.models.block import Block
from bonn_hw.nn.models.chains import Chain
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.models.quantized_layer import QuantizedLayer
from bonn_hw.nn.models.residual import ResidualNetwork
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.filter_clustering import Groups

OF_FILTERS = ("weight", "weight_quant.tensor_quant.alpha", "weight_quant.tensor_quant.positive")
"""The state of a layer that has an entry for each filter; not every quantiser has all."""


def prunable(network: Network) -> dict[str, QuantizedLayer]:
    """The 1-bit layers that can be pruned, by name of their block: all but the classifier."""
    if isinstance(network, Chain):
        part, blocks = "matrix", [name for name, _ in network.blocks()]
    elif isinstance(network, ResidualNetwork):
        part, blocks = "conv", [name for name, _ in network.layers.named_children()]
    else:
        return {}
    binary = binary_layers(network)
    paths = {name: f"layers.{name}.{part}" for name in blocks}
    return {name: binary[path] for name, path in paths.items() if path in binary}


def pruned(
    network: Network, experiment: Experiment, groups: Groups, narrow: bool = False
) -> tuple[dict[str, Any], Network]:
    """Options and network with one filter per group.

    Parameters
    ----------
    network
        The network of `experiment`, after training with `groups`. The filters of its groups become
        equal.
    narrow
        Make a chain narrower instead of copying.
    """
    network.cpu()
    kept = groups.representatives()
    groups.merge()
    state = network.state_dict()
    if isinstance(network, Chain) and narrow:
        changed, values = _narrowed_chain(network, kept, state)
    else:
        part = "matrix" if isinstance(network, Chain) else "conv"
        changed, values = _deduplicated(part, kept, groups.labels, state)
    options = {**experiment.options, **changed}
    smaller = build(experiment.network, **options)
    smaller.load_state_dict(values)
    return options, smaller


def narrowed(
    network: Chain, experiment: Experiment, kept: Mapping[str, Tensor]
) -> tuple[dict[str, Any], Network]:
    """Options and network of a chain that keeps these channels of each layer, by name of block."""
    changed, values = _narrowed_chain(network, kept, network.cpu().state_dict())
    options = {**experiment.options, **changed}
    smaller = build(experiment.network, **options)
    smaller.load_state_dict(values)
    return options, smaller


def _deduplicated(
    part: str,
    kept: Mapping[str, Tensor],
    labels: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Option ``pruned``, and the state with one filter per group and the indices of the copies."""
    state = dict(state)
    for name, chosen in kept.items():
        groups = labels[name]
        place = torch.empty_like(chosen)
        place[groups[chosen]] = torch.arange(len(chosen))
        index = f"layers.{name}.copies.index"
        # If the network was pruned before, the groups consist of the filters that were left then.
        members = state.get(index, torch.arange(len(groups)))
        state[index] = place[groups[members]]
        for own in OF_FILTERS:
            if (key := f"layers.{name}.{part}.{own}") in state:
                state[key] = state[key][chosen]
    return {"pruned": [len(chosen) for chosen in kept.values()]}, state


def _narrowed_chain(
    network: Chain, kept: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Options ``convs`` and ``hidden``, and the state of the narrower network."""
    state = dict(state)
    before: tuple[int, Tensor] | None = None
    for name, layer in [*network.blocks(), ("head", network.head)]:
        block = isinstance(layer, Block)
        prefix = f"layers.{name}." if block else f"{name}."
        matrix = f"{prefix}matrix.weight" if block else f"{prefix}weight"
        weight = state[matrix]
        if before is not None:
            channels, chosen = before
            # After flattening, a channel is a run of consecutive columns, one for each pixel.
            columns = weight.reshape(len(weight), channels, -1, *weight.shape[2:])[:, chosen]
            weight = columns.flatten(1, 2)
        if block:
            chosen = kept[name]
            before = len(weight), chosen
            weight = weight[chosen]
            for part in ("weight", "bias", "running_mean", "running_var"):
                state[f"{prefix}norm.{part}"] = state[f"{prefix}norm.{part}"][chosen]
        state[matrix] = weight
    widths = {name: len(chosen) for name, chosen in kept.items()}
    dense = [width for name, width in widths.items() if name.startswith("fc")]
    convs = [width for name, width in widths.items() if name.startswith("conv")]
    # In networks without convolutions, `hidden` is a single number, the width of all layers.
    return {"convs": convs, "hidden": dense} if convs else {"hidden": dense[0]}, state
