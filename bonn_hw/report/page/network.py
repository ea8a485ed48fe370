# SPDX-License-Identifier: BSD-3-Clause
"""The network of a page: its layers, and the streams between them with converters and FIFOs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from bonn_hw.ir.design import FoldedDesign, Stage, Stream
from bonn_hw.ir.kernel import Passthrough
from bonn_hw.report.values import LayerReport, Report

ENDS = ("input", "output")  # names of the two ends of the accelerator


@dataclass(frozen=True)
class Queue:
    """Its capacity in beats, and the most beats in it in the cycle model (None: not known)."""

    depth: int
    peak: int | None


@dataclass(frozen=True)
class Link:
    """What runs from a unit to a later one: a stream, its converters and FIFOs.

    Attributes
    ----------
    first, last : int
        Places of the two units.
    bits : int
        Of an element.
    lanes : tuple of int
        Elements a beat, again behind each width converter.
    fifos : tuple of Queue
    """

    first: int
    last: int
    bits: int
    lanes: tuple[int, ...]
    fifos: tuple[Queue, ...]


@dataclass(frozen=True)
class Unit:
    """A row of the picture: the input, a unit that computes, or the output.

    Attributes
    ----------
    shape : tuple of int
        Of its output: height, width, channels.
    bits : int
        Of an element of its output.
    layer : LayerReport or None
        Its figures; None at the two ends.
    before : tuple of LayerReport
        The converters and FIFOs of its inputs.
    """

    name: str
    shape: tuple[int, int, int]
    bits: int
    layer: LayerReport | None = None
    before: tuple[LayerReport, ...] = ()

    @property
    def cycles(self) -> int:
        """Predicted cycles per frame of the unit, or of a slower converter before it."""
        own = () if self.layer is None else (self.layer,)
        return max((one.cycles.predicted for one in (*own, *self.before)), default=0)

    def amount(self, resource: str) -> float:
        """Predicted amount of a resource, with the converters and FIFOs before it."""
        own = () if self.layer is None else (self.layer,)
        return float(sum(one.resources.named[resource] for one in (*own, *self.before)))


@dataclass(frozen=True)
class Network:
    """Units in dataflow order, and their links by the places of the units."""

    units: tuple[Unit, ...]
    links: tuple[Link, ...]

    @cached_property
    def slowest(self) -> int:
        """Cycles per frame of the slowest unit."""
        return max(unit.cycles for unit in self.units)


def network(design: FoldedDesign, report: Report) -> Network:
    """The network of a design with the figures of its report.

    Raises
    ------
    ValueError
        If the report is of another design.
    """
    figures = {layer.name: layer for layer in report.layers}
    stages = {stage.name: stage for stage in design.stages}
    if missing := sorted(set(stages) - set(figures)):
        raise ValueError(f"the report has no figures of {missing[0]}")
    computing = [one for one in design.stages if not isinstance(one.node.kernel, Passthrough)]
    places = {stage.name: place for place, stage in enumerate(computing, start=1)}
    streams = {stream.tensor: stream for stream in design.streams}
    links, befores = [], []
    for place, stage in enumerate(computing, start=1):
        arriving = [_back(streams[name], stages, streams) for name in stage.node.inputs]
        links += [_link(path, places, place, figures) for path in arriving]
        befores.append(_between(arriving, figures))
    path = _back(streams[design.graph.output], stages, streams)
    end = len(computing) + 1
    links.append(_link(path, places, end, figures))
    entry, leaving = streams[design.graph.input].kind, streams[design.graph.output].kind
    units = [Unit(ENDS[0], entry.shape, entry.element.bits)]
    for stage, before in zip(computing, befores, strict=True):
        kind = streams[stage.node.outputs[0]].kind
        layer = figures[stage.name]
        units.append(Unit(stage.name, kind.shape, kind.element.bits, layer, before))
    last = _between([path], figures)
    units.append(Unit(ENDS[1], leaving.shape, leaving.element.bits, None, last))
    return Network(tuple(units), tuple(links))


def _back(
    stream: Stream, stages: dict[str, Stage], streams: dict[str, Stream]
) -> tuple[Stream, ...]:
    """The streams from the unit that computes this one, in the order of the data."""
    path = [stream]
    while path[0].source is not None:
        stage = stages[path[0].source]
        if not isinstance(stage.node.kernel, Passthrough):
            break
        path.insert(0, streams[stage.node.inputs[0]])
    return tuple(path)


def _link(
    path: Sequence[Stream],
    places: dict[str, int],
    last: int,
    figures: dict[str, LayerReport],
) -> Link:
    first = 0 if path[0].source is None else places[path[0].source]
    lanes = [path[0].lanes]
    lanes += [one.lanes for before, one in pairwise(path) if one.lanes != before.lanes]
    fifos = [Queue(one.fifo.depth, one.fifo.peak) for one in _stages(path, figures) if one.fifo]
    return Link(first, last, path[0].kind.element.bits, tuple(lanes), tuple(fifos))


def _stages(path: Sequence[Stream], figures: dict[str, LayerReport]) -> Iterator[LayerReport]:
    yield from (figures[one.source] for one in path[1:] if one.source is not None)


def _between(
    paths: Sequence[Sequence[Stream]], figures: dict[str, LayerReport]
) -> tuple[LayerReport, ...]:
    return tuple(one for path in paths for one in _stages(path, figures))
