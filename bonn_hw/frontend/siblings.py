# SPDX-License-Identifier: BSD-3-Clause
"""Several heads on one trunk: their last matrix layers become one, and the host splits its outputs.

A model with two outputs ends in two layers on one tensor. The accelerator has one output stream, so
the weights are put side by side, each channel with its own scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, helper

from bonn_hw.frontend.attributes import flag, integer
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import QuantGrid
from bonn_hw.frontend.operator import Kind
from bonn_hw.frontend.operators import kind_of


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes with their constants and grids; all three are changed."""

    nodes: list[NodeProto]
    constants: dict[str, Array]
    grids: dict[str, QuantGrid]


def merge_heads(
    nodes: list[NodeProto],
    constants: dict[str, Array],
    grids: dict[str, QuantGrid],
    output: str,
) -> None:
    """Merge the matrix layers that no other one follows, if there are several on one tensor.

    The first three are changed.

    Parameters
    ----------
    output : str
        The output of the model.
    """
    graph = Graph(nodes, constants, grids)
    heads = _last_matrices(graph.nodes)
    if len(heads) < 2:
        return
    _share(graph, output)
    heads = _last_matrices(graph.nodes)
    if len(heads) < 2 or len({_form(node, graph) for node in heads}) > 1:
        return
    weights = [_weights(node, graph) for node in heads]
    known = [one for one in weights if one is not None]
    if len(known) == len(heads):
        _merge(graph, heads, known)


def _last_matrices(nodes: Sequence[NodeProto]) -> list[NodeProto]:
    """Matrix layers behind which there is no other."""
    followed: set[str] = set()  # tensors behind which a matrix layer follows
    last = []
    for node in reversed(nodes):
        matrix = kind_of(node.op_type) is Kind.MATRIX
        if matrix and not followed & set(node.output):
            last.append(node)
        if matrix or followed & set(node.output):
            followed |= set(node.input)
    return last[::-1]


def _share(graph: Graph, output: str) -> None:
    """Compute what several nodes compute alike only once, such as a Flatten for each head."""
    names: dict[str, str] = {}
    seen: dict[tuple[object, ...], str] = {}
    kept = []
    for node in graph.nodes:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
        if kind_of(node.op_type) is Kind.MATRIX or output in node.output or len(node.output) > 1:
            kept.append(node)
            continue
        inputs = tuple(_content(name, graph.constants) for name in node.input)
        attributes = tuple(sorted(item.SerializeToString() for item in node.attribute))
        key = (node.domain, node.op_type, inputs, attributes)
        if key in seen:
            names[node.output[0]] = seen[key]
        else:
            seen[key] = node.output[0]
            kept.append(node)
    graph.nodes[:] = kept


def _content(name: str, constants: Mapping[str, Array]) -> object:
    if name not in constants:
        return name
    value = np.asarray(constants[name])
    return (value.shape, value.dtype.str, value.tobytes())


def _form(node: NodeProto, graph: Graph) -> tuple[object, ...]:
    """What two layers must have in common: input, operator, attributes, and window."""
    attributes = tuple(sorted(item.SerializeToString() for item in node.attribute))
    value = graph.constants.get(node.input[1])
    inner: object = None if value is None else np.shape(value)
    if value is not None and np.ndim(value) == 2:
        inner = np.shape(value)[1 - _axis(node)]
    elif value is not None:
        inner = np.shape(value)[1:]
    return (node.input[0], node.op_type, node.domain, attributes, inner)


def _axis(node: NodeProto) -> int:
    """The axis of the output channels in the weights."""
    if node.op_type == "Conv" or flag(node, "transB", False):
        return 0
    return 1


@dataclass(frozen=True, eq=False)
class _Weights:
    values: Array
    scale: Array  # one for each output channel
    grid: QuantGrid
    bias: Array | None


def _weights(node: NodeProto, graph: Graph) -> _Weights | None:
    """Weights with a scale for each output channel; None if they have none."""
    name = node.input[1]
    if name not in graph.constants or integer(node, "group", 1) != 1:
        return None  # groups of both heads side by side would be other groups
    values, axis = np.asarray(graph.constants[name]), _axis(node)
    if values.ndim < 2 or values.dtype != np.float32:
        return None
    count, grid = values.shape[axis], graph.grids.get(name)
    rows = np.abs(np.moveaxis(values, axis, 0).reshape(count, -1))
    if grid is None:
        if not rows.size or (rows != rows[:, :1]).any() or not (rows[:, 0] > 0).all():
            return None
        grid = QuantGrid(rows[:, 0], -1, 1, bipolar=True)
    if grid.scale.size not in (1, count):
        return None
    scale = np.broadcast_to(grid.scale.reshape(-1), count)
    bias = None
    if len(node.input) > 2 and node.input[2]:
        given = graph.constants.get(node.input[2])
        if given is None:
            return None
        bias = np.broadcast_to(np.asarray(given, np.float32).reshape(-1), count)
    return _Weights(values, scale, grid, bias)


def _merge(graph: Graph, heads: Sequence[NodeProto], weights: Sequence[_Weights]) -> None:
    first, axis = heads[0], _axis(heads[0])
    counts = [one.values.shape[axis] for one in weights]
    base = "+".join(node.name for node in heads)
    name, output = f"{base}/weights", f"{base}/output"
    graph.constants[name] = np.concatenate([one.values for one in weights], axis=axis)
    graph.grids[name] = QuantGrid(
        np.concatenate([one.scale for one in weights]).astype(np.float32),
        min(one.grid.low for one in weights),
        max(one.grid.high for one in weights),
        all(one.grid.bipolar for one in weights),
    )
    inputs = [first.input[0], name]
    if any(one.bias is not None for one in weights):
        zeros = [np.zeros(count, np.float32) for count in counts]
        biases = [
            z if one.bias is None else one.bias for z, one in zip(zeros, weights, strict=True)
        ]
        graph.constants[f"{base}/bias"] = np.concatenate(biases)
        inputs.append(f"{base}/bias")
    merged = NodeProto()
    merged.CopyFrom(first)
    merged.name, merged.input[:], merged.output[:] = base, inputs, [output]
    place = next(i for i, node in enumerate(graph.nodes) if node is first)
    names = {node.name for node in heads}
    after = _selections(graph, heads, counts, output)
    rest = [node for node in graph.nodes[place + 1 :] if node.name not in names]
    graph.nodes[:] = [*graph.nodes[:place], merged, *after, *rest]


def _selections(
    graph: Graph, heads: Sequence[NodeProto], counts: Sequence[int], output: str
) -> list[NodeProto]:
    """A Gather of channels for each head: it needs no more than the index in any operator set."""
    nodes, place = [], 0
    for node, count in zip(heads, counts, strict=True):
        index = f"{node.name}/channels"
        graph.constants[index] = np.arange(place, place + count, dtype=np.int64)
        outputs = [node.output[0]]
        nodes.append(
            helper.make_node("Gather", [output, index], outputs, f"{node.name}/of", axis=1)
        )
        place += count
    return nodes
