# SPDX-License-Identifier: BSD-3-Clause
"""Labels on the chip: the accelerator sends the indices of the largest channels, not the sums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from bonn_hw.errors import UnsupportedModel, UserError
from bonn_hw.frontend import composites
from bonn_hw.frontend.attributes import flag, integer
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.evaluate import evaluator
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.pending_ops import canonical
from bonn_hw.kernels.label_select import LabelSelect

OPTION = "--labels-on-chip"
SELECTORS = ("ArgMax", "TopK")
NEW_TOP_K = 10  # operator set in which the number of a TopK is an input
LARGEST_RANGE = 1 << 22  # sums for which the operators behind them are evaluated


def check_count(model: Model, count: int) -> None:
    """Raise UserError if a model that ends in scores has fewer classes than labels."""
    scores = model.outputs[0]
    several = len(model.outputs) > 1 or scores.dtype != "float32" or not scores.shape
    if not several and scores.shape[0] < count:
        raise UserError(f"{OPTION}: {count} labels of {scores.shape[0]} classes; use fewer")


def with_labels(proto: ModelProto, count: int) -> ModelProto:
    """A copy of a model that ends in the indices of its ``count`` largest outputs.

    A model that ends in an ArgMax or a TopK stays as it is.

    Raises
    ------
    UserError
        If it has several outputs.
    """
    labelled = ModelProto()
    labelled.CopyFrom(proto)
    graph = labelled.graph
    if len(graph.output) != 1:
        names = ", ".join(repr(one.name) for one in graph.output)
        raise UserError(f"{OPTION}: the model has several outputs ({names}); keep the scores only")
    end = graph.output[0].name
    if any(end in node.output and node.op_type in SELECTORS for node in graph.node):
        return labelled
    axes = graph.output[0].type.tensor_type.shape.dim
    axis = 1 if len(axes) != 1 else 0
    if count == 1:
        graph.node.append(helper.make_node("ArgMax", [end], ["labels"], "labels", axis=axis))
    else:
        number = numpy_helper.from_array(np.array([count], np.int64), "labels/count")
        graph.initializer.append(number)
        given = [end, "labels/count"], ["labels/scores", "labels"]
        graph.node.append(helper.make_node("TopK", *given, "labels", axis=axis))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("labels", TensorProto.INT64, None))
    return labelled


def select(branch: Branch, tail: Sequence[NodeProto], count: int) -> list[NodeProto]:
    """Append the selection to a branch of sums; returns what is left for the host.

    Parameters
    ----------
    tail : sequence of NodeProto
        What the model does behind the branch, its pending operators apart: a selector.

    Raises
    ------
    UnsupportedModel
        If the order of the sums is not the order of the model's outputs, or the model does more.
    """
    if len(tail) != 1 or tail[0].op_type not in SELECTORS:
        found = ", ".join(node.op_type for node in tail) or "nothing"
        raise UnsupportedModel(
            f"{OPTION}: behind the last layer and its elementwise operators the model has {found}, "
            "not only an ArgMax or TopK: end it with its scores"
        )
    (node,) = tail
    _check_selector(node, branch, count)
    _check_order(branch, node)
    order, channels = branch.pending.order, branch.pending.channels
    frame = (1, 1) if order.ndim == 1 else (order.shape[1], (*order.shape, 1)[2])
    if not np.array_equal(order, _in_order(frame, channels, order.ndim)):
        raise UnsupportedModel(
            f"{OPTION}: {node.name} selects among elements that are not the channels of a pixel: "
            "end the model with a product, or with a convolution"
        )
    kind = branch.builder.framed(frame)
    if kind.element.bipolar:
        raise UnsupportedModel(f"{OPTION}: {node.name} selects among bits; end with sums")
    branch.builder.add(LabelSelect(kind, count), node.name)
    after = _in_order(frame, count, order.ndim)
    branch.pending = branch.pending.of(branch.builder.kind.element, count, np.float32(1), after)
    return _left(node, branch)


def _in_order(frame: tuple[int, int], channels: int, axes: int) -> NDArray[np.int64]:
    if axes == 1:
        return np.arange(channels, dtype=np.int64)
    return canonical((*frame, channels), axes)


def _check_selector(node: NodeProto, branch: Branch, count: int) -> None:
    """The largest channels, the first of equals."""
    axes = 1 + branch.pending.order.ndim
    usual = not flag(node, "select_last_index", False) and flag(node, "largest", True)
    own, default = 1, -1 if node.op_type == "TopK" else 0
    if node.op_type == "TopK":
        given = branch.model.constants.get(node.input[1]) if len(node.input) > 1 else None
        own = integer(node, "k", 0) if given is None else int(np.asarray(given).reshape(-1)[0])
    along = integer(node, "axis", default) % axes
    if not usual or along != 1 or not flag(node, "sorted", True):
        raise UnsupportedModel(
            f"{OPTION}: {node.name} does not select the largest channels, sorted; use axis=1"
        )
    if own != count:
        raise UnsupportedModel(
            f"{OPTION}: {node.name} selects {own}, not {count}: use {OPTION} {own}"
        )


def _check_order(branch: Branch, node: NodeProto) -> None:
    """The pending operators must be one rising function of the sums, the same for each channel."""
    pending, model = branch.pending, branch.model
    remedy = (
        "use one scale for all classes and no bias by class, for example a norm of one channel "
        "(TensorNorm in Brevitas' examples), or leave the labels to the host"
    )
    ops = [op for op in pending.ops if not op.moves]
    constants = (model.constants.get(name) for op in ops for name in op.node.input)
    alike = all(one is None or np.size(one) == 1 for one in constants)
    alike = alike and all(composites.rows(op.node) == 1 for op in ops)
    if not alike or (pending.scale != pending.scale[0]).any():
        raise UnsupportedModel(
            f"{OPTION}: the scores of {branch.source} have scales or constants by class, so that "
            f"their order is not that of the sums: {remedy}"
        )
    one = pending.one_channel()
    low, high = int(one.low[0]), int(one.high[0])
    if high - low >= LARGEST_RANGE:
        raise UnsupportedModel(
            f"{OPTION}: the sums of {branch.source} take {high - low + 1} values; at most "
            f"{LARGEST_RANGE} are supported: use fewer bits"
        )
    scores = one.entry(np.arange(low, high + 1)[:, None])
    scores = evaluator(one.ops, 1, model)(scores) if ops else scores
    if (np.diff(scores.reshape(-1)) <= 0).any():
        raise UnsupportedModel(
            f"{OPTION}: the operators between {branch.source} and {node.name} do not rise with "
            f"every sum: {remedy}"
        )


def _left(node: NodeProto, branch: Branch) -> list[NodeProto]:
    """The host makes integers of the labels, in the shape that the model gives them."""
    entry, labels = f"{node.name}/chip", node.output[-1]
    drops = node.op_type == "ArgMax" and not flag(node, "keepdims", True)
    whole = f"{labels}/kept" if drops else labels
    nodes = [helper.make_node("Cast", [entry], [whole], f"{node.name}/cast", to=TensorProto.INT64)]
    if drops:
        index = f"{labels}/first"
        branch.context.add_constant(index, np.array(0))
        nodes.append(helper.make_node("Gather", [whole, index], [labels], node.name, axis=1))
    return nodes
