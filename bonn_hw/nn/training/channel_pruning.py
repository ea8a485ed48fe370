# SPDX-License-Identifier: BSD-3-Clause
"""A network whose filters are grouped -> the network with one filter a group.

* In a residual network, whose identity shortcuts need every channel, each convolution computes one
  filter a group, and its answers are copied: the same network as before, with fewer products;
* in a chain the layers become narrower, with them the inputs of the layers behind, and with them
  the accelerator. Filters of a group have different batch norms, so that this changes the answers;
  a recovery has to make up for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from bonn_hw.nn.models.bayesian import binary_layers
from bonn_hw.nn.models.block import Block
from bonn_hw.nn.models.chains import Chain
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.models.quantized_layer import QuantizedLayer
from bonn_hw.nn.models.residual import ResidualNetwork
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.filter_clustering import Groups


def prunable(network: Network) -> dict[str, QuantizedLayer]:
    """The 1-bit layers that pruning may narrow, all but a classifier, by block."""
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
    network: Network, experiment: Experiment, groups: Groups
) -> tuple[dict[str, Any], Network]:
    """Options and network with one filter a group.

    Parameters
    ----------
    network
        Of `experiment`, its filters drawn together by `groups`; these are settled by this.
    """
    network.cpu()
    kept = groups.representatives()
    groups.gamma = 1.0
    groups.settle()
    state = network.state_dict()
    if isinstance(network, Chain):
        changed, values = _narrowed_chain(network, kept, state)
    else:
        changed, values = _deduplicated(kept, groups.labels, state)
    options = {**experiment.options, **changed}
    smaller = build(experiment.network, **options)
    smaller.load_state_dict(values)
    return options, smaller


def _deduplicated(
    kept: Mapping[str, Tensor], labels: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Option ``pruned`` and the state with one filter a group and the copies' indices."""
    state = dict(state)
    for name, chosen in kept.items():
        groups = labels[name]
        place = torch.empty_like(chosen)
        place[groups[chosen]] = torch.arange(len(chosen))
        index = f"layers.{name}.copies.index"
        # Of a network that was pruned before, the groups are of the filters left then.
        members = state.get(index, torch.arange(len(groups)))
        state[index] = place[groups[members]]
        weight = f"layers.{name}.conv.weight"
        state[weight] = state[weight][chosen]
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
            # Behind the flatten, each channel is a run of all its pixels.
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
    # Without convolutions, one number is the width of all layers.
    return {"convs": convs, "hidden": dense} if convs else {"hidden": dense[0]}, state
