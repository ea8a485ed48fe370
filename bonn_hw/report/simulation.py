# SPDX-License-Identifier: BSD-3-Clause
"""Compare the answers of all parts of the flow frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.frontend import PlainComparison
from bonn_hw.report.answers import Answers
from bonn_hw.report.expected import compare_expected
from bonn_hw.report.section_values import Simulated
from bonn_hw.report.tools import versions
from bonn_hw.report.values import (
    Accuracy,
    Comparison,
    Decision,
    Mismatches,
    Rounding,
    SimulatorSpeed,
)
from bonn_hw.sim.run import SimulationRun


@dataclass(frozen=True, eq=False)
class PyTorch:
    """The trained network's answers ``(N, classes)``, and the integers of its last layer."""

    answers: NDArray[np.float32]
    integers: NDArray[np.number[Any]]


def simulated(
    stages: Sequence[str],
    answers: Answers,
    labels: NDArray[np.int64] | None = None,
    pytorch: PyTorch | None = None,
    stall: int | None = None,
    expected: NDArray[np.float32] | None = None,
    rounded: NDArray[np.bool_] | None = None,
    inner: NDArray[np.bool_] | None = None,
) -> Simulated:
    """The figures of a simulation and the comparison with its references.

    Parameters
    ----------
    stages
        Names of the design's stages, in its order.
    labels : int64 ``(N,)`` or None
    stall : int or None
        Seed of the run's random stalls.
    expected : float32 ``(N, ...)`` or None
        The outputs that the user expects.
    rounded : bool ``(N,)`` or None
        Frames in which a rounded sum is known to lead to another expected output.
    inner : bool ``(N,)`` or None
        Frames in which a layer does not have the values that the user expects.
    """
    frames, run = len(answers.y), answers.run
    integer = _unequal(answers.rtl, answers.integer)
    qonnx = _unequal(answers.y, answers.qonnx) | answers.plain.unexplained
    trained = None if pytorch is None else _against(answers, pytorch)
    every = integer | qonnx if trained is None else integer | qonnx | trained
    users = None if expected is None else compare_expected(answers, expected, rounded)
    if users is not None:
        every = every | users.differ
    if inner is not None:
        every = every | inner
    return Simulated(
        comparison=Comparison(
            frames=frames,
            mismatches=int(every.sum()),
            mismatches_between=Mismatches(
                int(integer.sum()),
                int(qonnx.sum()),
                None if trained is None else int(trained.sum()),
                None if users is None else int(users.differ.sum()),
            ),
            rounding=_rounding(answers.plain),
            expected=None if users is None else users.counts,
            stall_seed=stall,
            cycles_hold_for_all_data=True if run.lanes > 1 else None,
            netlist=run.netlist or None,
            simulation=_speed(run, frames),
        ),
        accuracy=Accuracy() if labels is None else _accuracies(answers, labels, pytorch, expected),
        cycles_per_frame=run.interval,
        latency_cycles=run.latency,
        layers=dict(zip(stages, run.stage_cycles, strict=True)),
        tools=versions() | {"verilator": run.verilator},
    )


def _rounding(plain: PlainComparison) -> Rounding:
    return Rounding(
        last_digits=int(plain.last_place.sum()),
        largest_ulp=plain.largest_ulp,
        other_decisions=int(plain.other_decisions.sum()),
        decisions=tuple(
            Decision(frame=step.frame, layer=step.layer, channel=step.channel)
            for step in plain.steps
        ),
    )


def _speed(run: SimulationRun, frames: int) -> SimulatorSpeed:
    return SimulatorSpeed(
        run.cycles,
        round(run.seconds, 3),
        round(run.cycles_per_second),
        round(frames / run.seconds, 2),
    )


def _accuracies(
    answers: Answers,
    labels: NDArray[np.int64],
    pytorch: PyTorch | None,
    expected: NDArray[np.float32] | None,
) -> Accuracy:
    return Accuracy(
        pytorch=None if pytorch is None else _accuracy(pytorch.answers, labels),
        qonnx=_accuracy(answers.qonnx, labels),
        integer=_accuracy(answers.y_integer, labels),
        rtl=_accuracy(answers.y, labels),
        expected=None if expected is None else _accuracy(expected, labels),
    )


def _against(answers: Answers, pytorch: PyTorch) -> NDArray[np.bool_]:
    """Which frames differ from PyTorch.

    The last bit of a float may differ; the integers and the class must not.
    """
    frames = len(answers.y)
    integers = _unequal(answers.rtl.reshape(frames, -1), pytorch.integers.reshape(frames, -1))
    classes: NDArray[np.bool_] = _classes(answers.y) != _classes(pytorch.answers)
    return integers | classes


def _unequal(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    frames = len(one)
    one, other = one.reshape(frames, -1), other.reshape(frames, -1)
    # NaN equals itself here: a model may divide by zero.
    different: NDArray[np.bool_] = ((one != other) & ((one == one) | (other == other))).any(1)
    return different


def _classes(answers: NDArray[Any]) -> NDArray[np.intp]:
    """The class of each frame: the largest score, or the first of the classes that were chosen."""
    if answers.dtype.kind in "iu":
        chosen: NDArray[np.intp] = answers.reshape(len(answers), -1)[:, 0].astype(np.intp)
        return chosen
    classes: NDArray[np.intp] = answers.reshape(len(answers), -1).argmax(axis=1)
    return classes


def _accuracy(answers: NDArray[Any], labels: NDArray[np.int64]) -> float:
    return round(float((_classes(answers) == labels).mean()), 6)
