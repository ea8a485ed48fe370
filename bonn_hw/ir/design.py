# SPDX-License-Identifier: BSD-3-Clause
"""The folded network: every node with its parallelism, every stream with its lanes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.tensor import TensorType

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Stage:
    """A node and its folding."""

    node: Node
    folding: Folding

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.node.name

    @property
    def cycles(self) -> int:
        """Initiation interval of this stage alone, in cycles per frame."""
        return self.node.kernel.cycles(self.folding)


@dataclass(frozen=True)
class Stream:
    """A tensor on wires: producer and consumer (None: outside the design), lanes per beat."""

    tensor: str
    kind: TensorType
    source: str | None
    sink: str | None
    lanes: int

    @property
    def beats(self) -> int:
        """Beats per frame."""
        return self.kind.size // self.lanes

    @property
    def width(self) -> int:
        """Bits of tdata."""
        return self.lanes * self.kind.element.bits


@dataclass(frozen=True)
class FoldedDesign:
    """A graph with a folding for every node; each stream has the same lanes at both ends.

    Width converters and FIFOs are stages like any other.
    """

    graph: DataflowGraph
    stages: tuple[Stage, ...]

    @property
    def streams(self) -> tuple[Stream, ...]:
        """All streams: the input of the graph first, then the stages' outputs, the graph's last."""
        produced: dict[str, tuple[str | None, int]] = {}
        consumed: dict[str, tuple[str | None, int]] = {}
        for stage in self.stages:
            kernel = stage.node.kernel
            _, output_lanes = kernel.lanes(stage.folding)
            input_lanes = kernel.input_lanes(stage.folding)
            for name, lanes in zip(stage.node.inputs, input_lanes, strict=True):
                consumed[name] = (stage.name, lanes)
            for name in stage.node.outputs:
                produced[name] = (stage.name, output_lanes)
        produced[self.graph.input] = (None, consumed[self.graph.input][1])
        consumed[self.graph.output] = (None, produced[self.graph.output][1])
        streams = []
        for name, (source, lanes) in produced.items():
            sink, sink_lanes = consumed[name]
            if lanes != sink_lanes:
                raise ValueError(
                    f"stream {name!r}: {source} outputs {lanes} lanes, {sink} needs {sink_lanes}"
                )
            streams.append(Stream(name, self.graph.tensors[name], source, sink, lanes))
        inner = [name for name in self._outputs() if name != self.graph.output]
        names = (self.graph.input, *inner, self.graph.output)
        order = {name: place for place, name in enumerate(names)}
        return tuple(sorted(streams, key=lambda stream: order[stream.tensor]))

    def _outputs(self) -> list[str]:
        return [name for stage in self.stages for name in stage.node.outputs]

    @property
    def bound(self) -> int:
        """Cycles per frame that the slowest stage needs; FIFOs are sized to reach it."""
        return max(stage.cycles for stage in self.stages)

    @property
    def patience(self) -> int:
        """Cycles without a beat at either end after which RTL hangs.

        A frame may wait for all others in the pipeline, and stalls make it slower.
        """
        return 20 * self.bound + 10_000

    def check(self) -> FoldedDesign:
        """Return self, or raise ValueError that names the stage or stream."""
        self.graph.check()
        if tuple(stage.node for stage in self.stages) != self.graph.nodes:
            raise ValueError("stages and nodes of the graph must be the same, in the same order")
        for stage in self.stages:
            if not IDENTIFIER.fullmatch(stage.name):  # it is written into the RTL
                raise ValueError(f"the name {stage.name!r} of a stage is not an identifier")
            if stage.folding not in stage.node.kernel.foldings():
                raise ValueError(f"{stage.name}: {stage.folding} is not a legal folding")
        if not self.streams:  # raises if lanes disagree
            raise ValueError("a design needs a stream in and one out, and has no stream")
        return self
