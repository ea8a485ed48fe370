# SPDX-License-Identifier: BSD-3-Clause
"""A user's own module as a network: made by ``def space(trial)``, trained like the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bonn_hw.errors import UserError
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.own.source import OwnName, blamed
from bonn_hw.nn.own.trial import OF_THE_DATA, Pick, Trial, check_used, fixed


class OwnNetwork(Network):
    """A module of the user's, with Brevitas' quantisers; `module` itself is exported."""

    exact = False

    def __init__(self, module: nn.Module, input_shape: tuple[int, int, int], classes: int):
        super().__init__(input_shape, classes)
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(N, C, H, W)`` to logits ``(N, classes)``."""
        y = self.module(x)
        logits: Tensor = y[0] if isinstance(y, tuple) else y  # a QuantTensor's value
        return logits

    def accumulators(self, x: Tensor) -> Tensor:
        """Not known of a module of others: its quantisers are compared instead."""
        raise UserError(
            "network: the integers of your own module are not known here; its quantisers are "
            "compared with those of the exported file"
        )


def check(own: OwnName, options: Mapping[str, Any]) -> None:
    """Refuse values of `OF_THE_DATA` that no data have; the other options are choices."""
    for key in OF_THE_DATA:
        value, rule = options.get(key, 1), "a positive integer"
        sides = [value]
        if key == "size":
            rule += ", or [height, width]"
            if isinstance(value, list | tuple) and len(value) == 2:
                sides = list(value)
        if not all(type(side) is int and side > 0 for side in sides):
            raise UserError(f"network {own}: {key} must be {rule}, not {value!r}")


def draw(
    own: OwnName, folder: str, options: Mapping[str, Any], pick: Pick
) -> tuple[Trial, nn.Module]:
    """Call the user's function; its choices are in the trial.

    Raises
    ------
    UserError
        If the function is missing, fails or returns no module.
    """
    check(own, options)
    values = {**OF_THE_DATA, **{k: v for k, v in options.items() if k in OF_THE_DATA}}
    size = values["size"]
    height, width = size if isinstance(size, list | tuple) else (size, size)
    shape = (int(values["in_channels"]), int(height), int(width))
    trial = Trial(str(own), pick, shape, int(values["classes"]))
    function = own.load(folder)
    try:
        module = function(trial)
    except UserError:
        raise
    except Exception as error:
        with blamed(f"{own} with {trial}", str(Path(folder, own.file))):
            raise error
    if not isinstance(module, nn.Module):
        raise UserError(
            f"{own} with {trial} returns a {type(module).__name__}; return a torch.nn.Module of "
            "Brevitas' layers"
        )
    return trial, module


def build(own: OwnName, folder: str, options: Mapping[str, Any]) -> OwnNetwork:
    """The network of these options; its first weights come from torch's global generator.

    Raises
    ------
    UserError
        Also if an option is no choice, or the module does not map images to classes.
    """
    choices = {key: value for key, value in options.items() if key not in OF_THE_DATA}
    trial, module = draw(own, folder, options, fixed(str(own), choices))
    check_used(str(own), choices, trial)
    network = OwnNetwork(module, trial.input_shape, trial.classes)
    what = f"{own} with {trial}"
    with blamed(what, str(Path(folder, own.file))), torch.inference_mode():
        answer = network.eval()(torch.zeros(2, *trial.input_shape))
    shape = tuple(getattr(answer, "shape", ()))
    if shape != (2, trial.classes):
        raise UserError(
            f"{what} maps images (2, {', '.join(map(str, trial.input_shape))}) to {shape or 'none'}"
            f", not to (2, {trial.classes}); return one value for each class (trial.classes)"
        )
    network.train()
    return network
