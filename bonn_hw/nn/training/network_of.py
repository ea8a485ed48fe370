# SPDX-License-Identifier: BSD-3-Clause
"""The network of an experiment: one of bonn_hw's by name, or the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bonn_hw.nn.models import networks
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.own import network as own_network
from bonn_hw.nn.own.source import OwnName


def network_of(name: str, options: Mapping[str, Any], folder: str) -> Network:
    """A new network; its first weights come from torch's global random generator.

    Parameters
    ----------
    folder
        Where the user's own file is.

    Raises
    ------
    UserError
        If there is no such network, or an option does not fit it.
    """
    own = OwnName.parse(name)
    if own is None:
        return networks.build(name, **options)
    return own_network.build(own, folder, options)
