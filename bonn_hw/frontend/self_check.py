# SPDX-License-Identifier: BSD-3-Clause
"""The lowered graph against its reference, and the reference against the file, layer by layer.

It runs whenever a model is lowered. The graph must equal the reference with ``==`` in every tensor
that both have, on random frames, corners and frames with a border. The reference must be the file's
own operators, up to the rounding of their sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from bonn_hw.errors import InternalError, UnsupportedModel, UserError
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.lowered import Lowered
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.plain import file_layers, too_far

ELEMENTS = 1 << 26  # of the largest tensor, that are computed at once
BUG = "This is a bug of bonn_hw, not of the model: please report it with the model file"


def self_check(model: Model, lowered: Lowered) -> None:
    """Compare the graph with its reference and with the model.

    Activations are compared for every sum that can occur, and all else on a few frames.

    Raises
    ------
    UnsupportedModel
        If the model itself cannot be run.
    InternalError
        If the graph and the reference differ, or the reference differs from the model by more
        than the rounding of sums explains.
    """
    producers = {name: node for node in lowered.graph.nodes for name in node.outputs}
    for one in lowered.expected:
        wrong = one.wrong(producers[one.stream].kernel)
        if wrong.any():
            raise InternalError(
                f"{one.layer}: the lowered graph differs from the model: the activation of channel "
                f"{int(np.argmax(wrong))} is wrong for some sum. {BUG}"
            )
    frames = _frames(model, lowered)
    if not len(frames):
        return
    graph, host, reference = lowered.graph, lowered.host, lowered.reference
    names = [reference.output, *(probe.tensor for probe in lowered.probes)]
    names += [one.output for one in reference.sums]
    layers = file_layers(model, reference)
    names += [node.output[0] for node in layers]
    try:
        run = reference.program(names, layers, model.constants)
        expected = _in_groups(run, frames, model)
    except Exception as error:
        with _its_own_fault():  # one frame of the model has run
            model.run(frames[:2])
        raise InternalError(f"the reference cannot be run ({error}). {BUG}") from error
    alone = run(frames[:1])[reference.output]
    _check_batch(alone, len(frames), expected[reference.output])
    streams = {graph.output, *(probe.stream for probe in lowered.probes)}
    try:
        encoded = host.encode(frames)
    except UserError as error:  # they are frames that the model takes
        raise InternalError(f"the host's part refuses a trial frame ({error}). {BUG}") from error
    values = {graph.input: encoded}
    values |= {name: value for name, value in graph.walk(encoded) if name in streams}
    for probe in lowered.probes:
        _equal(probe.layer, probe.values(values[probe.stream]), expected[probe.tensor])
    shape = graph.tensors[graph.output].shape
    answer = host.decode(values[graph.output].reshape(-1, *shape))
    _equal("the host's part", answer, expected[reference.output])
    for layer, bad in too_far(reference, expected).items():
        if bad.any():
            raise InternalError(
                f"{layer}: the reference differs from the model by more than rounding, in "
                f"{int(bad.sum())} of {len(frames)} trial frames. {BUG}"
            )


def _in_groups(
    run: Callable[[NDArray[np.float32]], dict[str, Array]],
    frames: NDArray[np.float32],
    model: Model,
) -> dict[str, Array]:
    """Run as many frames at once as memory is spent on."""
    largest = max(math.prod(shape) for shape in model.shapes.values())
    size = max(2, ELEMENTS // max(1, largest))  # of two frames one could depend on the other
    parts = [run(frames[start : start + size]) for start in range(0, len(frames), size)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _check_batch(alone: Array, count: int, together: Array) -> None:
    """Raise UnsupportedModel if a frame's output depends on the other frames of the batch."""
    shape = together.shape
    if together.ndim and len(together) == count and alone.shape == (1, *shape[1:]):
        size = max(1.0, float(np.abs(together[0].astype(np.float64)).max(initial=0.0)))
        # Alone and together a float sum may be rounded otherwise; another frame changes far more.
        if np.allclose(alone[0], together[0], rtol=0, atol=1e-3 * size, equal_nan=True):
            return
    raise UnsupportedModel(
        f"the output has the shape {tuple(shape)} for {count} frames, or depends on the "
        "other frames of a batch: keep the batch axis as the first one, in every operator"
    )


def check_runs(model: Model) -> None:
    """Raise UnsupportedModel if ONNX Runtime cannot run the model, for example on shapes."""
    with _its_own_fault():
        model.run(np.zeros((1, *model.shapes[model.input]), np.float32))


@contextmanager
def _its_own_fault() -> Iterator[None]:
    """Blame the model for an error, where only ONNX Runtime runs."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UnsupportedModel(
            f"the model cannot be run ({reason}): export the model again"
        ) from error


def _frames(model: Model, lowered: Lowered) -> NDArray[np.float32]:
    """The trial frames that the model maps to finite inputs of the accelerator."""
    host = lowered.host
    frames = host.trial_frames()
    with _its_own_fault():
        finite = np.isfinite(host.head_values(frames)).reshape(len(frames), -1).all(axis=1)
        frames = frames[finite]
        model.run(frames[:1])
    return frames


def _equal(layer: str, ours: Array, expected: Array) -> None:
    if ours.shape == expected.shape and np.array_equal(ours, expected, equal_nan=True):
        return
    count = "the shape differs"
    if ours.shape == expected.shape:
        differs = (ours != expected) & ~(np.isnan(ours) & np.isnan(expected))
        count = f"{int(differs.sum())} of {differs.size} values differ on {len(ours)} trial frames"
    raise InternalError(f"{layer}: the lowered graph differs from the model: {count}. {BUG}")
