# SPDX-License-Identifier: BSD-3-Clause
"""Run ONNX operators with ONNX Runtime, one after the other, without fusion or optimisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


def session(model: ModelProto, threads: int = 1) -> Session:
    """Open a model without any optimisation: every operator rounds as it does alone.

    One thread is fastest for the many small models of a lowering; 0 means all cores.
    """
    for name in border.external(model):  # a build folder may come from anyone
        raise Malformed(f"the data of {name!r} is in another file")
    return opened(model.SerializeToString(), threads)


def opened(content: bytes, threads: int = 1) -> Session:
    """Open the contents of a model file, as `session` does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False  # it takes up to twice the memory of the weights
    session: Session = onnxruntime.InferenceSession(
        content, options, providers=["CPUExecutionProvider"]
    )
    return session


def assemble(
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, tuple[int, int]],
    outputs: Sequence[str],
    constants: Mapping[str, Array],
    opset: int,
    *,
    light: bool = False,
) -> ModelProto:
    """Build an ONNX model of standard operators from some nodes.

    Parameters
    ----------
    inputs : mapping
        Element type (TensorProto) and rank of every input; all dimensions are dynamic.
    light : bool
        Large constants become inputs of a known shape. The inference of shapes needs no more, and
        copies the model several times.
    """
    nodes, more = expanded(nodes, opset)
    constants = {**constants, **more}
    used = {name for node in nodes for name in node.input}
    needed = {name: np.asarray(value) for name, value in constants.items() if name in used}
    large = {name: value for name, value in needed.items() if light and value.size > LARGE}
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
        ],
        [ValueInfoProto(name=name) for name in outputs],  # types are inferred
        [initializer(name, value) for name, value in needed.items() if name not in large],
    )
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=FILE_FORMAT)


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
    part = assemble(nodes, kinds, [output], constants, opset)
    try:
        ready = session(part)
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
