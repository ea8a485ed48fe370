# SPDX-License-Identifier: BSD-3-Clause
"""What is checked of a model file before anything in it is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.message import DecodeError, Message
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from bonn_hw.errors import UnsupportedModel, UserError
from bonn_hw.frontend.attributes import Malformed

LARGEST_NODES = 20_000
# The libraries that read a file: what they raise is due to the file.
READERS = ("onnx", "onnxruntime", "google", "qonnx")


def check(model: ModelProto, path: object) -> None:
    """Refuse sparse constants, names that are not text, and graphs that would take too long.

    Raises
    ------
    UserError
        Names the tensor.
    """
    count = len(model.graph.node)
    if count > LARGEST_NODES:
        raise UnsupportedModel(
            f"model {path} has {count} nodes; at most {LARGEST_NODES} are supported: use a "
            "smaller network"
        )
    try:
        readable = all(isinstance(text, str) for text in _texts(model))
    except UnicodeDecodeError:
        readable = False
    if not readable:
        raise UserError(
            f"model {path} is damaged or inconsistent: a name in it is not UTF-8: export it again"
        )
    for sparse in model.graph.sparse_initializer:
        raise UnsupportedModel(
            f"model {path} keeps {sparse.values.name!r} as a sparse tensor, which is not "
            "supported: save it with all its zeros"
        )


def _texts(message: Message) -> Iterator[str | bytes]:
    """All strings in a message; protobuf gives bytes, or raises, for what is not UTF-8."""
    for one, value in message.ListFields():
        if one.type == one.TYPE_STRING:
            yield from (value,) if isinstance(value, str | bytes) else value
        elif one.type == one.TYPE_MESSAGE:
            for inner in (value,) if isinstance(value, Message) else value:
                yield from _texts(inner)


def external(model: ModelProto) -> Iterator[str]:
    """Names of the tensors whose data is in another file, wherever they are in the model.

    ONNX Runtime would read such files, relative to the current folder.
    """
    graphs = [model.graph, *(info.algorithm for info in model.training_info)]
    for graph in graphs:
        yield from _in_graph(graph)
    for function in model.functions:
        yield from _in_nodes(function.node)


def _in_graph(graph: GraphProto) -> Iterator[str]:
    tensors = list(graph.initializer)
    for sparse in graph.sparse_initializer:
        tensors += [sparse.values, sparse.indices]
    yield from _outside(tensors)
    yield from _in_nodes(graph.node)


def _in_nodes(nodes: Iterable[NodeProto]) -> Iterator[str]:
    for node in nodes:
        for item in node.attribute:
            for name in _in_attribute(item):
                yield name or node.name or node.op_type


def _in_attribute(item: AttributeProto) -> Iterator[str]:
    tensors = [item.t, *item.tensors]
    for sparse in (item.sparse_tensor, *item.sparse_tensors):
        tensors += [sparse.values, sparse.indices]
    yield from _outside(tensors)
    for graph in (item.g, *item.graphs):
        if graph.node or graph.initializer or graph.sparse_initializer:
            yield from _in_graph(graph)


def _outside(tensors: list[TensorProto]) -> Iterator[str]:
    for tensor in tensors:
        if tensor.external_data or tensor.data_location == TensorProto.EXTERNAL:
            yield tensor.name


def due_to_the_file(error: Exception) -> bool:
    """Whether an exception says that a model file is invalid, and not that bonn_hw has a bug.

    It does if it was raised in a library that read the file.
    """
    if isinstance(error, Malformed | DecodeError):
        return True
    trace, innermost = error.__traceback__, ""
    while trace is not None:
        innermost = trace.tb_frame.f_globals.get("__name__", "")
        trace = trace.tb_next
    kinds = (type(error).__module__, innermost)
    return any(name.split(".")[0] in READERS for name in kinds)


def named(nodes: list[NodeProto]) -> None:
    """Refuse nodes without outputs, which every part of the lowering names nodes by."""
    for node in nodes:
        if not node.output or not node.output[0]:
            raise UnsupportedModel(
                f"{node.name}: this {node.op_type} has no output: export the model again"
            )
