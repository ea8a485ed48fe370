# SPDX-License-Identifier: BSD-3-Clause
"""What a cross-check with FINN finds: layers, answers and estimates, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SCHEMA = 1
ROUNDING = 1e-5  # FINN moves float scales behind the last integers, in another order

LayerVerdict = Literal["equal", "follows", "defect", "differs"]
Verdict = Literal["equal", "defects", "differs"]


@dataclass(frozen=True, kw_only=True)
class LayerComparison:
    """How a layer compares, in values that differ over all frames.

    Attributes
    ----------
    values : int
        How many were compared.
    finn : int
        Between FINN's graph and ours.
    alone : int or None
        Between FINN's layer and ours on FINN's own inputs; None where ours takes another form.
    qonnx : int or None
        Between the model's own tensor and ours; None where the model has no such tensor.
    defects : tuple of str
        The known ones that FINN's layer has.
    verdict : str
        ``equal``, ``follows`` (from a layer before), ``defect`` or ``differs``.
    """

    layer: str
    origin: str
    node: str
    values: int
    finn: int
    alone: int | None
    qonnx: int | None
    defects: tuple[str, ...]
    verdict: LayerVerdict


@dataclass(frozen=True)
class ModelDigest:
    """The QONNX file."""

    sha256: str


@dataclass(frozen=True, kw_only=True)
class Frames:
    """How many images of a user, and how many random ones, were compared."""

    real: int
    random: int


@dataclass(frozen=True, kw_only=True)
class FinalAnswers:
    """The last floats: equal to qonnx's; to FINN's but for rounding, in parts of the largest."""

    frames_that_differ_from_qonnx: int
    largest_difference_from_finn: float
    classes_that_differ_from_finn: int


@dataclass(frozen=True, kw_only=True)
class BothEstimates:
    """What both predict of one figure."""

    ours: float
    finn: float


@dataclass(frozen=True, kw_only=True)
class LayerEstimates:
    """What both predict of a layer under the folding ``(PE, SIMD)``; FINN estimates no FF."""

    layer: str
    node: str
    folding: tuple[int, int]
    cycles: BothEstimates
    lut: BothEstimates
    bram36: BothEstimates
    dsp: BothEstimates


@dataclass(frozen=True, kw_only=True)
class Crosscheck:
    """A model compared with FINN, layer by layer.

    Attributes
    ----------
    verdict : str
        ``equal``; ``defects``: every difference is a known defect of FINN's or follows from one;
        or ``differs``.
    """

    schema: int = SCHEMA
    verdict: Verdict
    model: ModelDigest
    frames: Frames
    input_values_that_differ: int
    layers: tuple[LayerComparison, ...]
    answers: FinalAnswers
    estimates: tuple[LayerEstimates, ...]


def verdict(
    input_values: int, layers: tuple[LayerComparison, ...], answers: FinalAnswers
) -> Verdict:
    """What all comparisons together say."""
    verdicts = {layer.verdict for layer in layers}
    wrong = bool(input_values or answers.frames_that_differ_from_qonnx)
    if not verdicts & {"defect", "follows"}:
        wrong = wrong or answers.largest_difference_from_finn > ROUNDING
    if wrong or "differs" in verdicts:
        return "differs"
    return "defects" if "defect" in verdicts else "equal"
