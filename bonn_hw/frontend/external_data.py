# SPDX-License-Identifier: BSD-3-Clause
"""Tensors that a model file keeps in other files: read from one folder that the user names.

Nothing is read without that folder, and nothing outside it. A file's name in a model is not to be
trusted: it may be absolute, lead out of the folder, be a link, or name a device that never ends.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from bonn_hw.errors import UserError

LARGEST = 1 << 31  # bytes of all tensors


def inlined(proto: ModelProto, path: Path, folder: Path | None) -> bool:
    """Move external tensors into the model; returns whether there were any.

    Parameters
    ----------
    folder : Path or None
        The folder that the user allows to be read.

    Raises
    ------
    UserError
        If there are external tensors and no folder, or one of them is not in it.
    """
    tensors = [tensor for tensor in _tensors(proto) if _is_external(tensor)]
    if not tensors:
        return False
    if folder is None:
        raise UserError(
            f"model {path} keeps {tensors[0].name!r} in another file: allow its folder to be read "
            "with --external-data FOLDER, or save the model as one file"
        )
    root = folder.resolve()
    if not root.is_dir():
        raise UserError(f"--external-data: there is no folder {folder}")
    total = 0
    for tensor in tensors:
        total += _size(tensor)
        if total > LARGEST:
            raise UserError(f"model {path} and its external data have more than {LARGEST} bytes")
        tensor.raw_data = _read(tensor, path, root)
        tensor.ClearField("external_data")
        tensor.data_location = TensorProto.DEFAULT
    return True


def _is_external(tensor: TensorProto) -> bool:
    return bool(tensor.external_data) or tensor.data_location == TensorProto.EXTERNAL


def _tensors(proto: ModelProto) -> Iterator[TensorProto]:
    """All tensors of a model, wherever they are."""
    yield from _of_graph(proto.graph)
    for info in proto.training_info:
        yield from _of_graph(info.algorithm)
        yield from _of_graph(info.initialization)
    for function in proto.functions:
        yield from _of_nodes(function.node)


def _of_graph(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: list[NodeProto]) -> Iterator[TensorProto]:
    for attribute in (item for node in nodes for item in node.attribute):
        yield from _of_attribute(attribute)


def _of_attribute(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
    for one in (*sparse, *attribute.sparse_tensors):
        yield from (one.values, one.indices)
    graphs = [attribute.g] if attribute.HasField("g") else []
    for graph in (*graphs, *attribute.graphs):
        yield from _of_graph(graph)


def _size(tensor: TensorProto) -> int:
    """Bytes of a tensor by its shape and type."""
    count: int = math.prod(tensor.dims)
    if tensor.data_type in (TensorProto.INT4, TensorProto.UINT4):
        return (count + 1) // 2
    try:
        width: int = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except KeyError as error:
        raise UserError(f"tensor {tensor.name!r} has an unknown type {tensor.data_type}") from error
    if count < 0 or tensor.data_type == TensorProto.STRING:
        raise UserError(f"tensor {tensor.name!r} has no fixed size: save the model as one file")
    return count * width


def _read(tensor: TensorProto, path: Path, root: Path) -> bytes:
    entries = {item.key: item.value for item in tensor.external_data}
    size = _size(tensor)
    try:
        start, length = int(entries.get("offset", "0")), int(entries.get("length", str(size)))
    except ValueError as error:
        raise UserError(f"model {path}: {tensor.name!r} has no valid place in its file") from error
    if start < 0 or length != size:
        raise UserError(
            f"model {path}: {tensor.name!r} has {length} bytes at {start} of its file, and its "
            f"shape needs {size}: save the model again"
        )
    try:
        file = (root / entries.get("location", "")).resolve()
        if not file.is_relative_to(root):
            raise UserError(
                f"model {path}: {tensor.name!r} is in {entries.get('location')!r}, which is not "
                f"inside {root}"
            )
        # A pipe without a writer would wait for ever.
        number = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        with os.fdopen(number, "rb") as stream:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise UserError(f"model {path}: {file} is not a regular file")
            stream.seek(start)
            content = stream.read(size)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"model {path}: the file {entries.get('location')!r} of {tensor.name!r} cannot be read "
            f"in {root}: {reason}"
        ) from error
    if len(content) != size:
        raise UserError(f"model {path}: {file} ends before {tensor.name!r} does: save it again")
    return content
