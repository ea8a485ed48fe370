# SPDX-License-Identifier: BSD-3-Clause
"""Partition a model into the host's head, the accelerator's layers, and the host's tail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import NodeProto, TensorProto

from bonn_hw.errors import InternalError, UnsupportedModel
from bonn_hw.frontend import execute
from bonn_hw.frontend.host import Host
from bonn_hw.frontend.implicit_grid import implicit_grid
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.operator import Kind
from bonn_hw.frontend.operators import kind_of, operators
from bonn_hw.frontend.pending_ops import PendingOps, canonical
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType

HOST = (Kind.ELEMENTWISE, Kind.JOIN, Kind.SHAPE, Kind.HEAD)  # what the host runs before the layers

Nodes = list[NodeProto]


def split(model: Model) -> tuple[Nodes, Nodes, Nodes]:
    """Split the nodes into head (up to the input's quantiser), layers, and tail.

    Head and tail are chains; the layers between may fork and join.

    Raises
    ------
    UnsupportedModel
        If the input is not quantised, or there is no layer.
    """
    head = _head(model)
    body = _without(model.nodes, head)
    matrices = [i for i, node in enumerate(body) if kind_of(node.op_type) is Kind.MATRIX]
    if not matrices:
        names = [name for one in operators() if one.kind is Kind.MATRIX for name in one.names]
        raise UnsupportedModel(
            f"the model has no matrix layer ({', '.join(names)}) after its input"
        )
    tail = _tail(model, body[matrices[-1] :])
    return head, _without(body, tail), tail


def _head(model: Model) -> Nodes:
    """Nodes up to the last quantiser before the first layer."""
    chain = _chain(model, model.input)
    first = next((i for i, n in enumerate(chain) if kind_of(n.op_type) not in HOST), len(chain))
    quantised = [i for i in range(first) if chain[i].output[0] in model.grids]
    if not quantised and model.annotation is None:
        quantised = [i for i in range(first) if implicit_grid(chain[i], model)]
    if not quantised and model.annotation is None:
        place = chain[first].name if first < len(chain) else "its branches"
        later = [n for n in chain[first:] if n.output[0] in model.grids]
        if later and kind_of(chain[first].op_type) is not Kind.MATRIX:
            raise UnsupportedModel(
                f"{place}: operator {chain[first].op_type} is between the input {model.input!r} "
                f"and its quantiser {later[0].name}, where it is not supported; quantise the input "
                "itself"
            )
        raise UnsupportedModel(
            f"the input {model.input!r} is not quantised before {place}: put a quantiser there "
            "(QuantIdentity in Brevitas), or annotate its integer type"
        )
    return chain[: quantised[-1] + 1] if quantised else []


def _tail(model: Model, last: Nodes) -> Nodes:
    """Nodes from the first one that only the host can run."""
    hosted = [node for node in last if kind_of(node.op_type) is Kind.TAIL]
    return _chain(model, model.computed(hosted[0])[0]) if hosted else []


def _without(nodes: Sequence[NodeProto], others: Nodes) -> Nodes:
    names = {node.name for node in others}
    return [node for node in nodes if node.name not in names]


def _chain(model: Model, tensor: str) -> Nodes:
    """Nodes after a tensor, as long as each has exactly one consumer and one computed input."""
    chain: Nodes = []
    while tensor != model.output:
        following = model.consumers(tensor)
        if len(following) != 1 or model.computed(following[0]) != [tensor]:
            break
        chain.append(following[0])
        tensor = following[0].output[0]
    return chain


def start(model: Model, head: list[NodeProto]) -> tuple[Host, PendingOps, TensorType]:
    """Make the host's encoder, and the first value of the accelerator."""
    last = head[-1].output[0] if head else model.input
    grid = model.annotation
    if head:
        grid = model.grids[last] if last in model.grids else implicit_grid(head[-1], model)
    if grid is None:
        raise InternalError(f"{last} enters the accelerator without a quantiser")
    if grid.scale.size != 1:
        raise UnsupportedModel(
            f"{head[-1].name}: the input's quantiser has a scale per channel; use one scale for "
            "all channels"
        )
    shape = model.shapes[last]
    if len(shape) == 3:
        kind = TensorType((shape[1], shape[2], shape[0]), BIPOLAR)
        order = canonical(kind.shape)
    elif len(shape) == 1:
        kind, order = TensorType((1, 1, shape[0]), BIPOLAR), np.arange(shape[0], dtype=np.int64)
    else:
        raise UnsupportedModel(
            f"the quantised input has the shape {shape}: images (C, H, W) and vectors (F) are "
            "supported"
        )
    element = BIPOLAR if grid.bipolar else Element(grid.low, grid.high)
    scale = np.float32(grid.scale.reshape(-1)[0])
    proto = None
    if head:
        entry = {model.input: (TensorProto.FLOAT, 1 + len(model.shapes[model.input]))}
        proto = execute.assemble(head, entry, [last], model.constants, model.opset)
    host = Host(
        input_shape=model.shapes[model.input],
        head=proto,
        tail=None,
        input_scale=float(scale),
        element=element,
        encode_order=order,
        decode_order=order,
        scale=np.ones(1, np.float32),
    )
    pending = PendingOps.of(element, kind.shape[2], scale, order)
    return host, pending, TensorType(kind.shape, element)
