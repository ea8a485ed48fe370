# SPDX-License-Identifier: BSD-3-Clause
"""Copies of filters: what a pruned layer computes once and the layers behind it read often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from bonn_hw.errors import UserError


class Copies(nn.Module):
    """Copies filters to more channels: channel i is filter ``index[i]``, a buffer ``(outputs,)``.

    Parameters
    ----------
    filters, outputs
        Channels before and after. Until pruning or a checkpoint sets ``index``, channel i is filter
        ``i % filters``.
    """

    index: Tensor

    def __init__(self, filters: int, outputs: int):
        super().__init__()
        self.register_buffer("index", torch.arange(outputs) % filters)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, filters, ...)`` to ``(N, outputs, ...)``."""
        return torch.index_select(x, 1, self.index)


def copies(kept: int | None, outputs: int) -> nn.Module:
    """The copies of a layer with `kept` filters; None: it is not pruned."""
    return nn.Identity() if kept is None else Copies(kept, outputs)


def kept_filters(pruned: tuple[int, ...], widths: Sequence[int]) -> Iterator[int | None]:
    """Yield the filters that pruning left in each block, None for networks that are not pruned."""
    widths = list(widths)
    if not pruned:
        return iter([None] * len(widths))
    if len(pruned) != len(widths) or any(k > w for k, w in zip(pruned, widths, strict=True)):
        raise UserError(
            f"network: pruned {list(pruned)} must give every block its filters, at most "
            f"{widths}; leave it out for a network that is not pruned"
        )
    return iter(pruned)
