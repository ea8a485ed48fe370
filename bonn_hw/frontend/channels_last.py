# SPDX-License-Identifier: BSD-3-Clause
"""QONNX's channels-last operators as standard ones between two Transposes.

They take tensors (N, H, W, C), and weights (O, KH, KW, C). The Transposes only change the order of
elements, which the lowering keeps track of: they cost nothing in hardware.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import GraphProto, NodeProto, helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import integers

DOMAIN = "qonnx.custom_op.channels_last"
OPERATORS = ("BatchNormalization", "Conv", "MaxPool")
FLAT = ("Flatten", "Gemm", "MatMul")


def is_channels_last(node: NodeProto) -> bool:
    """Whether a node is of QONNX's channels-last domain, of any version."""
    domain: str = node.domain
    return domain == DOMAIN or domain.startswith(f"{DOMAIN}.")


def channels_first(nodes: Sequence[NodeProto], graph: GraphProto) -> list[NodeProto]:
    """Replace channels-last operators.

    Raises
    ------
    UnsupportedModel
        For another operator of the domain, or a tensor whose number of axes is not known.
    """
    if not any(map(is_channels_last, nodes)):
        return list(nodes)
    known = {
        info.name: len(info.type.tensor_type.shape.dim)
        for info in (*graph.input, *graph.value_info, *graph.output)
        if info.type.tensor_type.HasField("shape")
    }
    makers = {name: node for node in nodes for name in node.output}
    replaced: list[NodeProto] = []
    for node in nodes:
        replaced += _replaced(node, makers, known) if is_channels_last(node) else [node]
    return replaced


def _replaced(
    node: NodeProto, makers: Mapping[str, NodeProto], known: Mapping[str, int]
) -> list[NodeProto]:
    if node.op_type not in OPERATORS:
        raise UnsupportedModel(
            f"{node.name}: operator {node.op_type} of {node.domain} is not supported; the domain "
            f"has {', '.join(OPERATORS)}"
        )
    axes = _axes(node.input[0], makers, known) or len(integers(node, "kernel_shape", ())) + 2
    if axes < 3:
        raise UnsupportedModel(
            f"{node.name}: the file does not state the shape of its input {node.input[0]!r}; infer "
            "the shapes with qonnx-cleanup"
        )
    first = [0, axes - 1, *range(1, axes - 1)]
    last = [0, *range(2, axes), 1]
    standard = NodeProto()
    standard.CopyFrom(node)
    standard.domain = ""
    before = []
    for place in range(2 if node.op_type == "Conv" else 1):
        moved = f"{node.output[0]}/first{place}"
        name = f"{node.name}/first{place}"
        before.append(helper.make_node("Transpose", [node.input[place]], [moved], name, perm=first))
        standard.input[place] = moved
    standard.output[0] = f"{node.output[0]}/first"
    name = f"{node.name}/last"
    after = helper.make_node("Transpose", [standard.output[0]], [node.output[0]], name, perm=last)
    return [*before, standard, after]


def _axes(tensor: str, makers: Mapping[str, NodeProto], known: Mapping[str, int]) -> int:
    """Number of axes of a tensor; 0 if it is not known."""
    for _ in range(len(makers) + 1):
        if tensor in known:
            return known[tensor]
        node = makers.get(tensor)
        if node is None or not node.input or node.op_type in FLAT:
            return 0
        kernel = integers(node, "kernel_shape", ())
        if kernel:
            return len(kernel) + 2
        perm = integers(node, "perm", ())
        if perm:
            return len(perm)
        tensor = node.input[0]
    return 0
