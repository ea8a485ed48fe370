# SPDX-License-Identifier: BSD-3-Clause
"""The model's own operators with FINN's rounding: ties up, where Quant rounds half to even."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from bonn_hw.frontend import Lowered, execute
from bonn_hw.frontend.context import Probe
from bonn_hw.frontend.host import Host
from bonn_hw.ir.tensor import Integers


def host_with_ties_up(host: Host) -> Host | None:
    """The host with FINN's rounding of quantisers; None if it rounds nothing."""
    head, tail = _changed(host.head), _changed(host.tail)
    if head is host.head and tail is host.tail:
        return None
    return replace(host, head=head, tail=tail)


class TiesUp:
    """The reference of a model with FINN's rounding, from any of its tensors to any other."""

    def __init__(self, lowered: Lowered) -> None:
        self._proto = lowered.reference.part.whole()
        self._probes = {probe.stream: probe for probe in lowered.probes}
        graph, host = lowered.graph, lowered.host
        entry = host.head.graph.output[0].name if host.head else lowered.reference.input
        scale = np.full(graph.tensors[graph.input].shape[2], host.input_scale, np.float32)
        self._probes[graph.input] = Probe("", entry, graph.input, host.encode_order, scale)

    def knows(self, stream: str) -> bool:
        """Whether the reference has a tensor of ours."""
        return stream in self._probes

    def equal(self, inputs: Mapping[str, Integers], stream: str, theirs: Integers) -> bool:
        """Whether the reference computes FINN's values of a tensor from those of other tensors.

        Parameters
        ----------
        inputs : mapping
            FINN's values, in our encoding, by our name.
        """
        if not all(map(self.knows, (*inputs, stream))):
            return False
        feeds = {
            self._probes[name].tensor: self._probes[name].values(values)
            for name, values in inputs.items()
        }
        target = self._probes[stream]
        nodes = _between(self._proto.graph.node, set(feeds), target.tensor)
        if not any(node.op_type == "Round" for node in nodes):
            return False
        constants = {one.name: numpy_helper.to_array(one) for one in self._proto.graph.initializer}
        used = {name for node in nodes for name in node.input}
        made = {name for node in nodes for name in node.output}
        if not used <= made | feeds.keys() | constants.keys() | {""}:
            return False  # other tensors of the model are needed too
        opset = max(one.version for one in self._proto.opset_import if not one.domain)
        kinds = {name: (TensorProto.FLOAT, value.ndim) for name, value in feeds.items()}
        part = execute.part_of(rounded_up(nodes), kinds, [target.tensor], constants, opset)
        (values,) = execute.opened(part).run([target.tensor], feeds)
        expected: NDArray[np.float32] = target.values(theirs)
        return bool((values == expected).all())


def rounded_up(nodes: Sequence[NodeProto]) -> list[NodeProto]:
    """The nodes with ties up in place of Round."""
    result: list[NodeProto] = []
    for node in nodes:
        if node.op_type != "Round":
            result.append(node)
            continue
        # floor(x) + floor(2 (x - floor(x))): no sum here is rounded itself
        x, name = node.input[0], node.output[0]
        floor, rest, twice, up = (f"{name}/{part}" for part in ("floor", "rest", "twice", "up"))
        result += [
            helper.make_node("Floor", [x], [floor]),
            helper.make_node("Sub", [x, floor], [rest]),
            helper.make_node("Add", [rest, rest], [twice]),
            helper.make_node("Floor", [twice], [up]),
            helper.make_node("Add", [floor, up], [name]),
        ]
    return result


def _between(nodes: Sequence[NodeProto], starts: set[str], end: str) -> list[NodeProto]:
    """The nodes that compute a tensor from others, in order."""
    needed, found = {end} - starts, []
    for node in reversed(nodes):
        if needed & set(node.output):
            found.append(node)
            needed |= set(node.input) - starts
    return found[::-1]


def _changed(part: ModelProto | None) -> ModelProto | None:
    """A part of the host with ties up; itself if it rounds nothing."""
    if part is None or all(node.op_type != "Round" for node in part.graph.node):
        return part
    changed = ModelProto()
    changed.CopyFrom(part)
    del changed.graph.node[:]
    changed.graph.node.extend(rounded_up(part.graph.node))
    return changed
