# SPDX-License-Identifier: BSD-3-Clause
"""A copy of a module in evaluation mode, whatever its last training step left in it."""

from __future__ import annotations

import copy
from typing import Any
from unittest import mock

import torch
from torch import nn

from bonn_hw.errors import UserError

_deepcopy: Any = torch.Tensor.__deepcopy__


def evaluated(model: nn.Module) -> nn.Module:
    """Copy a module to the CPU, in evaluation mode; the original is not changed.

    Raises
    ------
    UserError
        If it is no module, or cannot be copied.
    """
    if not isinstance(model, nn.Module):
        raise UserError(
            f"the model is a {type(model).__name__}: give a torch.nn.Module, such as a network of "
            "Brevitas' layers"
        )
    try:
        # Losses and hooks keep tensors of the last forward pass, which PyTorch does not copy.
        with mock.patch.object(torch.Tensor, "__deepcopy__", _copied):
            return copy.deepcopy(model).cpu().eval()
    except (RuntimeError, TypeError) as error:  # an open file, a lock, ...
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"the network cannot be copied ({reason}): keep only parameters, buffers and plain "
            "values in the module"
        ) from error


def _copied(tensor: torch.Tensor, memo: dict[int, Any]) -> torch.Tensor:
    if id(tensor) in memo:
        known: torch.Tensor = memo[id(tensor)]
        return known
    made: torch.Tensor = _deepcopy(tensor if tensor.is_leaf else tensor.detach(), memo)
    memo[id(tensor)] = made
    return made
