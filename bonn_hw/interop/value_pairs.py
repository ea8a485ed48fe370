# SPDX-License-Identifier: BSD-3-Clause
"""Which tensors of FINN's graph and of ours have the same values.

Both graphs divide a network differently. A matrix unit of FINN's may contain thresholds that are a
`requantize` of ours, or that our host computes, and pools stand before or behind them. So values
are paired, not nodes: the output of a FINN node is paired with the tensor that our nodes compute
from the tensors paired before. Our nodes in between are computed again with FINN's values. Where
several of our tensors fit, the first with FINN's values is the one, else the first that fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import UserError
from bonn_hw.frontend.host import Host
from bonn_hw.interop.finn_result import FinnNode, FinnResult
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.tensor import Element, Integers
from bonn_hw.kernels.mvu import Mvu

ANSWERS = ""  # in place of a stream: the model's quantised output, which the host computes
DECISIONS = ("mvu", "requantize", "multi_threshold", "threshold")
STEMS = {  # the kernels that can end in the values of a FINN operator
    "MVAU": DECISIONS,
    "Thresholding": DECISIONS,
    "ConvolutionInputGenerator": ("sliding_window",),
    "FMPadding": ("pad",),
    "Pool": ("max_pool", "average_pool", "requantize", "multi_threshold"),
    "StreamingMaxPool": ("max_pool", "requantize", "multi_threshold"),
    "GlobalAccPool": ("average_pool",),
    "AddStreams": ("add",),
}
# Without equal values others are no pair: FINN may have other scales there, or another layer's
# windows of that size. The next decision is computed from before them, so no difference is lost.
DECIDING = ("MVAU", "Thresholding")
BEFORE_THE_FIRST = ("Thresholding", "AddStreams", "ElementwiseMul", "ElementwiseSub")
SAME = ("StreamingDataWidthConverter", "StreamingFIFO", "DuplicateStreams")


@dataclass(frozen=True, eq=False)
class Pair:
    """A tensor in both graphs.

    Attributes
    ----------
    ours : Node
        The layer of ours that it is reported for.
    theirs : FinnNode
        FINN's node that outputs it.
    stream : str
        Our tensor, or `ANSWERS`.
    inputs : mapping
        The tensors that ``nodes`` start from: FINN's, by our name.
    nodes : tuple of Node
        Our nodes from the inputs to the tensor, in order.
    """

    ours: Node
    theirs: FinnNode
    stream: str
    inputs: Mapping[str, str]
    nodes: tuple[Node, ...]


class Values:
    """The values of both graphs for the same frames, in our encoding."""

    def __init__(
        self,
        graph: DataflowGraph,
        result: FinnResult,
        host: Host,
        scale: NDArray[np.float32] | None,
    ) -> None:
        """Take the scale of the model's output if it is quantised, else None."""
        self.graph, self.result, self.host, self.scale = graph, result, host, scale

    def theirs(self, tensor: str, stream: str) -> Integers:
        """FINN's values of a tensor as those of ours: -1 and +1 for bits."""
        values = self.result.integers(tensor)
        if stream == ANSWERS:
            flat: Integers = values.reshape(len(values), -1)
            return flat
        kind = self.graph.tensors[stream]
        if kind.element.bipolar and self.result.unsigned(tensor):
            values = 2 * values.astype(np.int64) - 1
        shaped: Integers = values.reshape(-1, *kind.shape)
        return shaped

    def recompute(
        self, pair: Pair, kernels: Mapping[str, Kernel] | None = None, host: Host | None = None
    ) -> Integers:
        """Our values of a pair for FINN's values of its inputs.

        Parameters
        ----------
        kernels : mapping or None
            Kernels that replace those of the nodes, by node name.
        host : Host or None
            Replaces the host.
        """
        values = {ours: self.theirs(name, ours) for ours, name in pair.inputs.items()}
        for node in pair.nodes:
            kernel = (kernels or {}).get(node.name, node.kernel)
            arguments = [
                values[name].reshape(-1, *kind.shape)
                for name, kind in zip(node.inputs, kernel.inputs, strict=True)
            ]
            values |= dict(zip(node.outputs, kernel.reference(*arguments), strict=True))
        if pair.stream != ANSWERS:
            result: Integers = values[pair.stream]
            return result
        last = values[self.graph.output].reshape(-1, *self.graph.tensors[self.graph.output].shape)
        return self.decided((host or self.host).decode(last))

    def decided(self, answers: NDArray[np.float32]) -> Integers:
        """The integers of a quantised output, channels last."""
        if self.scale is None:
            raise ValueError("the output is not quantised")
        integers = np.rint(answers / self.scale).astype(np.int64)
        last = integers.transpose(0, 2, 3, 1) if integers.ndim == 4 else integers
        flat: Integers = last.reshape(len(last), -1)
        return flat


def pair_values(values: Values, entry: Integers) -> tuple[str, tuple[Pair, ...]]:
    """FINN's tensor with the input of our graph, and the pairs in FINN's order.

    Parameters
    ----------
    entry : Integers
        Our values of the input.

    Raises
    ------
    UserError
        If no tensor of FINN's graph has a counterpart.
    """
    first = _entry(values, entry)
    known = {first: values.graph.input}  # FINN's tensor: ours
    pairs: list[Pair] = []
    taken: set[str] = set()  # our matrix units with a pair
    for node in values.result.nodes:
        if node.output == first or not _behind(first, node, values.result):
            continue
        if node.operator in SAME and node.inputs[0] in known:
            known |= dict.fromkeys(node.outputs, known[node.inputs[0]])
            continue
        if node.operator not in STEMS:
            continue
        if (pair := _pair(values, node, known, taken)) is None:
            continue
        pairs.append(pair)
        taken |= {one.name for one in pair.nodes if isinstance(one.kernel, Mvu)}
        if pair.stream != ANSWERS:
            known[node.output] = pair.stream
    if not pairs:
        operators = ", ".join(sorted({node.operator for node in values.result.nodes}))
        raise UserError(
            f"no layer of FINN's graph of the model ({operators or 'it has none'}) has a "
            "counterpart here: they cannot be compared"
        )
    return first, tuple(pairs)


def negated(pair: Pair) -> Integers:
    """-1 for each channel whose sums FINN has negated (its scale compensates that), else +1."""
    kernel, node = pair.ours.kernel, pair.theirs
    channels = kernel.outputs[0].shape[2]
    one = np.ones(channels, np.int64)
    if not isinstance(kernel, Mvu) or node.weights is None or node.thresholds is not None:
        return one
    if node.weights.shape != kernel.weights.shape or pair.stream not in pair.ours.outputs:
        return one
    return np.where((node.weights == -kernel.weights).all(axis=1), -one, one)


def _entry(values: Values, entry: Integers) -> str:
    """FINN's tensor with the input of our graph: the one before its first layer.

    What is before that, the host computes: thresholds, and sums and products with constants.
    """
    result, seen = values.result, []
    for node in result.nodes:
        seen.append(node.inputs[0])
        if node.operator not in BEFORE_THE_FIRST or len(node.inputs) > 1:
            break
    for name in seen:
        theirs = result.integers(name)
        if theirs.size == entry.size and (theirs.reshape(-1) == entry.reshape(-1)).all():
            return name
    return seen[-1]


def _behind(first: str, node: FinnNode, result: FinnResult) -> bool:
    """Whether a node's values depend on a tensor."""
    waiting, seen = list(node.inputs), set()
    while waiting:
        name = waiting.pop()
        if name == first:
            return True
        if name not in seen:
            seen.add(name)
            waiting += result.links.get(name, ())
    return False


def _ancestors(node: FinnNode, known: Mapping[str, str], result: FinnResult) -> dict[str, str]:
    """The nearest tensors before a node that are paired: FINN's, by our name."""
    found: dict[str, str] = {}
    waiting, seen = list(node.inputs), set()
    while waiting:
        name = waiting.pop()
        if name in known:
            found[known[name]] = name
        elif name not in seen:
            seen.add(name)
            waiting += result.links.get(name, ())
    return found


def _pair(values: Values, node: FinnNode, known: Mapping[str, str], taken: set[str]) -> Pair | None:
    """The pair of a node's output, or None if our graph has no such tensor."""
    inputs = _ancestors(node, known, values.result)
    size = values.result.tensors[node.output][0].size
    candidates = [
        one for one in _candidates(values, node, inputs, taken) if _size(values, one) == size
    ]
    same = [one for one in candidates if _same_weights(one)]
    for one in same or candidates:
        theirs = values.theirs(node.output, one.stream)
        mine = values.recompute(one).reshape(theirs.shape)
        if (mine == theirs * negated(one)).all():
            return one
    if node.operator not in DECIDING or not candidates:
        return None
    return (same or candidates)[0]


def _size(values: Values, pair: Pair) -> int:
    if pair.stream == ANSWERS:
        return values.host.decode_order.size
    return values.graph.tensors[pair.stream].size


def _same_weights(pair: Pair) -> bool:
    """Whether the matrix unit of a pair has FINN's weights, up to the sign of a channel."""
    theirs = pair.theirs.weights
    return theirs is not None and any(
        isinstance(node.kernel, Mvu)
        and node.kernel.weights.shape == theirs.shape
        and bool((np.abs(node.kernel.weights) == np.abs(theirs)).all())
        for node in pair.nodes
    )


def _candidates(
    values: Values, node: FinnNode, inputs: Mapping[str, str], taken: set[str]
) -> Iterator[Pair]:
    """The pairs that a node's output could make, in the order of our graph."""
    graph = values.graph
    matrices = dict.fromkeys(inputs, 0)  # units between the inputs and each tensor of ours
    reached: dict[str, tuple[Node, ...]] = dict.fromkeys(inputs, ())
    fewest = int(node.operator == "MVAU")
    most = int(node.operator in ("MVAU", "Thresholding"))
    for mine in graph.nodes:
        if not set(mine.inputs) <= reached.keys():
            continue
        unit = isinstance(mine.kernel, Mvu)
        count = max(matrices[name] for name in mine.inputs) + unit
        if count > most or (unit and mine.name in taken):
            continue
        before = {one.name: one for name in mine.inputs for one in reached[name]}
        nodes = (*sorted(before.values(), key=graph.nodes.index), mine)
        for name in mine.outputs:
            if name not in inputs:
                matrices[name], reached[name] = count, nodes
        element = mine.kernel.outputs[0].element
        if count < fewest or mine.kernel.stem not in STEMS[node.operator]:
            continue
        if _sums(mine.kernel, element) != (node.decides is False):
            continue
        yield Pair(_layer(nodes, node), node, mine.outputs[0], inputs, nodes)
    if graph.output in reached and values.scale is not None and node.decides:
        last = reached[graph.output]
        if last and matrices[graph.output] >= fewest:
            yield Pair(_layer(last, node), node, ANSWERS, inputs, last)


def _sums(kernel: Kernel, element: Element) -> bool:
    """Whether a kernel outputs the sums of a matrix unit."""
    return isinstance(kernel, Mvu) and not element.bipolar


def _layer(nodes: Sequence[Node], node: FinnNode) -> Node:
    """The node that a pair is reported for: the matrix unit if FINN's node is one."""
    units = [one for one in nodes if isinstance(one.kernel, Mvu)]
    return units[-1] if units and node.operator == "MVAU" else nodes[-1]
