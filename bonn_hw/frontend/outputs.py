# SPDX-License-Identifier: BSD-3-Clause
"""Several outputs of a model as one: each is flattened, and they are joined frame by frame.

The lowering, the reference and the driver know one output tensor. `Output.of` cuts it up again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, TensorProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.execute import Array

JOINED = "outputs"  # name of the joined tensor
LARGEST_INTEGER = 1 << 24  # float32 has all integers up to it


@dataclass(frozen=True)
class Output:
    """One output of a model.

    Attributes
    ----------
    shape : tuple of int
        Without the batch axis.
    dtype : str
        NumPy's name of its type, such as float32, or int64 of an ArgMax.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Elements of a frame."""
        return math.prod(self.shape)


def cut_up(outputs: Sequence[Output], values: Array) -> dict[str, Array]:
    """The outputs by name, in the file's order, from the joined tensor ``(N, ...)``."""
    if len(outputs) == 1:
        return {outputs[0].name: values}
    parts, place = {}, 0
    for one in outputs:
        part = values[:, place : place + one.size].astype(one.dtype)
        parts[one.name] = part.reshape(len(values), *one.shape)
        place += one.size
    return parts


def whole_numbers(outputs: Sequence[Output]) -> Array:
    """Which elements of the joined tensor are integers, such as class indices, bool ``(F,)``."""
    return np.concatenate([np.full(o.size, np.dtype(o.dtype).kind in "iub") for o in outputs])


def join(outputs: Sequence[Output]) -> list[NodeProto]:
    """Nodes that join several outputs to the tensor `JOINED`, in float32."""
    nodes, parts = [], []
    for place, one in enumerate(outputs):
        part, kept = f"{JOINED}/{place}", one.name
        if one.dtype != "float32":
            kept = f"{part}/float"
            name = f"{JOINED}/cast{place}"
            nodes.append(helper.make_node("Cast", [one.name], [kept], name, to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Flatten", [kept], [part], f"{JOINED}/flat{place}", axis=1))
        parts.append(part)
    nodes.append(helper.make_node("Concat", parts, [JOINED], JOINED, axis=1))
    return nodes


def described(
    names: Sequence[str], shapes: Mapping[str, tuple[int, ...]], kinds: Mapping[str, int]
) -> tuple[Output, ...]:
    """Describe the outputs of a file.

    Parameters
    ----------
    shapes, kinds : mapping
        Shapes with the batch axis and element types (TensorProto) by tensor.

    Raises
    ------
    UnsupportedModel
        If one has no batch axis, or its type is none of numbers.
    """
    outputs = []
    for name in names:
        shape = shapes.get(name)
        if shape is None or not shape:
            raise UnsupportedModel(
                f"the output {name!r} has no known shape with a batch axis: export with a fixed "
                "size, and keep the batch axis"
            )
        kind = kinds.get(name, TensorProto.FLOAT)
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind))
        if dtype.kind not in "fiub":
            raise UnsupportedModel(f"the output {name!r} is of type {dtype}; it must be of numbers")
        outputs.append(Output(name, shape[1:], dtype.name))
    return tuple(outputs)
