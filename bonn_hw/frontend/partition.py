# SPDX-License-Identifier: BSD-3-Clause
"""Partition a model into the host's head and the layers behind it; start the lowering."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import NodeProto, TensorProto

from bonn_hw.errors import InternalError, UnsupportedModel
from bonn_hw.frontend import execute
from bonn_hw.frontend.host import Host, can_run
from bonn_hw.frontend.implicit_grid import implicit_grid
from bonn_hw.frontend.layout import layout
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.operator import Kind
from bonn_hw.frontend.operators import kind_of, operators
from bonn_hw.frontend.pending_ops import PendingOps
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType

HOST = (Kind.ELEMENTWISE, Kind.JOIN, Kind.SHAPE, Kind.HEAD)  # what the host runs before the layers

Nodes = list[NodeProto]


def split(model: Model) -> tuple[Nodes, Nodes, int]:
    """Split the nodes into head (up to the input's quantiser) and body.

    The head is a chain; the body may fork and join. Also returns the place of the last matrix layer
    in the body: what is behind it may run on the host.

    Raises
    ------
    UnsupportedModel
        If the input is not quantised, or there is no layer.
    """
    first = head(model)
    body = _without(model.nodes, first)
    matrices = [i for i, node in enumerate(body) if kind_of(node.op_type) is Kind.MATRIX]
    if not matrices:
        names = [name for one in operators() if one.kind is Kind.MATRIX for name in one.names]
        raise UnsupportedModel(
            f"the model has no matrix layer ({', '.join(names)}) after its input"
        )
    return first, body, matrices[-1]


def head(model: Model) -> Nodes:
    """Nodes up to the last quantiser before the first layer; raises UnsupportedModel."""
    chain = _chain(model, model.input)
    first = next((i for i, n in enumerate(chain) if kind_of(n.op_type) not in HOST), len(chain))
    quantised = [i for i in range(first) if chain[i].output[0] in model.grids]
    if not quantised and model.annotation is None:
        quantised = [i for i in range(first) if implicit_grid(chain[i], model)]
    if quantised or model.annotation is not None:
        return chain[: quantised[-1] + 1] if quantised else []
    later = [i for i in range(first, len(chain)) if chain[i].output[0] in model.grids]
    if later and can_run(chain[: later[0]]) and not any(map(_is_matrix, chain[: later[0]])):
        return chain[: later[0] + 1]  # the host runs any operator in front of the quantiser
    place = chain[first].name if first < len(chain) else "its branches"
    raise UnsupportedModel(
        f"the input {model.input!r} is not quantised before {place}: put a quantiser there "
        "(QuantIdentity in Brevitas), annotate its integer type, or state the values of the input, "
        "for example with --input uint8/255"
    )


def _is_matrix(node: NodeProto) -> bool:
    return kind_of(node.op_type) is Kind.MATRIX


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


def start(model: Model, first: Nodes) -> tuple[Host, PendingOps, TensorType]:
    """Make the host's encoder, and the first value of the accelerator."""
    last = first[-1].output[0] if first else model.input
    grid = model.annotation
    if first:
        grid = model.grids[last] if last in model.grids else implicit_grid(first[-1], model)
    if grid is None:
        raise InternalError(f"{last} enters the accelerator without a quantiser")
    if grid.scale.size != 1:
        raise UnsupportedModel(
            f"{first[-1].name}: the input's quantiser has a scale per channel; use one scale for "
            "all channels"
        )
    shape, order = layout(model, last)
    element = BIPOLAR if grid.bipolar else Element(grid.low, grid.high)
    scale = np.float32(grid.scale.reshape(-1)[0])
    proto = None
    if first:
        entry = {model.input: (TensorProto.FLOAT, 1 + len(model.shapes[model.input]))}
        proto = execute.part_of(first, entry, [last], model.constants, model.opset).whole()
    host = Host(
        input_shape=model.shapes[model.input],
        head=proto,
        tail=None,
        input_scale=float(scale),
        element=element,
        encode_order=order,
        decode_order=order,
        scale=np.ones(1, np.float32),
        outputs=model.outputs,
        stated=model.stated,
    )
    pending = PendingOps.of(element, shape[2], scale, order)
    return host, pending, TensorType(shape, element)
