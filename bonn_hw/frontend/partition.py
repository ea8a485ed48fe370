# SPDX-License-Identifier: BSD-3-Clause
"""The way through a model: the host's head, the layers, the host's tail."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, TensorProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import execute
from bonn_hw.frontend import pending_ops as chains
from bonn_hw.frontend.host import Host
from bonn_hw.frontend.load import Model
from bonn_hw.frontend.pending_ops import ELEMENTWISE, SHAPE, Chain
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType

MATRIX = frozenset(("Conv", "MatMul", "Gemm"))
COUNTING = frozenset(("ReduceSum",))  # taken before the first quantiser, on the host
HOST_ONLY = frozenset(("Softmax", "LogSoftmax"))  # taken behind the last layer, on the host


def split(model: Model) -> tuple[list[NodeProto], list[NodeProto], list[NodeProto]]:
    """Split the nodes into head (up to the input's quantiser), layers, and tail.

    Head and tail are chains; the layers between may fork and join.

    Raises
    ------
    UnsupportedModel
        If the input is not quantised, or there is no layer.
    """
    chain = _chain(model, model.input)
    light = ELEMENTWISE | SHAPE | COUNTING
    first = next((i for i, n in enumerate(chain) if n.op_type not in light), len(chain))
    quantised = [i for i in range(first) if chain[i].output[0] in model.grids]
    if not quantised and model.annotation is None:
        place = chain[first].name if first < len(chain) else "its branches"
        raise UnsupportedModel(
            f"the input {model.input!r} is not quantised before {place}: put a quantiser there "
            "(QuantIdentity in Brevitas), or annotate its integer type"
        )
    head = chain[: quantised[-1] + 1] if quantised else []
    names = {node.name for node in head}
    body = [node for node in model.nodes if node.name not in names]
    matrices = [i for i, node in enumerate(body) if node.op_type in MATRIX]
    if not matrices:
        raise UnsupportedModel(
            "the model has no matrix layer (Conv, MatMul, Gemm) behind its input"
        )
    hosted = [i for i in range(matrices[-1], len(body)) if body[i].op_type in HOST_ONLY]
    if not hosted:
        return head, body, []
    tail = _chain(model, computed(body[hosted[0]], model)[0])
    names = {node.name for node in tail}
    return head, [node for node in body if node.name not in names], tail


def computed(node: NodeProto, model: Model) -> list[str]:
    """Inputs of a node that depend on the data."""
    return [name for name in node.input if name and name not in model.constants]


def takers(model: Model, tensor: str) -> list[NodeProto]:
    """Nodes that take a tensor, once for each time that they do."""
    return [node for node in model.nodes for name in node.input if name == tensor]


def _chain(model: Model, tensor: str) -> list[NodeProto]:
    """Nodes behind a tensor as long as each feeds one other, and only that one."""
    chain: list[NodeProto] = []
    while tensor != model.output:
        following = takers(model, tensor)
        if len(following) != 1 or computed(following[0], model) != [tensor]:
            break
        chain.append(following[0])
        tensor = following[0].output[0]
    return chain


def start(model: Model, head: list[NodeProto]) -> tuple[Host, Chain, TensorType]:
    """Make the host's encoder and the value that enters the accelerator."""
    last = head[-1].output[0] if head else model.input
    grid = model.grids[last] if head else model.annotation
    assert grid is not None
    if grid.scale.size != 1:
        raise UnsupportedModel(
            f"{head[-1].name}: the input's quantiser has a scale for each channel; use one for all"
        )
    shape = model.shapes[last]
    if len(shape) == 3:
        kind = TensorType((shape[1], shape[2], shape[0]), BIPOLAR)
        order = chains.canonical(kind.shape)
    elif len(shape) == 1:
        kind, order = TensorType((1, 1, shape[0]), BIPOLAR), np.arange(shape[0], dtype=np.int64)
    else:
        raise UnsupportedModel(
            f"the quantised input has the shape {shape}: images (C, H, W) and vectors (F) are "
            "supported"
        )
    element = BIPOLAR if grid.bipolar else Element(grid.low, grid.high)
    step = np.float32(grid.scale.reshape(-1)[0])
    proto = None
    if head:
        entry = {model.input: (TensorProto.FLOAT, 1 + len(model.shapes[model.input]))}
        proto = execute.assemble(head, entry, [last], model.constants, model.opset)
    host = Host(
        input_shape=model.shapes[model.input],
        head=proto,
        tail=None,
        step=float(step),
        element=element,
        encode_order=order,
        decode_order=order,
        scale=np.ones(1, np.float32),
    )
    chain = Chain.of(element, kind.shape[2], step, order)
    return host, chain, TensorType(kind.shape, element)
