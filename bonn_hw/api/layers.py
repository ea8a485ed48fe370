# SPDX-License-Identifier: BSD-3-Clause
"""The layers of a build, and where their values are in its graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError, near
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.kernel import Passthrough


@dataclass(frozen=True)
class Layer:
    """A hardware unit of a build.

    Attributes
    ----------
    name : str
        The unit, as in the report and the RTL.
    layer : str
        The layer of the model that it computes.
    kernel : str
        Its type.
    shape : tuple of int
        Shape ``(H, W, C)`` of its output.
    bits : int
        Bits of an element of its output.
    pe, simd : int
        Neurons and inputs that it processes at once.
    cycles : int
        Cycles per frame that it needs alone.
    """

    name: str
    layer: str
    kernel: str
    shape: tuple[int, int, int]
    bits: int
    pe: int
    simd: int
    cycles: int


def layers(design: FoldedDesign) -> tuple[Layer, ...]:
    """The units of a design in dataflow order."""
    found = []
    for stage in design.stages:
        kernel, kind = stage.node.kernel, design.graph.tensors[stage.node.outputs[0]]
        found.append(
            Layer(
                stage.name,
                stage.node.origin,
                kernel.stem,
                kind.shape,
                kind.element.bits,
                stage.folding.pe,
                stage.folding.simd,
                stage.cycles,
            )
        )
    return tuple(found)


def tensor_behind(graph: DataflowGraph, layer: str) -> str:
    """The tensor behind a layer of the model, a module (``3`` of the layer ``3/Quant``) or a unit.

    Raises
    ------
    UserError
        If there is no such layer; the message names the nearest one.
    """
    by_layer: dict[str, Node] = {}
    for node in graph.nodes:
        if not isinstance(node.kernel, Passthrough):  # width converters and FIFOs
            by_layer[node.origin.partition("/")[0]] = node
    for node in graph.nodes:
        if not isinstance(node.kernel, Passthrough):
            by_layer[node.origin] = node
        by_layer[node.name] = node
    if layer not in by_layer:
        names = list(dict.fromkeys(node.origin for node in graph.nodes))
        raise UserError(
            f"values: there is no layer {layer!r}{near(layer, by_layer)}; the layers are "
            f"{', '.join(names)}"
        )
    return by_layer[layer].outputs[0]


def expected_layers(
    expected: Mapping[str, Any], graph: DataflowGraph, frames: int
) -> dict[str, NDArray[Any]]:
    """A user's values of layers, by their tensors.

    Raises
    ------
    UserError
        If there is no such layer, or its values have another shape.
    """
    found: dict[str, NDArray[Any]] = {}
    for layer, given in expected.items():
        tensor = tensor_behind(graph, layer)
        shape = (frames, *graph.tensors[tensor].shape)
        values = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
        if values.dtype.kind not in "fiub" or values.size != math.prod(shape):
            raise UserError(
                f"expected values of layer {layer}: give its integers of the shape {shape}, as "
                f"Build.values returns them, not {values.dtype} of the shape {values.shape}"
            )
        found[tensor] = values.reshape(shape)
    return found
