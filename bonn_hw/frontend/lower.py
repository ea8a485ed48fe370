# SPDX-License-Identifier: BSD-3-Clause
"""Model -> DataflowGraph: exact, by evaluating each activation for every possible sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

from bonn_hw.errors import InternalError, UnsupportedModel, UserError
from bonn_hw.frontend import execute
from bonn_hw.frontend.activation import OTHER_MODEL, Activation
from bonn_hw.frontend.attributes import Malformed
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.context import Context, Probe
from bonn_hw.frontend.graph_builder import GraphBuilder
from bonn_hw.frontend.host import Host, can_run
from bonn_hw.frontend.labels import select
from bonn_hw.frontend.lowered import Lowered
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.notes import Note
from bonn_hw.frontend.operators import supported, table
from bonn_hw.frontend.outputs import JOINED
from bonn_hw.frontend.partition import split, start
from bonn_hw.frontend.self_check import check_runs, self_check
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.kernels.pad import Pad


def lower(
    model: Model, pytorch: Sequence[Activation] | None = None, labels: int | None = None
) -> Lowered:
    """Lower a model, and compare the result with the model on a few frames.

    Parameters
    ----------
    pytorch : sequence or None
        PyTorch's activations after the matrix layers, in the network's order. If one differs
        from ONNX Runtime (a tie within float rounding), that is reported, and PyTorch's bit is
        used.
    labels : int or None
        How many labels the accelerator selects, of a model that ends in them (`labels`); None: the
        host does.

    Raises
    ------
    UnsupportedModel
        If a layer is outside the supported set; the message names it and the remedy.
    InternalError
        If the graph computes other outputs than the model, or the lowering of an operator fails.
    """
    check_runs(model)
    head, body, last_matrix = split(model)
    host, pending, kind = start(model, head)
    context = Context(model, None if pytorch is None else list(pytorch))
    branches = _Branches(model)
    entry = head[-1].output[0] if head else model.input
    branches.add(entry, Branch(context, pending, GraphBuilder(kind), entry))
    cut: Cut | None = None  # the last place from which the host could go on
    try:
        for place, node in enumerate(body):
            if cut is not None and _for_host(node) and can_run(body[cut.place :]):
                lowered = _finish(cut.branch, host, body[cut.place :], labels)
                break
            branch = _lowered(node, branches)
            if place >= last_matrix and branches.empty() and branch.in_layout():
                cut = Cut(branch.saved(), place + 1)
            branches.add(node.output[0], branch)
        else:
            lowered = _finish(branches.last(), host, [], labels)
    except UnsupportedModel as error:
        if cut is None or not can_run(body[cut.place :]):
            if len(model.outputs) > 1 and node.name.startswith(JOINED):
                raise _apart(model) from error
            raise
        lowered = _finish(cut.branch, host, body[cut.place :], labels)
    self_check(model, lowered)
    return lowered


@dataclass(frozen=True, eq=False)
class Cut:
    """A tensor behind all matrix layers, on which all that follows depends, and on nothing else.

    Attributes
    ----------
    branch : Branch
        The branch that ends in it, as it was then.
    place : int
        Where the nodes behind it start.
    """

    branch: Branch
    place: int


def _for_host(node: NodeProto) -> bool:
    """Whether the host does a node for nothing that would need hardware here."""
    operator = table().get(node.op_type)
    return operator is not None and operator.host_first


def _apart(model: Model) -> UnsupportedModel:
    names = ", ".join(repr(one.name) for one in model.outputs)
    return UnsupportedModel(
        f"the outputs {names} come from different layers, and the accelerator has one output "
        "stream: compute all of them from one last layer, or from last layers of one input and one "
        "form, or let each be the sums of a layer or the values of a quantiser, or split the model"
    )


def _lowered(node: NodeProto, branches: _Branches) -> Branch:
    """Lower a node; other errors than those of the user say whose fault they are."""
    try:
        return _applied(node, branches.inputs_of(node))
    except (UserError, InternalError, MemoryError):
        raise
    except Malformed as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UnsupportedModel(
            f"{node.name}: this {node.op_type} cannot be understood ({reason}): export the "
            "model again"
        ) from error
    except Exception as error:
        raise InternalError(
            f"{node.name}: the lowering of this {node.op_type} failed "
            f"({type(error).__name__}: {error})"
        ) from error


class _Branches:
    """The branches that end in each tensor, one per consumer."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._ends: dict[str, list[Branch]] = {}

    def add(self, tensor: str, branch: Branch) -> None:
        """Add a branch that ends in a tensor, and fork it if there are several consumers."""
        following = self._model.consumers(tensor)
        if tensor == self._model.output and following:
            raise UnsupportedModel(
                f"{tensor}: is the output and feeds {following[0].name} too; end the model with "
                "one layer"
            )
        self._ends[tensor] = branch.fork(following) if len(following) > 1 else [branch]

    def inputs_of(self, node: NodeProto) -> list[Branch]:
        """Remove and return the branches that a node needs as inputs."""
        names = self._model.computed(node)
        for name in names:
            if not self._ends.get(name):
                raise Malformed(f"its input {name!r} is the output of no layer")
        return [self._ends[name].pop(0) for name in names]

    def empty(self) -> bool:
        """Whether every branch was taken by a node."""
        return not any(self._ends.values())

    def last(self) -> Branch:
        """The branch at the output of the model."""
        (last,) = self._ends[self._model.output]
        return last


def _applied(node: NodeProto, branches: list[Branch]) -> Branch:
    """Apply a node to the branches that end in its inputs."""
    operator = table().get(node.op_type)
    branch, *others = branches
    if not others:
        if operator is None or operator.lower is None:
            raise UnsupportedModel(
                f"{node.name}: operator {node.op_type} is not supported here; the supported layers "
                f"are {supported()}"
            )
        operator.lower(branch, node)
        branch.tensor = node.output[0]
        return branch
    if operator is None or operator.join is None:
        raise UnsupportedModel(
            f"{node.name}: operator {node.op_type} joins several computed tensors; the supported "
            f"layers are {supported()}"
        )
    operator.join(branch, node, *others)
    branch.tensor = node.output[0]
    return branch


def _finish(last: Branch, host: Host, tail: Sequence[NodeProto], labels: int | None) -> Lowered:
    """Finish the last branch: the host computes what is still pending, and the tail."""
    context = last.context
    if last.early_pad or any(last.zero_pads):
        raise UnsupportedModel("the model ends with padding; end it with a layer")
    source = last.source
    last.emit_sums()
    if context.pytorch:
        raise UserError(
            f"the checkpoint has {len(context.pytorch)} more activations than the model: "
            f"{OTHER_MODEL}"
        )
    if (last.pending.error > 0).any():
        rounded = tuple(np.flatnonzero(last.pending.error).tolist())
        channels = last.pending.channels
        context.notes.append(
            Note(source, "last digits", rounded, channels)
            if labels is None
            else Note(source, "rounding", rounded, channels)
        )
    if labels is not None:
        tail = select(last, tail, labels)
    pending, model = last.pending, context.model
    nodes = [*(op.node for op in pending.ops), *tail]
    _check_finite(source, nodes, pending.scale, model)
    order = pending.ops[0].order if pending.ops else pending.order
    proto = None
    if nodes:
        kinds = {model.computed(nodes[0])[0]: (TensorProto.FLOAT, 1 + order.ndim)}
        part = execute.part_of(nodes, kinds, [model.output], model.constants, model.opset)
        proto = part.whole()
    decoded = replace(host, tail=proto, decode_order=order, scale=pending.scale)
    graph = last.builder.graph()
    if not _depends_on_input(graph):
        padded = next(node.origin for node in graph.nodes if isinstance(node.kernel, Pad))
        raise UnsupportedModel(
            f"{padded}: the model's output depends on the padding only, not on the image; pad less"
        )
    entry = model.computed(nodes[0])[0] if nodes else model.output
    probes = list(context.probes)
    if pending.in_order(model) and labels is None:
        probes.append(Probe(source, entry, graph.output, order, pending.scale))
    # Sums that leave the accelerator are no decisions, where the file's own are rounded.
    kept = context.probes if pending.error.any() else probes
    decided = [probe.integers for probe in kept if not probe.sums]
    reference = context.parts.build(model, decided)
    expected, notes = tuple(context.expected), tuple(context.notes)
    return Lowered(graph, decoded, reference, tuple(probes), expected, notes)


def _check_finite(
    source: str, nodes: Sequence[NodeProto], scale: NDArray[np.float32], model: Model
) -> None:
    """Refuse NaN and infinity in what the host multiplies and adds behind the last integers."""
    found = [source] if not np.isfinite(scale).all() else []
    for node in nodes:
        values = [np.asarray(model.constants[one]) for one in node.input if one in model.constants]
        floats = [value for value in values if value.dtype.kind == "f"]
        bounds = node.op_type in ("Clip", "Max", "Min", "Where")  # which may be infinite
        wrong = any((np.isnan(one) if bounds else ~np.isfinite(one)).any() for one in floats)
        found += [node.name] if wrong else []
    if found:
        raise UnsupportedModel(
            f"{found[0]}: a scale, bias or other constant behind the last matrix layer is NaN or "
            "infinite: train or export the model again"
        )


def _depends_on_input(graph: DataflowGraph) -> bool:
    """Whether the last output beat of a frame waits for any input beat of the same frame."""
    needed_elements = {graph.output: graph.tensors[graph.output].size}  # by tensor
    for node in reversed(graph.nodes):
        *_, widest = node.kernel.foldings()  # the fewest steps
        schedule = node.kernel.schedule(widest).frame
        _, output_lanes = node.kernel.lanes(widest)
        beats = -(-max(needed_elements[name] for name in node.outputs) // output_lanes)
        steps = int(np.flatnonzero(schedule.emit)[beats - 1]) + 1 if beats else 0
        needed = int(schedule.need[:steps].max(initial=0))
        for name, lanes in zip(node.inputs, node.kernel.input_lanes(widest), strict=True):
            needed_elements[name] = needed * lanes
    return needed_elements[graph.input] > 0
