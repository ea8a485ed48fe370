# SPDX-License-Identifier: BSD-3-Clause
"""Start a training from the weights of another run, whose method or form may be another.

So a training of two stages is two experiments: first 1-bit activations and float weights, then both
1-bit from the first run's weights.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from bonn_hw.errors import UserError
from bonn_hw.nn.models.latent import centre_latent_weights
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.run_files import WEIGHTS

OF_THE_TRAINING = ("_quant.", ".latent.", ".middle", ".distance")
"""Parts of the names of what a method alone has, in either run: quantisers, levels and ReCU."""
OWN_START = (*OF_THE_TRAINING, ".shift.", ".activation.")
"""The same for what may start on its own: learnt shifts and slopes too."""


@torch.no_grad()
def start_from(run: str, network: Network) -> None:
    """Copy the weights of `run` into `network`, in place.

    Raises
    ------
    UserError
        If the run cannot be read, or its weights are not those of such a network.
    """
    if (Path(run) / WEIGHTS).is_file():
        raise UserError(
            f"experiment: init {run} is a released run, of whose latent weights only the signs are "
            "left; name the run that it was made of"
        )
    try:
        source = _named(Checkpoint.load(run).network)
    except UserError as error:
        raise UserError(f"experiment: init: {error}") from error
    own = _named(network)
    for name, value in own.items():
        if name in source:
            if source[name].shape != value.shape:
                shapes = f"{tuple(source[name].shape)}, not {tuple(value.shape)}"
                raise _misfit(run, f"its {name} is {shapes}")
        elif not any(part in name for part in OWN_START):
            raise _misfit(run, f"it has no {name}")
    for name in source:
        if name not in own and not any(part in name for part in OF_THE_TRAINING):
            raise _misfit(run, f"it has learnt {name}, which the network lacks")
    for name, value in own.items():
        if name in source:
            value.copy_(source[name])
    centre_latent_weights(network)


def _named(network: Network) -> dict[str, Tensor]:
    """The state, with the same name for slopes with and without shifts around them."""
    return {n.replace(".prelu.", "."): value for n, value in network.state_dict().items()}


def _misfit(run: str, reason: str) -> UserError:
    return UserError(
        f"experiment: init {run} does not fit the network: {reason}; name a run of the same "
        "network with the same options (its method and form may differ)"
    )
