# SPDX-License-Identifier: BSD-3-Clause
"""The result of a cross-check with FINN: layers, answers, estimates and a verdict."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

SCHEMA = 1
ROUNDING = 1e-5  # FINN multiplies by float scales in another order behind the last integers

LayerVerdict = Literal["equal", "follows", "defect", "differs"]
Verdict = Literal["equal", "defects", "differs"]


@dataclass(frozen=True, kw_only=True)
class LayerComparison:
    """The comparison of one layer: counts of output values that differ, over all frames.

    Attributes
    ----------
    values : int
        How many values were compared.
    finn : int
        Values that differ between FINN's graph and ours.
    alone : int
        Values that differ between FINN's layer and ours if both have FINN's inputs.
    qonnx : int or None
        Values that differ between the reference of the QONNX model and ours; None where the
        model has no such tensor.
    defects : tuple of str
        The known defects of FINN that FINN's layer has.
    verdict : str
        ``equal``, ``follows`` (from a layer before), ``defect`` or ``differs``.
    """

    layer: str
    origin: str
    node: str
    values: int
    finn: int
    alone: int
    qonnx: int | None
    defects: tuple[str, ...]
    verdict: LayerVerdict


@dataclass(frozen=True)
class ModelDigest:
    """The QONNX file."""

    sha256: str


@dataclass(frozen=True, kw_only=True)
class Frames:
    """How many of the user's images and how many random frames were compared."""

    real: int
    random: int


@dataclass(frozen=True, kw_only=True)
class FinalAnswers:
    """Comparison of the final answers (floats) with those of the reference, qonnx and FINN.

    qonnx's may differ if its float sums are rounded (``rounded_sums``); the reference's sums are
    exact. FINN's may differ by rounding: ``largest_difference_from_finn`` is the largest
    difference, divided by our largest absolute answer.
    """

    frames_that_differ_from_reference: int
    frames_that_differ_from_qonnx: int
    rounded_sums: bool
    largest_difference_from_finn: float
    classes_that_differ_from_finn: int


@dataclass(frozen=True, kw_only=True)
class BothEstimates:
    """One figure, as estimated by bonn_hw and by FINN."""

    ours: float
    finn: float


@dataclass(frozen=True, kw_only=True)
class LayerEstimates:
    """Both estimates for a layer with the folding ``(PE, SIMD)``. FINN estimates no flip-flops."""

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
        ``equal``; ``defects``: every difference is a known defect of FINN or follows from one;
        or ``differs``.
    input_values_that_differ, input_defects
        How many values of the accelerator's input differ, and the known defects that explain all.
    not_in_finns_graph
        Our matrix units without a counterpart in FINN's graph. Only the answers cover them.
    """

    schema: int = SCHEMA
    verdict: Verdict
    model: ModelDigest
    frames: Frames
    input_values_that_differ: int
    input_defects: tuple[str, ...]
    layers: tuple[LayerComparison, ...]
    not_in_finns_graph: tuple[str, ...]
    answers: FinalAnswers
    estimates: tuple[LayerEstimates, ...]


def verdict(
    input_values: int,
    input_defects: Collection[str],
    layers: tuple[LayerComparison, ...],
    answers: FinalAnswers,
) -> Verdict:
    """The verdict on the whole model."""
    verdicts = {layer.verdict for layer in layers}
    defects = bool(input_defects) or "defect" in verdicts
    wrong = bool(input_values and not input_defects)
    wrong |= bool(answers.frames_that_differ_from_reference)
    wrong |= bool(answers.frames_that_differ_from_qonnx and not answers.rounded_sums)
    if not defects and "follows" not in verdicts:
        wrong |= answers.largest_difference_from_finn > ROUNDING
    if wrong or "differs" in verdicts:
        return "differs"
    return "defects" if defects else "equal"
