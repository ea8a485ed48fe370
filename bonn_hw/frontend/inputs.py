# SPDX-License-Identifier: BSD-3-Clause
"""Several inputs of a model as one: their channels side by side, in the order of the file.

The lowering, the host and the driver know one input tensor. What all inputs go through alike, such
as their quantiser, is done before they are split again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.execute import Array

JOINED = "inputs"  # name of the joined tensor
CHANNELS = 1  # the axis along which inputs are joined
SPLIT_INPUT = 13  # first operator set in which the sizes of a Split are an input
QUANTISERS = ("Quant", "IntQuant", "BipolarQuant", "QuantizeLinear")
# What may be done to all inputs at once, with constants that are scalars.
ALIKE = (*QUANTISERS, "DequantizeLinear", "Add", "Clip", "Div", "Identity", "Mul", "Relu", "Sub")


def extents_of(entry: ValueInfoProto) -> list[int]:
    """Extents of an input, the batch included; 0 for one that the file does not state."""
    return [axis.dim_value for axis in entry.type.tensor_type.shape.dim]


def joined(entries: Sequence[ValueInfoProto]) -> ValueInfoProto:
    """The one input that takes the place of several; raises UnsupportedModel."""
    if len(entries) == 1:
        return entries[0]
    each = [extents_of(one) for one in entries]
    floats = all(one.type.tensor_type.elem_type == TensorProto.FLOAT for one in entries)
    others = [one[:CHANNELS] + one[CHANNELS + 1 :] for one in each if len(one) > CHANNELS]
    if not floats or len(others) < len(each) or any(one != others[0] for one in others[1:]):
        shown = ", ".join(f"{e.name} {tuple(s[1:])}" for e, s in zip(entries, each, strict=True))
        raise UnsupportedModel(
            f"the model has {len(entries)} inputs ({shown}); several are supported if they are "
            "float32 and differ in their channels only: give them one height and width"
        )
    shape = list(each[0])
    shape[CHANNELS] = sum(one[CHANNELS] for one in each)
    return helper.make_tensor_value_info(JOINED, TensorProto.FLOAT, shape)


def split(
    nodes: Sequence[NodeProto],
    constants: dict[str, Array],
    entries: Sequence[ValueInfoProto],
    opset: int,
    stated: bool,
) -> list[NodeProto]:
    """The nodes of a model with one joined input, which is quantised and then split.

    Parameters
    ----------
    constants : dict
        The sizes of the split are added.
    stated : bool
        Whether the values of the inputs are known without a quantiser.

    Raises
    ------
    UnsupportedModel
        If the inputs have no quantiser, or not the same.
    """
    ends, rest, common = [one.name for one in entries], list(nodes), list[NodeProto]()
    while (following := _alike(ends, rest, constants)) is not None:
        first = following[0]
        entry = common[-1].output[0] if common else JOINED
        fresh = f"{JOINED}/{len(common)}"
        moved = helper.make_node(
            first.op_type, [entry, *first.input[1:]], [fresh], first.name, domain=first.domain
        )
        moved.attribute.extend(first.attribute)
        common.append(moved)
        ends = [node.output[0] for node in following]
        names = {node.output[0] for node in following}
        rest = [node for node in rest if node.output[0] not in names]
    if not stated and not any(node.op_type in QUANTISERS for node in common):
        raise UnsupportedModel(
            f"the inputs {', '.join(repr(one.name) for one in entries)} are not quantised alike: "
            "put quantisers of the same scale and width directly behind all of them (QuantIdentity "
            "in Brevitas), or state the values of the inputs, for example with --input uint8/255"
        )
    sizes = np.array([extents_of(one)[CHANNELS] for one in entries], np.int64)
    operands = [common[-1].output[0] if common else JOINED]
    given: dict[str, Any] = {"axis": CHANNELS}
    if opset >= SPLIT_INPUT:
        constants[f"{JOINED}/sizes"] = sizes
        operands.append(f"{JOINED}/sizes")
    else:
        given["split"] = sizes.tolist()
    return [*common, helper.make_node("Split", operands, ends, JOINED, **given), *rest]


def _alike(
    tensors: Sequence[str], nodes: Sequence[NodeProto], constants: Mapping[str, Array]
) -> list[NodeProto] | None:
    """The nodes behind tensors if they all do the same to each element; None if not."""
    following = []
    for tensor in tensors:
        users = [node for node in nodes if tensor in node.input]
        if len(users) != 1 or users[0].op_type not in ALIKE or users[0].input[0] != tensor:
            return None
        following += users
    given = [[constants.get(name) for name in node.input[1:]] for node in following]
    if any(one is None or np.size(one) != 1 for each in given for one in each):
        return None
    forms = {
        (
            *(node.op_type, node.domain),
            tuple(sorted(item.SerializeToString() for item in node.attribute)),
            tuple((str(one.dtype), one.item()) for one in map(np.asarray, each)),
        )
        for node, each in zip(following, given, strict=True)
    }
    return following if len(forms) == 1 else None
