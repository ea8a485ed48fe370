# SPDX-License-Identifier: BSD-3-Clause
"""Find where FIFOs cut long combinational paths of `tready`.

A stage without an input buffer is ready when its consumer is: its `tready` is a function of the
consumer's, within a cycle. Such stages in a row make one path through all of them, longer than any
path inside of a stage. A FIFO ends it, because its own `tready` is a register.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bonn_hw.ir.design import FoldedDesign, Stream
from bonn_hw.ir.folding import Folding
from bonn_hw.kernels.fifo import Fifo

LONGEST = 2  # stages in a row whose `tready` depends on that of their consumer
CUT = 2  # beats of a FIFO that cuts the path and keeps the rate: a skid buffer
UNAVOIDABLE = 1e6  # the cost of a path that is too long and cannot be cut


class _Cuts(NamedTuple):
    """Tensors that are cut, and the LUT that this takes."""

    lut: float
    tensors: frozenset[str]


def cuts(design: FoldedDesign, fixed: Mapping[str, int]) -> frozenset[str]:
    """The cheapest tensors whose FIFOs let `tready` cross no more than `LONGEST` stages.

    Streams into joins have a FIFO in any case.

    Parameters
    ----------
    fixed : mapping
        Depths that the user fixed, by tensor; these streams are left as they are.
    """
    inputs = Counter(stream.sink for stream in design.streams)
    passes = [
        stage.name
        for stage in design.stages
        if stage.node.kernel.schedule(stage.folding).capacity == 0
    ]
    # Streams that pass `tready` on, by producer.
    on: dict[str | None, list[Stream]] = {name: [] for name in passes}
    for stream in design.streams:
        queued = fixed.get(stream.tensor, int(inputs[stream.sink] > 1)) > 0
        if stream.source in on and stream.sink in on and not queued:
            on[stream.source].append(stream)
    # The cheapest cuts behind each stage, by how many stages a path that starts with it may have.
    best: dict[str | None, tuple[_Cuts, ...]] = {}
    for name in reversed(passes):
        best[name] = tuple(_behind(on[name], best, room, fixed) for room in range(1, LONGEST + 1))
    inner = {stream.sink for streams in on.values() for stream in streams}
    first = [best[name][-1].tensors for name in passes if name not in inner]
    return frozenset().union(*first)


def _behind(
    streams: Sequence[Stream],
    best: Mapping[str | None, tuple[_Cuts, ...]],
    room: int,
    fixed: Mapping[str, int],
) -> _Cuts:
    """The cheapest cuts of a stage's outputs and of all behind them."""
    lut, tensors = 0.0, frozenset[str]()
    for stream in streams:
        behind = best[stream.sink]
        anew = behind[-1]  # a path begins at the consumer
        choices = [behind[room - 2]] if room > 1 else []
        if stream.tensor not in fixed:
            choices.append(_Cuts(anew.lut + _cost(stream), anew.tensors | {stream.tensor}))
        if not choices:
            choices.append(_Cuts(anew.lut + UNAVOIDABLE, anew.tensors))
        chosen = min(choices, key=lambda one: one.lut)
        lut, tensors = lut + chosen.lut, tensors | chosen.tensors
    return _Cuts(lut, tensors)


def _cost(stream: Stream) -> float:
    return Fifo(stream.kind, CUT).resources(Folding(stream.lanes, stream.lanes)).lut
