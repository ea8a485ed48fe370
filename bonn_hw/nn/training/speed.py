# SPDX-License-Identifier: BSD-3-Clause
"""Precision and memory format of a training: what is fast on the machine that it runs on.

A test never uses either: it is in float32 and in PyTorch's own layout, as the exported network is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from bonn_hw.nn.training.experiment import Experiment

Precision = Literal["32-true", "16-mixed", "bf16-mixed"]
_LIGHTNING: dict[str, Precision] = {
    "32": "32-true",
    "16-mixed": "16-mixed",
    "bf16-mixed": "bf16-mixed",
}
BF16_INSTRUCTIONS = ("amx_bf16", "avx512_bf16")
"""Without one of these, a processor emulates bf16 and takes 5 to 13 times as long as in float32."""


def precision(experiment: Experiment) -> Precision:
    """Lightning's name of the precision; ``auto`` is the fastest one of this machine."""
    if experiment.precision != "auto":
        return _LIGHTNING[experiment.precision]
    if torch.cuda.is_available():
        return "16-mixed"
    return "bf16-mixed" if _processor_has_bf16() else "32-true"


def is_channels_last(experiment: Experiment) -> bool:
    """Whether the training has channels last in memory.

    ``auto``: with mixed precision only. In float32 it gains little on a processor, and results stay
    those of earlier versions bit for bit.
    """
    if experiment.memory_format != "auto":
        return experiment.memory_format == "channels-last"
    return precision(experiment) != "32-true"


def train_channels_last(network: nn.Module) -> None:
    """In training, put channels last in memory behind the first convolution; all layers keep it.

    Not before it: with a single channel both formats are the same, and layers would not keep it.
    The weights stay as they are, since a convolution follows its input.
    """

    def hook(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        return output.to(memory_format=torch.channels_last) if layer.training else output

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(hook)
            return


def _processor_has_bf16() -> bool:
    # Not in PyTorch before 2.9.
    ask: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    capabilities = ask()
    return any(capabilities.get(name, False) for name in BF16_INSTRUCTIONS)
