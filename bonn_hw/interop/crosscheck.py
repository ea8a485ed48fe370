# SPDX-License-Identifier: BSD-3-Clause
"""A model in FINN and in bonn_hw: the same frames, compared tensor by tensor.

Each tensor that both have (`value_pairs`) is compared twice. First, its values in both graphs are
compared. Then our nodes compute it from FINN's values of the tensors before, and it is compared
again. So a difference is reported at the layer where it arises, and the layers behind it are still
checked. Four differences are known defects of FINN. A layer is said to have a defect only if our
nodes with that defect output FINN's values bit for bit. Our own values are compared with the stated
reference of the model (`frontend.reference`), whose sums are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bonn_hw import files, frontend
from bonn_hw.errors import UserError
from bonn_hw.interop import dialect, finn_defects, finn_folding, finn_result
from bonn_hw.interop.crosscheck_report import (
    BothEstimates,
    Crosscheck,
    FinalAnswers,
    Frames,
    LayerComparison,
    LayerEstimates,
    LayerVerdict,
    ModelDigest,
    verdict,
)
from bonn_hw.interop.finn_result import FinnResult
from bonn_hw.interop.finn_ties import TiesUp, host_with_ties_up
from bonn_hw.interop.stated_input import file_for_finn
from bonn_hw.interop.value_pairs import ANSWERS, Pair, Values, negated, pair_values
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.target import Target
from bonn_hw.ir.tensor import Integers
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.passes.folding_file import FoldingConstraints, read_constraints
from bonn_hw.passes.plan import plan
from bonn_hw.progress import Progress, silent


def crosscheck(
    model_file: Path,
    images: NDArray[np.float32] | None,
    random: int,
    target: Target,
    folding: Path | None = None,
    progress: Progress = silent,
    stated_grid: frontend.StatedGrid | None = None,
    external_data: Path | None = None,
) -> Crosscheck:
    """Compare a model's layers, answers and estimates with FINN's.

    Parameters
    ----------
    images : float32, batch first, or None
        Real images, compared in addition to the random ones.
    random : int
        Number of random frames.
    target : Target
        The target of the estimates.
    folding : Path or None
        A folding file that fixes foldings for the estimates.
    stated_grid, external_data
        As for `frontend.read`.

    Raises
    ------
    ToolMissing
        If FINN's environment is not installed.
    UserError
        If FINN or bonn_hw does not support the model, or no layer of FINN's graph
        has a counterpart.
    """
    progress("integer graph")
    model = frontend.read(model_file, dialect.GRAPHS, stated_grid, external_data)
    lowered = frontend.lower(model)
    graph, host = lowered.graph, lowered.host
    constraints = FoldingConstraints()
    if folding is not None:
        constraints = read_constraints(folding, graph, dialect.FOLDINGS)
    design = plan(graph, target, constraints, progress).design
    frames = host.random_frames(random)
    if images is not None:
        frames = np.concatenate([images, frames])
    integers = host.encode(frames)
    ours = {graph.input: integers, **dict(graph.walk(integers))}
    answers = host.decode(ours[graph.output].reshape(-1, *graph.tensors[graph.output].shape))
    foldings = finn_folding.of_abstract(design)
    part = target.board.part
    with files.scratch() as folder:
        given = file_for_finn(model_file, stated_grid, external_data, folder)
        result = finn_result.run_finn(given, frames, folder, foldings, part, progress)
    if result.stopped is not None:
        raise UserError(f"FINN does not support the model: {result.stopped}")
    grid = model.grids.get(model.output)
    values = Values(graph, result, host, None if grid is None else grid.scale)
    entry, pairs = pair_values(values, integers)
    stated = _from_reference(lowered, ours, frames)
    mine = {**ours, **({} if grid is None else {ANSWERS: values.decided(answers)})}
    by_name, ties = {pair.stream: pair for pair in pairs}, TiesUp(lowered)
    layers = tuple(_compared_layer(values, pair, mine, stated, (by_name, ties)) for pair in pairs)
    input_values, input_defects = _input_differences(values, entry, integers, frames)
    floats = _answers(answers, result, lowered, frames)
    covered = {node.name for pair in pairs for node in pair.nodes}
    return Crosscheck(
        verdict=verdict(input_values, input_defects, layers, floats),
        model=ModelDigest(model.sha256),
        frames=Frames(real=len(frames) - random, random=random),
        input_values_that_differ=input_values,
        input_defects=tuple(sorted(input_defects)),
        layers=layers,
        not_in_finns_graph=tuple(
            node.name
            for node in graph.nodes
            if isinstance(node.kernel, Mvu) and node.name not in covered
        ),
        answers=floats,
        estimates=tuple(_estimates(design, pairs, result)),
    )


def _answers(
    answers: NDArray[np.float32],
    result: FinnResult,
    lowered: frontend.Lowered,
    frames: NDArray[np.float32],
) -> FinalAnswers:
    """Compare the final answers (floats) with the reference's, qonnx's and FINN's."""
    reference = lowered.reference
    ours, stated, qonnx, finn = (
        x.reshape(len(answers), -1)
        for x in (answers, reference.run(frames), result.qonnx, result.answers)
    )
    difference = np.abs(ours - finn).max() / max(1e-30, np.abs(ours).max())
    return FinalAnswers(
        frames_that_differ_from_reference=int((ours != stated).any(axis=1).sum()),
        frames_that_differ_from_qonnx=int((ours != qonnx).any(axis=1).sum()),
        rounded_sums=reference.rounds,
        largest_difference_from_finn=float(difference),
        classes_that_differ_from_finn=int((ours.argmax(axis=1) != finn.argmax(axis=1)).sum()),
    )


def _compared_layer(
    values: Values,
    pair: Pair,
    ours: Mapping[str, Integers],
    stated: Mapping[str, int],
    model: tuple[Mapping[str, Pair], TiesUp],
) -> LayerComparison:
    theirs = values.theirs(pair.theirs.output, pair.stream) * negated(pair)
    mine = ours[pair.stream].reshape(theirs.shape)
    finn = int((mine != theirs).sum())
    alone = int((values.recompute(pair).reshape(theirs.shape) != theirs).sum())
    defects, explained = finn_defects.visible(pair), alone == 0
    if alone:
        reasons = finn_defects.explain(values, pair, theirs, *model)
        defects |= reasons
        explained = bool(reasons)
    if pair.theirs.name in values.result.refused:
        explained &= any(finn_defects.always_on(node.kernel) for node in pair.nodes)
        defects |= {finn_defects.ALWAYS_ON}
    differs = stated.get(pair.stream)
    known: LayerVerdict = "defect" if defects else "follows" if finn else "equal"
    return LayerComparison(
        layer=pair.ours.name,
        origin=pair.ours.origin,
        node=pair.theirs.name,
        values=mine.size,
        finn=finn,
        alone=alone,
        qonnx=differs,
        defects=tuple(sorted(defects)),
        verdict=known if explained and not differs else "differs",
    )


def _from_reference(
    lowered: frontend.Lowered, ours: Mapping[str, Integers], frames: NDArray[np.float32]
) -> dict[str, int]:
    """How many values of our tensors differ from the reference, by our name."""
    probes = [one for one in lowered.probes if one.stream in ours]
    tensors = lowered.reference.tensors(frames, [probe.tensor for probe in probes])
    return {
        probe.stream: int((probe.values(ours[probe.stream]) != tensors[probe.tensor]).sum())
        for probe in probes
    }


def _input_differences(
    values: Values, entry: str, integers: Integers, frames: NDArray[np.float32]
) -> tuple[int, set[str]]:
    """How many values of the input differ, and the defects with which ours are FINN's."""
    theirs = values.theirs(entry, values.graph.input).reshape(integers.shape)
    differ = int((theirs != integers).sum())
    rounded = host_with_ties_up(values.host) if differ else None
    known = rounded is not None and bool(
        (rounded.encode(frames).reshape(integers.shape) == theirs).all()
    )
    return differ, {finn_defects.TIES} if known else set()


def _estimates(
    design: FoldedDesign, pairs: Sequence[Pair], result: FinnResult
) -> Iterator[LayerEstimates]:
    """Cycles and resources of each layer, as estimated by bonn_hw and by FINN."""
    stages = {stage.name: stage for stage in design.stages}
    for pair in pairs:
        theirs = result.estimates.get(pair.theirs.name)
        if theirs is None:
            continue
        stage = stages[pair.ours.name]
        covered = [stages[node.name] for node in pair.nodes]
        uses = [one.node.kernel.resources(one.folding) for one in covered]
        yield LayerEstimates(
            layer=stage.name,
            node=pair.theirs.name,
            folding=(stage.folding.pe, stage.folding.simd),
            cycles=BothEstimates(
                ours=max(one.cycles for one in covered), finn=int(theirs["cycles"])
            ),
            lut=BothEstimates(ours=sum(use.lut for use in uses), finn=theirs["LUT"]),
            bram36=BothEstimates(ours=sum(use.bram36 for use in uses), finn=theirs["BRAM_18K"] / 2),
            dsp=BothEstimates(ours=sum(use.dsp for use in uses), finn=theirs["DSP"]),
        )
