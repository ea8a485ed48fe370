# SPDX-License-Identifier: BSD-3-Clause
"""FINN's partitions: a parent graph whose nodes stand for graphs in other files.

FINN's builder writes the hardware into files of their own, and their paths on its machine into the
parent. Such a file is only read if it is in the folder of the model that the user named, or below
it: of the path, as much of the end as exists there is used.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, NodeProto, TensorAnnotation, TensorProto

from bonn_hw.errors import UserError
from bonn_hw.interop.finn_attributes import node_attributes

PARTITIONS = ("StreamingDataflowPartition", "GenericPartition")
DEEPEST = 4  # partitions in partitions
LARGEST = 1 << 31  # bytes; protobuf's own limit


def has_partitions(model: ModelProto) -> bool:
    """Whether a graph has nodes that stand for other files."""
    return any(node.op_type in PARTITIONS for node in model.graph.node)


def merged(model: ModelProto, folder: Path, depth: int = 0) -> ModelProto:
    """The graph with its partitions in place of their nodes.

    Parameters
    ----------
    folder : Path
        The only folder whose files are read.

    Raises
    ------
    UserError
        If a file is not in the folder, or is not a graph with the node's inputs and outputs.
    """
    if not has_partitions(model):
        return model
    if depth == DEEPEST:
        raise UserError(f"FINN's partitions are nested more than {DEEPEST} deep")
    whole = ModelProto()
    whole.CopyFrom(model)
    del whole.graph.node[:]
    for node in model.graph.node:
        if node.op_type not in PARTITIONS:
            whole.graph.node.append(node)
            continue
        child = merged(_read(node, folder), folder, depth + 1)
        _insert(whole, node, child)
    versions = {one.domain: one for one in whole.opset_import}
    if not {"", "ai.onnx"} & versions.keys():
        whole.opset_import.append(onnx.helper.make_opsetid("", 13))
    return whole


def _read(node: NodeProto, folder: Path) -> ModelProto:
    named = str(node_attributes(node).get("model", ""))
    path = _inside(named, folder)
    if path is None:
        raise UserError(
            f"{node.name}: its layers are in {_parts(named)[-1] if _parts(named) else 'no file'}, "
            f"which is not in {folder} or below: put that file beside the model"
        )
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"partition {path} is larger than 2 GiB, which ONNX files cannot be")
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise UserError(f"partition {path} cannot be read: {error.strerror}") from error
    except DecodeError as error:
        raise UserError(f"partition {path} is not an ONNX file, or a truncated one") from error
    for tensor in model.graph.initializer:
        if tensor.external_data or tensor.data_location == TensorProto.EXTERNAL:
            raise UserError(
                f"partition {path} keeps {tensor.name!r} in another file, which is not supported: "
                "save it as one file"
            )
    return model


def _parts(named: str) -> tuple[str, ...]:
    """A path's components, of either kind of system, without those that lead upwards."""
    kind = PureWindowsPath if "\\" in named else PurePosixPath
    return tuple(part for part in kind(named).parts if part not in ("..", ".", "/", "\\"))


def _inside(named: str, folder: Path) -> Path | None:
    """The file in the folder that the longest end of a path names; no link leads out of it."""
    parts, root = _parts(named), folder.resolve()
    for place in range(len(parts)):
        path = root.joinpath(*parts[place:]).resolve()
        if path.is_file() and path.is_relative_to(root):
            return path
    return None


def _insert(whole: ModelProto, node: NodeProto, child: ModelProto) -> None:
    """Append a child's nodes; its inner tensors get the partition's name in front."""
    graph = child.graph
    constants = {one.name for one in graph.initializer}
    inputs = [one.name for one in graph.input if one.name not in constants]
    outputs = [one.name for one in graph.output]
    if len(inputs) != len(node.input) or len(outputs) != len(node.output):
        raise UserError(
            f"{node.name}: has {len(node.input)} inputs and {len(node.output)} outputs, and its "
            f"file {len(inputs)} and {len(outputs)}: the files are of different builds"
        )
    names = dict(zip(inputs, node.input, strict=True))
    names |= dict(zip(outputs, node.output, strict=True))

    def named(name: str) -> str:
        return names.get(name, f"{node.name}/{name}") if name else ""

    for one in graph.initializer:
        constant = TensorProto()
        constant.CopyFrom(one)
        constant.name = named(one.name)
        whole.graph.initializer.append(constant)
    for one in graph.node:
        inner = NodeProto()
        inner.CopyFrom(one)
        inner.input[:] = [named(name) for name in one.input]
        inner.output[:] = [named(name) for name in one.output]
        whole.graph.node.append(inner)
    known = {note.tensor_name for note in whole.graph.quantization_annotation}
    for one in graph.quantization_annotation:
        if named(one.tensor_name) not in known:
            note = TensorAnnotation()
            note.CopyFrom(one)
            note.tensor_name = named(one.tensor_name)
            whole.graph.quantization_annotation.append(note)
