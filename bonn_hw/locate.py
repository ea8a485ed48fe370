# SPDX-License-Identifier: BSD-3-Clause
"""Find the layer, the value and the cycle at which a build first differs from its references.

For the RTL and the integer graph, all streams are recorded while the RTL simulates the first frame
that differs, and compared with the integer graph stream by stream, in the order of the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.build_folder import Build
from bonn_hw.emit.stored import read_project, verified
from bonn_hw.files import scratch
from bonn_hw.images import Images
from bonn_hw.ir.design import Stream
from bonn_hw.ir.stream import pack, unpack
from bonn_hw.progress import Progress, silent
from bonn_hw.report.answers import Answers
from bonn_hw.report.difference_values import FirstDifference, Wave
from bonn_hw.report.expected import wrong_values
from bonn_hw.report.first_difference import OUTPUTS, differing
from bonn_hw.report.simulation import PyTorch
from bonn_hw.report.verdicts import LAYERS
from bonn_hw.sim import recorded
from bonn_hw.sim import run as simulator

INTEGER = "integer graph"
AROUND = 8  # cycles of the waves on each side of the one that differs


@dataclass(frozen=True, eq=False)
class Clues:
    """What else is known of the layers.

    Attributes
    ----------
    layers : mapping
        Values that the user expects, ``(N, H, W, C)``, by the tensor of the integer graph.
    pytorch : FirstDifference or None
        The first layer that differs from PyTorch's, if that is known.
    """

    layers: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    pytorch: FirstDifference | None = None


def first_difference(
    build: Build,
    images: Images,
    answers: Answers,
    clues: Clues,
    pytorch: PyTorch | None = None,
    stall: int | None = None,
    progress: Progress = silent,
) -> FirstDifference | None:
    """The first difference: of the RTL from the integer graph, of layers, then of the outputs."""
    found = from_integer_graph(build, images.values, answers, stall, progress)
    found = found or _of_layers(build, images.values, clues) or clues.pytorch
    if found is not None:
        return found
    references: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}
    references["QONNX model"] = answers.y, answers.qonnx.reshape(answers.y.shape)
    if images.expected is not None:
        wrong = wrong_values(answers, images.expected, images.rounded)
        references["expected outputs"] = answers.y, wrong
    if pytorch is not None:
        flat = answers.rtl.reshape(len(answers.rtl), -1)
        references["PyTorch network"] = flat, pytorch.integers.reshape(flat.shape)
    for reference, (ours, theirs) in references.items():
        found = differing(ours, theirs, reference=reference, layer=OUTPUTS)
        if found is not None:
            return found
    return None


def frames_with_other_layers(
    build: Build, images: NDArray[np.float32], clues: Clues
) -> NDArray[np.bool_]:
    """Frames ``(N,)`` in which a layer does not have the values that the user expects."""
    differ = np.zeros(len(images), np.bool_)
    if clues.layers:
        for tensor, values in _tensors(build, images):
            if tensor in clues.layers:
                wrong = values.reshape(len(images), -1) != _flat(clues.layers[tensor])
                differ |= wrong.any(axis=1)
    return differ


def _of_layers(build: Build, images: NDArray[np.float32], clues: Clues) -> FirstDifference | None:
    producers = {name: node for node in build.design.graph.nodes for name in node.outputs}
    for tensor, values in _tensors(build, images) if clues.layers else ():
        if tensor in clues.layers:
            node = producers[tensor]
            shape = (len(images), *build.design.graph.tensors[tensor].shape)
            found = differing(
                values.reshape(shape),
                clues.layers[tensor].reshape(shape),
                reference=LAYERS,
                layer=node.origin or node.name,
                stage=node.name,
            )
            if found is not None:
                return found
    return None


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(len(values), -1)


def from_integer_graph(
    build: Build,
    images: NDArray[np.float32],
    answers: Answers,
    stall: int | None = None,
    progress: Progress = silent,
) -> FirstDifference | None:
    """The first value of the RTL that differs from the integer graph's; None if none does.

    Parameters
    ----------
    images : float32, batch first
        The frames of ``answers``.
    stall : int or None
        Seed of the stalls of the run.
    """
    unequal = (answers.rtl != answers.integer).reshape(len(images), -1).any(axis=1)
    if not unequal.any():
        return None
    frame = int(unequal.argmax())
    begin = max(start for start, _ in answers.run.shards if start <= frame)
    # Alone, the frame is simulated fast; but it may only differ behind those before it.
    for start in dict.fromkeys((frame, begin)):
        part = images[start : frame + 1]
        found = _recorded_difference(build, part, start, stall, progress)
        if found is not None:
            return found
    return None


def stream_values(
    build: Build,
    images: NDArray[np.float32],
    tensor: str,
    stall: int | None = None,
    progress: Progress = silent,
) -> NDArray[np.int64]:
    """The values ``(N, H, W, C)`` of a stream in the RTL."""
    streams = build.design.streams
    wanted = next(number for number, one in enumerate(streams) if one.tensor == tensor)
    beats = _record(build, images, stall, progress, only=wanted)[wanted]
    return _unpacked(beats, streams[wanted], len(images))


def _recorded_difference(
    build: Build,
    images: NDArray[np.float32],
    first_frame: int,
    stall: int | None,
    progress: Progress,
) -> FirstDifference | None:
    design, streams = build.design, build.design.streams
    beats = _record(build, images, stall, progress)
    stages = {stage.name: stage.node for stage in design.stages}
    expected = dict(_tensors(build, images))
    for number, stream in enumerate(streams):
        values = _unpacked(beats[number], stream, len(images))
        whole = expected[stream.tensor].reshape(values.shape)
        source = stream.source
        found = differing(
            values,
            whole,
            reference=INTEGER,
            layer="input" if source is None else stages[source].origin or source,
            stage=source or "input",
            first_frame=first_frame,
        )
        if found is not None:
            place = (found.frame - first_frame, *found.place)
            element = int(np.ravel_multi_index(place, values.shape))
            cycle = int(beats[number].cycles[element // stream.lanes])
            inputs = () if source is None else stages[source].inputs
            shown = [n for n, one in enumerate(streams) if one.tensor in inputs]
            around = tuple(wave(beats[n], streams[n], n, cycle) for n in (*shown, number))
            return replace(found, cycle=cycle, cycle_frame=first_frame, waves=around)
    return None


def wave(beats: recorded.Beats, stream: Stream, number: int, cycle: int) -> Wave:
    """A stream around a cycle; data that wait are those of the next beat, since they hold."""
    begin = max(0, cycle - AROUND)
    cycles = np.arange(begin, min(cycle + AROUND + 1, len(beats.valid)))
    places, digits = np.searchsorted(beats.cycles, cycles), (stream.width + 3) // 4
    data = []
    for valid, place in zip(beats.valid[cycles], places, strict=True):
        word = beats.words[place] if valid and place < len(beats.words) else ()
        text = "".join(f"{int(part):08x}" for part in reversed(word))
        data.append(text[len(text) - digits :] if text else "")
    return Wave(
        stream=f"stream_{number}",
        source=stream.source or "input",
        first_cycle=int(begin),
        valid="".join(str(int(one)) for one in beats.valid[cycles]),
        ready="".join(str(int(one)) for one in beats.ready[cycles]),
        data=tuple(data),
    )


def _tensors(
    build: Build, images: NDArray[np.float32]
) -> Iterator[tuple[str, NDArray[np.integer[Any]]]]:
    """All tensors of the integer graph."""
    graph = build.design.graph
    frames = build.host.encode(images)
    yield graph.input, frames
    yield from graph.walk(frames)


def _record(
    build: Build,
    images: NDArray[np.float32],
    stall: int | None,
    progress: Progress,
    only: int | None = None,
) -> dict[int, recorded.Beats]:
    project = read_project(build.rtl) if build.trusted else verified(build.design, build.rtl)
    streams = build.design.streams
    inputs = build.host.encode(images)
    with scratch() as folder:
        waves: Path = folder / "streams.vcd"
        simulator.simulate(
            project,
            pack(inputs, project.source.lanes, project.source.element),
            len(images),
            folder=build.rtl,
            templates=build.rtl if build.trusted else None,
            stall=stall,
            trace=waves,
            streams_only=True,
            timeout_cycles=20 * build.design.bound + 10_000,
            progress=progress,
        )
        progress("reading the streams")
        wanted = range(len(streams)) if only is None else (only,)
        return recorded.read(waves, {number: streams[number].width for number in wanted})


def _unpacked(beats: recorded.Beats, stream: Stream, frames: int) -> NDArray[np.int64]:
    words = beats.words[: frames * stream.beats]  # a border may come before the next frame
    values = unpack(words, stream.lanes, stream.kind.element)
    return values.reshape(-1, *stream.kind.shape)
