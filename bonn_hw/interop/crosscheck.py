# SPDX-License-Identifier: BSD-3-Clause
"""FINN as a witness: the same model and frames, compared layer by layer.

Each layer is compared twice: what it gives in both graphs, and what ours makes of the very values
that FINN's takes. So a difference is found where it arises, and layers behind it are still checked.
Three differences are known defects of FINN's; a layer has one of them only if the defect, put into
our layer, gives FINN's values bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from bonn_hw.interop.finn_result import FinnNode, FinnResult
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.target import Target
from bonn_hw.ir.tensor import Integers
from bonn_hw.passes.folding_file import FoldingConstraints, read_constraints
from bonn_hw.passes.plan import plan
from bonn_hw.progress import Progress, silent

COMPARED = (
    "MVAU",
    "ConvolutionInputGenerator",
    "FMPadding",
    "Pool",
    "StreamingMaxPool",
    "AddStreams",
    "Thresholding",
)


@dataclass(frozen=True, eq=False)
class Pair:
    """A layer of ours, and the node that FINN has for it.

    ``inputs`` are FINN's tensors that hold what our layer takes; none where that is not streamed
    in the same form.
    """

    ours: Node
    theirs: FinnNode
    inputs: tuple[str, ...]


def witness(
    model_file: Path,
    images: NDArray[np.float32] | None,
    random: int,
    target: Target,
    folding: Path | None = None,
    progress: Progress = silent,
) -> Crosscheck:
    """Compare a model's layers, answers and estimates with FINN's.

    Parameters
    ----------
    images : float32, batch first, or None
        Real ones; as many random ones as ``random`` says come after them.
    target : Target
        What estimates are made for, with the foldings of a file if one is given.

    Raises
    ------
    ToolMissing
        If FINN's environment is not there.
    UserError
        If the model is refused by either, or becomes other layers in FINN.
    """
    progress("integer graph")
    model = frontend.read(model_file, dialect.GRAPHS)
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
        told = finn_result.hear(model_file, frames, folder, foldings, part, progress)
    if told.stopped is not None:
        raise UserError(f"FINN does not take the model: {told.stopped}")
    pairs = list(_pairs(graph, told))
    inside = _model_integers(model, graph, frames)
    layers = tuple(
        _compared_layer(pair, ours, told, inside.get(pair.ours.outputs[0])) for pair in pairs
    )
    floats = _answers(answers, told)
    entry = _entry(graph, pairs, ours, told)
    return Crosscheck(
        verdict=verdict(entry, layers, floats),
        model=ModelDigest(model.sha256),
        frames=Frames(real=len(frames) - random, random=random),
        input_values_that_differ=entry,
        layers=layers,
        answers=floats,
        estimates=tuple(_estimates(design, pairs, told)),
    )


def _answers(answers: NDArray[np.float32], told: FinnResult) -> FinalAnswers:
    """The last floats: equal to qonnx's; to FINN's but for rounding, in parts of the largest."""
    ours, qonnx, finn = (x.reshape(len(answers), -1) for x in (answers, told.qonnx, told.answers))
    beside = np.abs(ours - finn).max() / max(1e-30, np.abs(ours).max())
    return FinalAnswers(
        frames_that_differ_from_qonnx=int((ours != qonnx).any(axis=1).sum()),
        largest_difference_from_finn=float(beside),
        classes_that_differ_from_finn=int((ours.argmax(axis=1) != finn.argmax(axis=1)).sum()),
    )


def _pairs(graph: DataflowGraph, told: FinnResult) -> Iterator[Pair]:
    """Layers of both graphs that do the same, in our order."""
    theirs = _compared(told)
    layers = finn_folding.layers_of(graph, theirs.keys())
    layers["Thresholding"] = [node for node in graph.nodes if node.kernel.stem == "threshold"]
    makers = {node.output: node for node in told.nodes}
    found: dict[str, Pair] = {}
    for operator in COMPARED:
        ours = layers[operator]
        nodes = theirs.get(operator, [])
        if len(ours) != len(nodes):
            raise UserError(
                f"FINN's graph of the model has {len(nodes)} layers of its kind {operator}, ours "
                f"has {len(ours)}: they cannot be compared one by one"
            )
        for mine, node in zip(ours, nodes, strict=True):
            if mine is None:
                continue
            inputs = node.inputs
            if operator == "Pool":  # FINN slides windows first, and ours takes the frame
                inputs = makers[node.inputs[0]].inputs if node.inputs[0] in makers else ()
            found[mine.name] = Pair(mine, node, inputs)
    return (found[node.name] for node in graph.nodes if node.name in found)


def _compared(told: FinnResult) -> dict[str, list[FinnNode]]:
    """FINN's nodes by operator, without those that are our host's.

    Those are a threshold in front of everything, and sums with constants.
    """
    found: dict[str, list[FinnNode]] = {}
    for place, node in enumerate(told.nodes):
        before = {one.operator for one in told.nodes[:place]}
        hosts = node.operator == "Thresholding" and before <= {"Thresholding"}
        hosts |= node.operator == "AddStreams" and len(node.inputs) != 2
        if node.operator in COMPARED and not hosts:
            found.setdefault(node.operator, []).append(node)
    return found


def _compared_layer(
    pair: Pair, ours: Mapping[str, Integers], told: FinnResult, qonnx: NDArray[Any] | None
) -> LayerComparison:
    mine, kernel = ours[pair.ours.outputs[0]], pair.ours.kernel
    theirs = told.integers(pair.theirs.output).reshape(mine.shape) * finn_defects.signs(
        kernel, pair.theirs
    )
    finn = int((mine != theirs).sum())
    alone, explained, defects = None, finn == 0, finn_defects.visible(kernel, pair.theirs)
    if pair.inputs:
        taken = [
            told.integers(name).reshape(-1, *kind.shape)
            for name, kind in zip(pair.inputs, kernel.inputs, strict=True)
        ]
        made = kernel.reference(*taken)[0].reshape(mine.shape)
        alone = int((made != theirs).sum())
        explained = alone == 0
        if alone:
            defects |= (found := finn_defects.explain(kernel, taken[0], theirs, pair.theirs))
            explained = bool(found)
    if pair.theirs.name in told.refused:
        explained &= finn_defects.always_on(kernel)
        defects |= {finn_defects.ALWAYS_ON}
    differs = 0 if qonnx is None else _against(mine, qonnx)
    known: LayerVerdict = "defect" if defects else "follows" if finn else "equal"
    return LayerComparison(
        layer=pair.ours.name,
        origin=pair.ours.origin,
        node=pair.theirs.name,
        values=mine.size,
        finn=finn,
        alone=alone,
        qonnx=None if qonnx is None else differs,
        defects=tuple(sorted(defects)),
        verdict=known if explained and not differs else "differs",
    )


def _model_integers(
    model: frontend.Model, graph: DataflowGraph, frames: NDArray[np.float32]
) -> dict[str, NDArray[Any]]:
    """What the model itself has in its tensors that are ours, in steps of its quantisers."""
    inside = _model_tensors(model, graph)
    tensors = model.tensors(frames, sorted(set(inside.values())))
    return {ours: tensors[name] / model.grids[name].scale for ours, name in inside.items()}


def _model_tensors(model: frontend.Model, graph: DataflowGraph) -> dict[str, str]:
    """Tensors of the model that are ours, by ours: what a quantiser gives behind a layer."""
    takers: dict[str, list[Any]] = {}
    for node in model.nodes:
        for name in node.input:
            takers.setdefault(name, []).append(node)
    origins = {node.origin for node in graph.nodes}
    outputs = {node.name: node.output[0] for node in model.nodes}
    found = {}
    for origin, ours in {node.origin: node.outputs[0] for node in graph.nodes}.items():
        tensor = outputs.get(origin)
        while tensor is not None and tensor not in model.grids:
            following = takers.get(tensor, [])
            alone = len(following) == 1 and following[0].name not in origins
            tensor = following[0].output[0] if alone else None
        if tensor is not None:
            found[ours] = tensor
    return found


def _against(mine: Integers, qonnx: NDArray[Any]) -> int:
    """Values that differ from a tensor of the model's in steps, channels second."""
    theirs = qonnx.transpose(0, 2, 3, 1) if qonnx.ndim == 4 else qonnx
    return int((np.rint(theirs).reshape(mine.shape) != mine).sum())


def _entry(
    graph: DataflowGraph, pairs: Sequence[Pair], ours: Mapping[str, Integers], told: FinnResult
) -> int:
    """Values of the input that differ."""
    first = next(pair for pair in pairs if graph.input in pair.ours.inputs)
    if not first.inputs:
        return 0
    theirs, mine = told.integers(first.inputs[0]), ours[graph.input]
    return int((theirs.reshape(mine.shape) != mine).sum())


def _estimates(
    design: FoldedDesign, pairs: Sequence[Pair], told: FinnResult
) -> Iterator[LayerEstimates]:
    """Cycles and resources of each layer, ours and FINN's."""
    stages = {stage.name: stage for stage in design.stages}
    for pair in pairs:
        stage = stages[pair.ours.name]
        use, theirs = stage.node.kernel.resources(stage.folding), told.estimates[pair.theirs.name]
        yield LayerEstimates(
            layer=stage.name,
            node=pair.theirs.name,
            folding=(stage.folding.pe, stage.folding.simd),
            cycles=BothEstimates(ours=stage.cycles, finn=int(theirs["cycles"])),
            lut=BothEstimates(ours=use.lut, finn=theirs["LUT"]),
            bram36=BothEstimates(ours=use.bram36, finn=theirs["BRAM_18K"] / 2),
            dsp=BothEstimates(ours=use.dsp, finn=theirs["DSP"]),
        )
