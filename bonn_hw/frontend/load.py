# SPDX-License-Identifier: BSD-3-Clause
"""QONNX file -> Model: standard operators, folded constants, known shapes, any batch size.

A model file is only data: no code in it is executed, and no name in it is used as a path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, numpy_helper

from bonn_hw.errors import InternalError, UnsupportedModel, UserError
from bonn_hw.frontend import border, composites, inputs
from bonn_hw.frontend.channels_last import channels_first
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.external_data import inlined
from bonn_hw.frontend.input_grid import with_grid_behind_steps, with_input
from bonn_hw.frontend.layer_names import name_nodes
from bonn_hw.frontend.model import Model, QuantGrid
from bonn_hw.frontend.operators import table
from bonn_hw.frontend.operators.split import as_slices
from bonn_hw.frontend.outputs import JOINED, described, join
from bonn_hw.frontend.siblings import merge_heads
from bonn_hw.frontend.standard_onnx import STANDARD
from bonn_hw.frontend.stated_grid import StatedGrid
from bonn_hw.frontend.translation import (
    LARGEST_ACTIVATION,
    LARGEST_INPUT,
    Translation,
    check_size,
)

LARGEST = 1 << 31  # bytes; protobuf's own limit


class Dialect(Protocol):
    """The model files of another project, which are translated to QONNX when they are read."""

    def recognises(self, model: ModelProto) -> bool:
        """Whether a file is written in this dialect."""

    def complete(self, model: ModelProto, folder: Path) -> ModelProto:
        """Insert parts of it that are in other files of the folder; raises UserError."""

    def translate(self, model: ModelProto) -> ModelProto:
        """Translate it to QONNX; raises UnsupportedModel."""

    def foldings(self, model: ModelProto) -> Mapping[str, Mapping[str, Any]]:
        """PE, SIMD and FIFO depths in the file, by layer."""


def read_proto(path: Path, external_data: Path | None = None) -> tuple[ModelProto, bytes]:
    """Read a model file with all of its tensors; returns also its content as one file."""
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"model {path} is larger than 2 GiB, which ONNX files cannot be")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"model {path} cannot be read: {error.strerror}") from error
    try:
        proto = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise UserError(
            f"model {path} is not an ONNX file, or a truncated one: export it again"
        ) from error
    if not proto.graph.node:
        raise UserError(f"model {path} is not an ONNX file, or an empty one: export it again")
    border.check(proto, path)
    if inlined(proto, path, external_data):
        content = proto.SerializeToString(deterministic=True)
    return proto, content


def read(
    path: Path,
    dialects: Sequence[Dialect] = (),
    grid: StatedGrid | None = None,
    external_data: Path | None = None,
) -> Model:
    """Read a QONNX file, or one in another dialect.

    Parameters
    ----------
    grid : StatedGrid or None
        The values of the input, of a model that has no quantiser there.
    external_data : Path or None
        The folder in which tensors may be that are not in the file.

    Raises
    ------
    UserError
        If the file cannot be read or is damaged, or keeps weights in files outside the folder.
    UnsupportedModel
        If its form is outside the supported set (unknown operators, inputs of different sizes).
    """
    proto, content = read_proto(path, external_data)
    digest = hashlib.sha256(content).hexdigest()
    del content  # weights may be large
    try:
        for dialect in dialects:
            if dialect.recognises(proto):
                proto = dialect.complete(proto, external_data or path.parent)
                foldings = dialect.foldings(proto)
                return replace(
                    _standardise(dialect.translate(proto), digest, grid), foldings=foldings
                )
        return _standardise(proto, digest, grid)
    except (UserError, InternalError, MemoryError):
        raise
    except Exception as error:  # the libraries raise many types for an invalid graph
        if not border.due_to_the_file(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"model {path} is damaged or inconsistent: {reason}") from error


def _standardise(proto: ModelProto, sha256: str, grid: StatedGrid | None) -> Model:
    opset = _opset(proto)
    graph = proto.graph
    constants: dict[str, Array] = {
        item.name: numpy_helper.to_array(item) for item in graph.initializer
    }
    entries, exits = _ends(graph, constants)
    one = inputs.joined(entries, _names(graph, constants))
    entry, extents = one.name, inputs.extents_of(one)
    graph.ClearField("initializer")  # weights may be large
    for node in graph.node:
        if node.domain == composites.DOMAIN:
            raise UnsupportedModel(
                f"{node.name}: operators of {node.domain!r} are not supported in files; use "
                "standard ONNX and QONNX's quantisers"
            )
    nodes = channels_first(name_nodes(graph.node), graph)
    part = Translation(nodes, constants, {}, opset)
    border.named(part.nodes)
    part.fold()
    annotation = _annotation(proto, [one.name for one in entries])
    if len(entries) > 1:
        stated = grid is not None or annotation is not None
        part.nodes = inputs.split(part.nodes, constants, entries, one, opset, stated)
    part.translate_integers()
    part.translate_quantisers()
    part.fold()
    batch = max(1, extents[0])
    shapes, kinds = part.infer_shapes(entry, (batch, *extents[1:]), exits)
    part.nodes = as_slices(part.nodes, constants, shapes, opset)
    part.keep_needed(exits)
    outputs = described(exits, shapes, kinds)
    exit_ = outputs[0].name
    if len(outputs) > 1:
        part.nodes += join(outputs)
        exit_ = JOINED
    if len(outputs) > 1 or any(node.op_type == "Concat" for node in part.nodes):
        merge_heads(part.nodes, constants, part.grids, exit_)
        shapes, _ = part.infer_shapes(entry, (batch, *extents[1:]), [exit_])
    part.state_ranks(shapes)
    check_size(f"the input {entry!r}", extents[1:], LARGEST_INPUT)
    for node in part.nodes:
        for name in node.output:
            check_size(node.name, shapes.get(name, ())[1:], LARGEST_ACTIVATION)
    for node in part.nodes:
        operator = table().get(node.op_type)
        if operator is not None and operator.free_batch is not None:
            operator.free_batch(node, constants, shapes, batch)
    used = {name for node in part.nodes for name in node.input}
    model = Model(
        sha256=sha256,
        nodes=tuple(part.nodes),
        constants={name: value for name, value in constants.items() if name in used},
        shapes={name: shape[1:] for name, shape in shapes.items()},
        grids=part.grids,
        input=entry,
        output=exit_,
        outputs=outputs,
        opset=opset,
        annotation=annotation,
        metadata={item.key: item.value for item in proto.metadata_props},
    )
    if grid is not None:
        model = with_input(model, grid)
    model = with_grid_behind_steps(model)
    model.check()
    return model


def _opset(proto: ModelProto) -> int:
    """The operator set of the file, or UnsupportedModel."""
    opset = max((item.version for item in proto.opset_import if item.domain in STANDARD), default=0)
    if not 7 <= opset <= 24:
        raise UnsupportedModel(
            f"the model uses operator set {opset}; 7 to 24 are supported: export again"
        )
    return opset


def _ends(
    graph: GraphProto, constants: Mapping[str, Array]
) -> tuple[list[ValueInfoProto], list[str]]:
    """The inputs and the names of the outputs, or UnsupportedModel."""
    entries = [item for item in graph.input if item.name not in constants]
    if not entries:
        raise UnsupportedModel("the model has no input: export it again")
    if not graph.output:
        raise UnsupportedModel("the model has no output: export it again")
    if len(entries) > 1:  # what nothing uses is no input
        used = {name for node in graph.node for name in node.input}
        entries = [item for item in entries if item.name in used] or entries[:1]
    for entry in entries:
        _check_input(entry)
    return entries, [item.name for item in graph.output]


def _names(graph: GraphProto, constants: Mapping[str, Array]) -> set[str]:
    """All names of tensors and nodes."""
    names = {item.name for item in graph.input} | constants.keys()
    for node in graph.node:
        names |= {node.name, *node.input, *node.output}
    return names


def _check_input(entry: ValueInfoProto) -> None:
    """Raise UnsupportedModel unless an input is float32 of known extents."""
    extents = inputs.extents_of(entry)
    if entry.type.tensor_type.elem_type != TensorProto.FLOAT or len(extents) < 2:
        raise UnsupportedModel(
            f"the input {entry.name!r} must be float32 with a batch axis: export again"
        )
    if min(extents[1:]) < 1:
        raise UnsupportedModel(
            f"the input {entry.name!r} has the shape {extents}: all extents but the batch must be "
            "known; export with a fixed size"
        )


def _annotation(proto: ModelProto, names: Sequence[str]) -> QuantGrid | None:
    """Read the integer type that qonnx or FINN annotated the inputs with, if all have the same."""
    from qonnx.core.datatype import DataType

    notes = {
        note.tensor_name: entry.value
        for note in proto.graph.quantization_annotation
        for entry in note.quant_parameter_tensor_names
        if entry.key == "finn_datatype"
    }
    stated = {notes.get(name) for name in names}
    (text, *others) = stated
    if text is None or others or not DataType[text].is_integer():
        return None
    kind = DataType[text]
    bipolar = text == "BIPOLAR"
    return QuantGrid(np.ones((), np.float32), int(kind.min()), int(kind.max()), bipolar)
