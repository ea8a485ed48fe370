# SPDX-License-Identifier: BSD-3-Clause
"""Run ONNX operators with ONNX Runtime, one after the other, without fusion or optimisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from bonn_hw.frontend import border
from bonn_hw.frontend.attributes import Malformed
from bonn_hw.frontend.composites import expanded

Array = NDArray[Any]

# A file format that every version in use can read; ONNX Runtime warns about newer ones.
FILE_FORMAT = 8
LARGE = 1024  # elements of a constant that no operator has as a parameter


class Session(Protocol):
    """A model that ONNX Runtime has opened."""

    def run(self, outputs: list[str], feeds: dict[str, Array]) -> list[Array]:
        """Compute the named outputs."""

    def get_inputs(self) -> list[Any]:
        """Describe the inputs."""

    def get_outputs(self) -> list[Any]:
        """Describe the outputs."""


@dataclass(frozen=True, eq=False)
class Part:
    """A model without its large constants, and these constants by name.

    ONNX Runtime computes with the arrays as they are: weights are neither copied nor serialised.
    """

    proto: ModelProto
    large: Mapping[str, Array] = field(default_factory=dict)

    @property
    def opset(self) -> int:
        """The operator set of its nodes."""
        version: int = self.proto.opset_import[0].version
        return version

    def whole(self) -> ModelProto:
        """The model with all of its constants."""
        proto = ModelProto()
        proto.CopyFrom(self.proto)
        for item in proto.graph.initializer:
            if item.name in self.large:
                item.CopyFrom(initializer(item.name, self.large[item.name]))
        return proto

    @classmethod
    def of(cls, proto: ModelProto) -> Part:
        """Take the large constants out of a model, which is changed."""
        large = {}
        for item in proto.graph.initializer:
            if math.prod(item.dims) > LARGE and item.data_type != TensorProto.STRING:
                large[item.name] = numpy_helper.to_array(item)
                item.CopyFrom(_elsewhere(item.name, large[item.name]))
        return cls(proto, large)


class _Opened:
    """A session, and the constants in its memory."""

    def __init__(
        self, content: bytes, options: onnxruntime.SessionOptions, large: Mapping[str, Array]
    ) -> None:
        self._values = [  # they refer to the arrays, and the session to them
            onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value))
            for value in large.values()
        ]
        if large:
            options.add_external_initializers(list(large), self._values)
        self._session: Session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self.run = self._session.run
        self.get_inputs, self.get_outputs = self._session.get_inputs, self._session.get_outputs


def session(model: ModelProto, threads: int = 1) -> Session:
    """Open a model without any optimisation: every operator rounds as it does alone.

    One thread is fastest for the many small models of a lowering; 0 means all cores.
    """
    for name in border.external(model):  # a build folder may come from anyone
        raise Malformed(f"the data of {name!r} is in another file")
    return opened(Part(model), threads)


def opened(part: Part, threads: int = 1) -> Session:
    """Open a model of our own making, as `session` does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False  # it takes up to twice the memory of the weights
    return _Opened(part.proto.SerializeToString(), options, part.large)


def part_of(
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, tuple[int, int]],
    outputs: Sequence[str],
    constants: Mapping[str, Array],
    opset: int,
    *,
    for_shapes: bool = False,
) -> Part:
    """Build an ONNX model of standard operators from some nodes.

    Parameters
    ----------
    inputs : mapping
        Element type (TensorProto) and rank of every input; all dimensions are dynamic.
    for_shapes : bool
        Large constants become inputs of a known shape. The inference of shapes needs no more, and
        copies the model several times.
    """
    nodes, more = expanded(nodes, opset)
    constants = {**constants, **more}
    used = {name for node in nodes for name in node.input}
    needed = {name: np.asarray(value) for name, value in constants.items() if name in used}
    large = {
        name: value
        for name, value in needed.items()
        if value.size > LARGE and (for_shapes or value.dtype.kind in "fiub")
    }
    graph = helper.make_graph(
        nodes,
        "part",
        [
            helper.make_tensor_value_info(name, kind, [f"{name}_{axis}" for axis in range(rank)])
            for name, (kind, rank) in inputs.items()
        ]
        + [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for name, value in large.items()
            if for_shapes
        ],
        [ValueInfoProto(name=name) for name in outputs],  # types are inferred
        [
            initializer(name, value) if name not in large else _elsewhere(name, value)
            for name, value in needed.items()
            if not (for_shapes and name in large)
        ],
    )
    imports = [helper.make_opsetid("", opset)]
    return Part(helper.make_model(graph, opset_imports=imports, ir_version=FILE_FORMAT), large)


def _elsewhere(name: str, value: Array) -> TensorProto:
    """The entry of a constant that is given to ONNX Runtime as an array."""
    kind, places = helper.np_dtype_to_tensor_dtype(value.dtype), TensorProto.EXTERNAL
    entry = TensorProto(name=name, data_type=kind, dims=value.shape, data_location=places)
    entry.external_data.add(key="location", value="memory")
    return entry


def initializer(name: str, value: Array) -> TensorProto:
    """A constant of an ONNX model."""
    return numpy_helper.from_array(np.asarray(value), name)


def program(
    nodes: Sequence[NodeProto],
    feeds: Mapping[str, Array],
    output: str,
    constants: Mapping[str, Array],
    opset: int,
) -> Callable[[Mapping[str, Array]], Array]:
    """Make a function that executes nodes: from feeds to one of the outputs.

    ``feeds`` here only define the types and ranks. Making and calling the function raise Malformed
    with the message of ONNX Runtime if the nodes are invalid.
    """
    kinds = {
        name: (helper.np_dtype_to_tensor_dtype(value.dtype), value.ndim)
        for name, value in feeds.items()
    }
    part = part_of(nodes, kinds, [output], constants, opset)
    try:
        ready = opened(part)
    except Exception as error:  # ONNX Runtime's own types derive from Exception alone
        raise Malformed(str(error)) from error

    def call(values: Mapping[str, Array]) -> Array:
        try:
            result: Array = ready.run([output], dict(values))[0]
        except Exception as error:
            raise Malformed(str(error)) from error
        return result

    return call


def run(
    nodes: Sequence[NodeProto],
    feeds: Mapping[str, Array],
    output: str,
    constants: Mapping[str, Array],
    opset: int,
) -> Array:
    """Execute nodes in order and return one of their outputs."""
    return program(nodes, feeds, output, constants, opset)(feeds)
