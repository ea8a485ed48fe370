# SPDX-License-Identifier: BSD-3-Clause
"""The grids of an exported file: bits and scales of weights, biases and activations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bonn_hw.frontend import Model
from bonn_hw.frontend.model import QuantGrid

MATRIX = frozenset(("Conv", "Gemm", "MatMul"))


@dataclass(frozen=True)
class Grid:
    """The values of one tensor: integers times a scale.

    Attributes
    ----------
    layer : str
    kind : str
        ``weights``, ``bias`` or ``activations``.
    bits : int or None
        None: float32, a bias without a quantiser.
    scales : tuple of float
        The smallest and the largest scale; (0, 0) for float32.
    power_of_two : bool
        Whether all scales are powers of two, so that sums are exact in float32.
    """

    layer: str
    kind: str
    bits: int | None
    scales: tuple[float, float]
    power_of_two: bool

    def __str__(self) -> str:
        if self.bits is None:
            return f"{self.layer}: {self.kind} float32"
        low, high = self.scales
        scale = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        exact = ", a power of two" if self.power_of_two else ""
        return f"{self.layer}: {self.kind} {self.bits} bit, scale {scale}{exact}"


def grids(model: Model) -> tuple[Grid, ...]:
    """The grids of a model in the order of its nodes."""
    return tuple(_grids(model))


def _grids(model: Model) -> Iterator[Grid]:
    for node in model.nodes:
        if node.op_type in MATRIX:
            weights = model.grids.get(node.input[1])
            if weights is not None:
                yield _grid(node.name, "weights", weights)
            if len(node.input) > 2 and node.input[2]:
                bias = model.grids.get(node.input[2])
                if bias is None:
                    yield Grid(node.name, "bias", None, (0.0, 0.0), False)
                else:
                    yield _grid(node.name, "bias", bias)
        for name in node.output:
            if name in model.grids:
                yield _grid(node.name, "activations", model.grids[name])


def _grid(layer: str, kind: str, grid: QuantGrid) -> Grid:
    scales = np.asarray(grid.scale, np.float64)
    low, high = float(scales.min()), float(scales.max())
    if grid.bipolar:
        bits = 1
    elif grid.low < 0:
        bits = 1 + max((-1 - grid.low).bit_length(), grid.high.bit_length())
    else:
        bits = grid.high.bit_length()
    exact = bool((np.frexp(scales)[0] == 0.5).all())
    return Grid(layer, kind, bits, (low, high), exact)
