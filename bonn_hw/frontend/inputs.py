# SPDX-License-Identifier: BSD-3-Clause
"""Several inputs of a model as one: their channels side by side, in the order of the file.

The lowering, the host and the driver know one input tensor. What all inputs go through alike, such
as their quantiser, is done before they are split again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.execute import Array

JOINED = "inputs"  # name of the joined tensor, if it is free
CHANNELS = 1  # the axis along which inputs are joined
SPLIT_INPUT = 13  # first operator set in which the sizes of a Split are an input
QUANTISERS = ("Quant", "IntQuant", "BipolarQuant", "QuantizeLinear")
# What may be done to all inputs at once, with constants that are scalars.
ALIKE = (*QUANTISERS, "DequantizeLinear", "Add", "Clip", "Div", "Identity", "Mul", "Relu", "Sub")


def extents_of(entry: ValueInfoProto) -> list[int]:
    """Extents of an input, the batch included; 0 for one that the file does not state."""
    return [axis.dim_value for axis in entry.type.tensor_type.shape.dim]


def joined(entries: Sequence[ValueInfoProto], names: Collection[str]) -> ValueInfoProto:
    """The one input that takes the place of several, with a name that is none of `names`.

    Raises
    ------
    UnsupportedModel
        If the inputs differ in more than their channels.
    """
    if len(entries) == 1:
        return entries[0]
    each = [extents_of(one) for one in entries]
    batches = {one[0] for one in each} - {0}
    if len({tuple(one[CHANNELS + 1 :]) for one in each}) > 1 or len(batches) > 1:
        shown = ", ".join(f"{e.name} {tuple(s[1:])}" for e, s in zip(entries, each, strict=True))
        raise UnsupportedModel(
            f"the model has {len(entries)} inputs ({shown}); several are supported if they differ "
            "in their channels only: give them one height and width"
        )
    name = JOINED
    while name in names:
        name += "_"
    shape = [max(batches, default=0), sum(one[CHANNELS] for one in each), *each[0][CHANNELS + 1 :]]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def split(
    nodes: Sequence[NodeProto],
    constants: dict[str, Array],
    entries: Sequence[ValueInfoProto],
    one: ValueInfoProto,
    opset: int,
    stated: bool,
) -> list[NodeProto]:
    """The nodes of a model with one joined input, which is quantised and then split.

    Parameters
    ----------
    constants : dict
        The sizes of the split are added.
    one : ValueInfoProto
        The joined input.
    stated : bool
        Whether the values of the inputs are known without a quantiser.

    Raises
    ------
    UnsupportedModel
        If the inputs have no quantiser, or not the same.
    """
    ends, rest, tensor = [entry.name for entry in entries], list(nodes), one.name
    common: list[NodeProto] = []
    while (following := _alike(ends, rest, constants)) is not None:
        first = following[0]
        fresh = f"{one.name}/{len(common)}"
        moved = helper.make_node(
            first.op_type, [tensor, *first.input[1:]], [fresh], first.name, domain=first.domain
        )
        moved.attribute.extend(first.attribute)
        common.append(moved)
        tensor, ends = fresh, [node.output[0] for node in following]
        rest = [node for node in rest if node.output[0] not in ends]
    if not stated and not any(node.op_type in QUANTISERS for node in common):
        raise UnsupportedModel(
            f"the inputs {', '.join(repr(entry.name) for entry in entries)} are not quantised "
            "alike: put quantisers of the same scale and width directly behind all of them "
            "(QuantIdentity in Brevitas), or state the values of the inputs, for example with "
            "--input uint8/255"
        )
    sizes = np.array([extents_of(entry)[CHANNELS] for entry in entries], np.int64)
    operands, given = [tensor], dict[str, Any](axis=CHANNELS)
    if opset >= SPLIT_INPUT:
        operands.append(f"{one.name}/sizes")
        constants[operands[-1]] = sizes
    else:
        given["split"] = sizes.tolist()
    return [*common, helper.make_node("Split", operands, ends, one.name, **given), *rest]


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
