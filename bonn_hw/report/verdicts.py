# SPDX-License-Identifier: BSD-3-Clause
"""What a report says of correctness and of the user's limits: one verdict for each question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from bonn_hw.errors import UserError
from bonn_hw.ir import target as aims
from bonn_hw.passes.plan import Reach
from bonn_hw.report.figures import Cycles
from bonn_hw.report.longest_path import longest_path
from bonn_hw.report.values import Comparison, Expected, Report

EXPECTED = "expected outputs"
LAYERS = "expected values"  # of layers, in a first difference
BEST = ("implemented", "synthesised", "predicted")  # sources of resources, the surest first


class State(Enum):
    """How a verdict ends: a NOTED difference is told and does not fail."""

    PASSED = "passed"
    NOTED = "noted"
    FAILED = "failed"


@dataclass(frozen=True)
class Verdict:
    """The answer to one question.

    Attributes
    ----------
    name : str
        The question, such as ``RTL and integer graph``.
    state : State
    text : str
        What was found, as one sentence without a full stop.
    """

    name: str
    state: State
    text: str

    @property
    def failed(self) -> bool:
        """Whether it makes a command end with exit code 1."""
        return self.state is State.FAILED


@dataclass(frozen=True)
class Limit:
    """A number, or a share of what the board has."""

    value: float
    share: bool = False

    def of(self, available: float) -> float:
        """The limit as a number."""
        return self.value * available if self.share else self.value

    def __str__(self) -> str:
        return f"{self.value:.10g}" if not self.share else f"{100 * self.value:.4g}%"


@dataclass(frozen=True)
class Thresholds:
    """The limits that a user sets; None: any value is good.

    Attributes
    ----------
    accuracy : float or None
        Least share of frames that the RTL classifies correctly, from 0 to 1.
    lut : Limit or None
        Most LUTs.
    fps : float or None
        Least frames per second at the clock.
    depth : int or None
        Greatest logic depth of the synthesised stages and of the whole design.
    """

    accuracy: float | None = None
    lut: Limit | None = None
    fps: float | None = None
    depth: int | None = None


def of_simulation(report: Report, strict: bool = False) -> tuple[Verdict, ...]:
    """Verdicts of the simulation in a report; none without a simulation.

    Parameters
    ----------
    strict
        Other decisions of ONNX Runtime's rounded sums, and cycles that are not as predicted, fail.
    """
    if report.comparison is None:
        return ()
    return (
        *_equalities(report.comparison),
        *_layers(report.comparison),
        *_rounding(report.comparison, strict),
        *_cycles(report, report.comparison, strict),
    )


def _equalities(comparison: Comparison) -> Iterator[Verdict]:
    between, frames = comparison.mismatches_between, comparison.frames
    references = {
        "integer graph": between.rtl_integer,
        "QONNX model": between.rtl_qonnx,
        "PyTorch": between.rtl_pytorch,
        EXPECTED: between.rtl_expected,
    }
    for reference, differ in references.items():
        if differ is None:
            continue
        state = State.FAILED if differ else State.PASSED
        found = f"{differ:,} of {frames:,} frames differ" if differ else f"{frames:,} frames equal"
        if not differ and reference == EXPECTED and comparison.expected is not None:
            found = _kinds(comparison.expected)
        yield Verdict(f"RTL and {reference}", state, f"RTL and {reference}: {found}")


def _kinds(expected: Expected) -> str:
    """The frames that agree, by how they do."""
    counts = {
        "frames equal": expected.equal,
        "equal but for the last digits": expected.last_digits,
        "with another decision of a rounded sum": expected.rounded,
    }
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)


def _layers(comparison: Comparison) -> Iterator[Verdict]:
    first = comparison.first_difference
    if first is not None and first.reference == LAYERS:
        text = f"RTL and expected values: the values of layer {first.layer} differ"
        yield Verdict("RTL and expected values", State.FAILED, text)


def _rounding(comparison: Comparison, strict: bool) -> Iterator[Verdict]:
    name = "ONNX Runtime decides alike"
    if comparison.rounding is None:
        return
    other = comparison.rounding.other_decisions
    if not other:
        yield Verdict(name, State.PASSED, "ONNX Runtime's rounded sums decide alike everywhere")
        return
    first = comparison.rounding.decisions[:1]
    place = f", the first at {first[0].layer}, channel {first[0].channel}" if first else ""
    text = f"ONNX Runtime's rounded sums decide otherwise in {other:,} frames{place}"
    yield Verdict(name, State.FAILED if strict else State.NOTED, text)


def _cycles(report: Report, comparison: Comparison, strict: bool) -> Iterator[Verdict]:
    if comparison.stall_seed is not None:  # its cycles include the stalls
        return
    figures: dict[str, Cycles] = {
        "cycles per frame": report.cycles_per_frame,
        "latency in cycles": report.latency_cycles,
    }
    for name, cycles in figures.items():
        if cycles.simulated is None:
            continue
        both = f"{name}: {cycles.simulated:,} simulated, {cycles.predicted:,} predicted"
        if cycles.simulated == cycles.predicted:
            yield Verdict(f"{name} as predicted", State.PASSED, both)
        else:
            state = State.FAILED if strict else State.NOTED
            yield Verdict(f"{name} as predicted", state, both)


def of_thresholds(report: Report, limits: Thresholds) -> tuple[Verdict, ...]:
    """Verdicts about a user's limits, by the surest figures of the report.

    Raises
    ------
    UserError
        If the report has no accuracy, and a limit asks for one.
    """
    return tuple(_within(report, limits))


def of_check(
    reach: Reach | None, target: aims.Target | None, limits: Thresholds
) -> tuple[Verdict, ...]:
    """Verdicts before folding: that the model compiles, and what a board can reach at best."""
    found = [Verdict("supported", State.PASSED, "the model can be compiled")]
    if reach is None or target is None:
        return tuple(found)
    if limits.fps is not None:
        most = reach.most_fps or 0.0
        text = f"frames per second that fit {target.board.name}: {most:,.1f} at most"
        found.append(
            _verdict("frames per second", most >= limits.fps, text, f"--min-fps {limits.fps:g}")
        )
    if limits.lut is not None:
        most_lut, holds = f"--max-lut {limits.lut}", target.board.holds.lut
        if reach.needs is None:
            text = f"LUT: no design of {target.fps:,.1f} frames per second fits {target.board.name}"
            found.append(_verdict("LUT", False, text, most_lut))
        else:
            used = reach.needs.lut
            text = f"LUT: {used:,.0f} at least ({used / holds:.1%} of {target.board.name})"
            found.append(_verdict("LUT", used <= limits.lut.of(holds), text, most_lut))
    return tuple(found)


def _within(report: Report, limits: Thresholds) -> Iterator[Verdict]:
    if limits.accuracy is not None:
        accuracy = None if report.accuracy is None else report.accuracy.rtl
        if accuracy is None:
            raise UserError(
                "--min-accuracy: the labels of the frames are not known: simulate with --dataset, "
                "or with --labels"
            )
        yield _verdict(
            "accuracy",
            accuracy >= limits.accuracy,
            f"accuracy of the RTL: {accuracy:.4g}",
            f"--min-accuracy {limits.accuracy:g}",
        )
    if limits.lut is not None:
        amount = report.resources.lut
        source = next(one for one in BEST if one in amount.known)
        used = amount.known[source]
        yield _verdict(
            "LUT",
            used <= limits.lut.of(amount.available),
            f"LUT: {used:,.0f} {source} ({used / amount.available:.1%} of {report.target.board})",
            f"--max-lut {limits.lut}",
        )
    if limits.fps is not None:
        yield _frame_rate(report, limits.fps)
    if limits.depth is not None:
        yield _logic_depth(report, limits.depth)


def _logic_depth(report: Report, most: int) -> Verdict:
    where, path = longest_path(report) or ("", None)
    depth = path.depth if path else 0
    found = f"logic depth: {depth}" + (f", {path}, in {where}" if path else "")
    return _verdict("logic depth", depth <= most, found, f"--max-depth {most}")


def _frame_rate(report: Report, least: float) -> Verdict:
    cycles, clock_mhz = report.cycles_per_frame, report.target.clock_mhz
    stalled = report.comparison is not None and report.comparison.stall_seed is not None
    source, count = "predicted", cycles.predicted
    if not stalled and cycles.simulated is not None and cycles.simulated > count:
        source, count = "simulated", cycles.simulated
    rate = clock_mhz * 1e6 / count
    found = f"frames per second at {clock_mhz:g} MHz: {rate:,.1f} {source}"
    return _verdict("frames per second", rate >= least, found, f"--min-fps {least:g}")


def _verdict(name: str, good: bool, found: str, limit: str) -> Verdict:
    if good:
        return Verdict(name, State.PASSED, f"{found}, within {limit}")
    return Verdict(name, State.FAILED, f"{found}, which does not meet {limit}")
