# SPDX-License-Identifier: BSD-3-Clause
"""Model -> DataflowGraph: exact by evaluation over the whole range of every accumulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from onnx import NodeProto, TensorProto

from bonn_hw.errors import UnsupportedModel, UserError
from bonn_hw.frontend import execute, layers
from bonn_hw.frontend.activation import OTHER_MODEL, Activation
from bonn_hw.frontend.branch import SUPPORTED, Branch
from bonn_hw.frontend.graph_builder import GraphBuilder
from bonn_hw.frontend.host import Host
from bonn_hw.frontend.load import Model
from bonn_hw.frontend.partition import computed, split, start, takers
from bonn_hw.frontend.value import Context
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.kernels.pad import Pad


@dataclass(frozen=True, eq=False)
class Lowered:
    """The accelerator's graph, the host's part, and what there is to say about rounding."""

    graph: DataflowGraph
    host: Host
    findings: tuple[str, ...]


def lower(model: Model, pytorch: Sequence[Activation] | None = None) -> Lowered:
    """Lower a model.

    Parameters
    ----------
    pytorch : sequence or None
        PyTorch's view of the activations after matrix layers, in the network's order. Where it
        differs from ONNX Runtime's (a tie within float rounding), that is reported and PyTorch's
        is taken.

    Raises
    ------
    UnsupportedModel
        If a layer is outside the supported set; the message names it and the remedy.
    """
    head, body, tail = split(model)
    host, chain, kind = start(model, head)
    context = Context(layers.with_biases(model), None if pytorch is None else list(pytorch))
    # Ends of branches by tensor, one for each layer that takes it.
    ends: dict[str, list[Branch]] = {}

    def offer(tensor: str, branch: Branch) -> None:
        following = takers(model, tensor)
        if tensor == model.output and following:
            raise UnsupportedModel(
                f"{tensor}: is the output and feeds {following[0].name} too; end the model with "
                "one layer"
            )
        ends[tensor] = branch.fork(following) if len(following) > 1 else [branch]

    offer(head[-1].output[0] if head else model.input, Branch(context, chain, GraphBuilder(kind)))
    for node in body:
        branch, *others = (ends[name].pop(0) for name in computed(node, model))
        try:
            if not others:
                branch.take(node)
            elif node.op_type == "Add":
                branch.join(node, *others)
            else:
                raise UnsupportedModel(
                    f"{node.name}: operator {node.op_type} joins several computed tensors; the "
                    f"supported layers are {SUPPORTED}"
                )
            offer(node.output[0], branch)
        except UserError:
            raise
        except Exception as error:  # what the libraries say to attributes that make no sense
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UnsupportedModel(
                f"{node.name}: this {node.op_type} cannot be understood ({reason}): export the "
                "model again"
            ) from error
    (last,) = ends[computed(tail[0], model)[0] if tail else model.output]
    return _finish(last, host, tail)


def _finish(last: Branch, host: Host, tail: Sequence[NodeProto]) -> Lowered:
    """What still waits is computed on the host, from the integers that leave."""
    context, chain, model = last.context, last.chain, last.context.model
    if last.early or any(last.zeros):
        raise UnsupportedModel("the model ends with padding; end it with a layer")
    source = last.source
    last.emit_sums()
    if context.pytorch:
        raise UserError(
            f"the checkpoint has {len(context.pytorch)} more activations than the model: "
            f"{OTHER_MODEL}"
        )
    if (chain.error > 0).any() or chain.values is not None:
        context.findings.append(
            f"{source}: the model's own sums are rounded (its scales are no powers of two), so "
            "its float answer may differ from ours in the last places"
        )
    nodes = [*chain.nodes, *tail]
    order = chain.orders[0] if chain.orders else chain.order
    proto = None
    if nodes:
        entry = next(name for name in nodes[0].input if name and name not in model.constants)
        kinds = {entry: (TensorProto.FLOAT, 1 + order.ndim)}
        proto = execute.assemble(nodes, kinds, [model.output], model.constants, model.opset)
    decoded = replace(host, tail=proto, decode_order=order, scale=chain.scale)
    graph = last.emission.graph()
    if not _looks(graph):
        padded = next(node.origin for node in graph.nodes if isinstance(node.kernel, Pad))
        raise UnsupportedModel(
            f"{padded}: all windows that the answer comes from lie in the padding, and none looks "
            "at the image; pad less"
        )
    return Lowered(graph, decoded, tuple(context.findings))


def _looks(graph: DataflowGraph) -> bool:
    """Whether the last beat of an answer waits for any beat of its image."""
    awaited = {graph.output: graph.tensors[graph.output].size}  # elements, by tensor
    for node in reversed(graph.nodes):
        *_, widest = node.kernel.foldings()  # the fewest steps
        schedule, (taken, given) = node.kernel.schedule(widest), node.kernel.lanes(widest)
        beats = -(-max(awaited[name] for name in node.outputs) // given)
        steps = int(np.flatnonzero(schedule.emit)[beats - 1]) + 1 if beats else 0
        needed = int(schedule.need[:steps].max(initial=0))
        awaited |= dict.fromkeys(node.inputs, needed * taken)
    return awaited[graph.input] > 0
