# SPDX-License-Identifier: BSD-3-Clause
"""Translate the nodes of a file to standard ONNX: quantisers, constants, shapes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import composites, execute
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.integer_tensors import IntegerTensors
from bonn_hw.frontend.model import QuantGrid
from bonn_hw.frontend.operator import NoGrid
from bonn_hw.frontend.operators.quantize_linear import constant_grid
from bonn_hw.frontend.standard_onnx import STANDARD, by_definition, quantiser_of, to_standard_onnx

LARGEST_TENSOR = 1 << 28  # elements
LARGEST_INPUT = 1 << 25  # elements of a frame; a 4K picture has 25 million
LARGEST_ACTIVATION = 1 << 27  # elements of a frame
MOVES = frozenset(("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"))


@dataclass
class Translation:
    """Nodes during their translation to standard ONNX, with constants and grids of tensors."""

    nodes: list[NodeProto]
    constants: dict[str, Array]
    grids: dict[str, QuantGrid]
    opset: int

    def translate(self, node: NodeProto) -> list[NodeProto]:
        """Translate a node to standard ONNX; keep the constants and the grid of a quantiser."""
        standard = to_standard_onnx(node, self.constants, self.opset)
        if standard is None:
            return [node]
        self.constants |= standard.constants
        if standard.grid is not None:
            self.grids[node.output[0]] = standard.grid
        return list(standard.nodes)

    def translate_integers(self) -> None:
        """Replace QuantizeLinear, DequantizeLinear and what is between by operators of floats."""
        integers = IntegerTensors(self.constants, self.opset)
        self.nodes = integers.translated(self.nodes)
        self.constants |= integers.added
        self.grids |= integers.grids

    def translate_quantisers(self) -> None:
        """Replace all quantisers by standard operators."""
        self.nodes = [new for node in self.nodes for new in self.translate(node)]

    def fold(self) -> None:
        """Compute nodes that depend only on constants, and keep the others."""
        rest, uses = [], Counter(name for node in self.nodes for name in node.input)
        for node in self.nodes:
            if node.op_type == "Constant" and node.domain in STANDARD:
                self.constants[node.output[0]] = execute.run(
                    [node], {}, node.output[0], {}, self.opset
                )
            elif all(name in self.constants for name in node.input if name):
                self._compute(node)
                uses.subtract(node.input)
                for name in node.input:
                    if not uses[name] and np.size(self.constants.get(name, 0)) > execute.LARGE:
                        del self.constants[name]  # weights may be large
            else:
                rest.append(node)
        self.nodes = rest

    def _compute(self, node: NodeProto) -> None:
        if quantiser_of(node) is not None:
            if not all(node.input) or not node.input:
                raise UnsupportedModel(f"{node.name}: {node.op_type} lacks inputs; export it again")
            check_size(node.name, _broadcast(self.constants[name] for name in node.input))
            try:
                nodes = composites.ranked(
                    self.translate(node), np.ndim(self.constants[node.input[0]])
                )
            except NoGrid:  # such as a bias of 32 bits: its values are all that matters
                self.constants[node.output[0]] = by_definition(node, self.constants)
                return
        else:
            nodes = [node]
        _check_bounds(node, nodes, self.constants, self.opset)
        if node.op_type == "DequantizeLinear" and (grid := constant_grid(node, self.constants)):
            self.grids[node.output[0]] = grid
        if node.op_type in MOVES and node.input[0] in self.grids:
            self.grids[node.output[0]] = self.grids[node.input[0]]
        for name in node.output:
            self.constants[name] = execute.run(nodes, {}, name, self.constants, self.opset)

    def infer_shapes(
        self, entry: str, shape: tuple[int, ...], exits: Sequence[str]
    ) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
        """Shapes and types of all tensors. Outputs of Shape nodes become constants."""
        while True:
            shapes, kinds = _shapes(self.nodes, self.constants, entry, shape, exits, self.opset)
            before, shape_nodes = len(self.nodes), [n for n in self.nodes if n.op_type == "Shape"]
            for node in shape_nodes:
                if node.input[0] in shapes:
                    self.constants[node.output[0]] = np.array(shapes[node.input[0]], np.int64)
            self.nodes = [node for node in self.nodes if node.output[0] not in self.constants]
            self.fold()
            if len(self.nodes) == before or not shape_nodes:
                return shapes, kinds

    def state_ranks(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Tell nodes of thresholds how many axes their input has."""
        for place, node in enumerate(self.nodes):
            if not composites.is_thresholds(node):
                continue
            shape, rows = shapes.get(node.input[0], ()), composites.rows(node)
            rank = len(shape)
            if rank < 2:
                raise UnsupportedModel(f"{node.name}: its input has no axis of channels")
            if rows not in (1, shape[1]):
                raise UnsupportedModel(
                    f"{node.name}: has thresholds for {rows} channels, and its input has "
                    f"{shape[1]}: give one row of thresholds for each channel, or one for all"
                )
            if rank == 3 and rows > 1 and composites.guessed(node):
                raise UnsupportedModel(
                    f"{node.name}: a MultiThreshold of three axes must state its data_layout, NCW "
                    "or NWC"
                )
            (self.nodes[place],) = composites.ranked([node], rank)

    def keep_needed(self, outputs: Sequence[str]) -> None:
        """Drop nodes that no output depends on."""
        needed: set[str] = set(outputs)
        kept = []
        for node in reversed(self.nodes):
            if needed & set(node.output):
                kept.append(node)
                needed |= set(node.input)
        self.nodes = kept[::-1]


def _check_bounds(
    node: NodeProto, todo: list[NodeProto], constants: Mapping[str, Array], opset: int
) -> None:
    """Refuse what a few bytes of a file could make run for ever or fill the memory."""
    if any(item.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for item in node.attribute):
        raise UnsupportedModel(
            f"{node.name}: operator {node.op_type} is not supported; export without control flow"
        )
    part = execute.part_of(todo, {}, list(node.output), constants, opset, for_shapes=True)
    proto = part.proto
    inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    for info in (*inferred.graph.value_info, *inferred.graph.output):
        check_size(node.name, [axis.dim_value for axis in info.type.tensor_type.shape.dim])


def check_size(name: str, shape: Sequence[int], most: int = LARGEST_TENSOR) -> None:
    """Refuse a tensor of so many elements that memory would not be bounded."""
    if math.prod(shape) > most:
        raise UnsupportedModel(
            f"{name}: a tensor of the shape {tuple(shape)} has more than {most} elements; use a "
            "smaller network"
        )


def _broadcast(values: Iterable[Array]) -> tuple[int, ...]:
    """The shape of an elementwise result, or of all elements where there is none."""
    shapes = [np.shape(value) for value in values]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        return max(shapes, key=math.prod)


def _shapes(
    nodes: list[NodeProto],
    constants: Mapping[str, Array],
    entry: str,
    shape: tuple[int, ...],
    outputs: Sequence[str],
    opset: int,
) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """Static shapes, batch included, and element types of all tensors where they are known."""
    entries = {entry: (TensorProto.FLOAT, len(shape))}
    shaped = composites.shaped(nodes)
    proto = execute.part_of(shaped, entries, outputs, constants, opset, for_shapes=True).proto
    for axis, extent in zip(proto.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        axis.dim_value = extent
    inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True)
    infos = (*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input)
    shapes, kinds = {}, {}
    for info in infos:
        axes = info.type.tensor_type.shape.dim
        kinds[info.name] = info.type.tensor_type.elem_type
        if info.type.tensor_type.HasField("shape") and all(a.HasField("dim_value") for a in axes):
            shapes[info.name] = tuple(axis.dim_value for axis in axes)
    return shapes, kinds
