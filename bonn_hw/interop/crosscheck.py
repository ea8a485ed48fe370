# SPDX-License-Identifier: BSD-3-Clause
"""A model in FINN and in bonn_hw: the same frames, compared layer by layer.

Each layer is compared twice. First, its outputs in both graphs are compared. Then our layer is
computed with the inputs of FINN's layer, and the outputs are compared again. So a difference is
reported at the layer where it arises, and the layers behind it are still checked. Three differences
are known defects of FINN. A layer is said to have a defect only if our layer with that defect
outputs FINN's values bit for bit.
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
    """One of our layers, and FINN's node for the same layer.

    ``inputs`` are the tensors in FINN's graph with the inputs of our layer. It is empty if FINN
    does not stream them in the same form.
    """

    ours: Node
    theirs: FinnNode
    inputs: tuple[str, ...]


def crosscheck(
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
        Real images, compared in addition to the random ones.
    random : int
        Number of random frames.
    target : Target
        The target of the estimates.
    folding : Path or None
        A folding file that fixes foldings for the estimates.

    Raises
    ------
    ToolMissing
        If FINN's environment is not installed.
    UserError
        If FINN or bonn_hw does not support the model, or FINN's graph has other layers than ours.
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
        result = finn_result.run_finn(model_file, frames, folder, foldings, part, progress)
    if result.stopped is not None:
        raise UserError(f"FINN does not support the model: {result.stopped}")
    pairs = list(_pairs(graph, result))
    model_integers = _model_integers(model, graph, frames)
    layers = tuple(
        _compared_layer(pair, ours, result, model_integers.get(pair.ours.outputs[0]))
        for pair in pairs
    )
    floats = _answers(answers, result)
    entry = _input_differences(graph, pairs, ours, result)
    return Crosscheck(
        verdict=verdict(entry, layers, floats),
        model=ModelDigest(model.sha256),
        frames=Frames(real=len(frames) - random, random=random),
        input_values_that_differ=entry,
        layers=layers,
        answers=floats,
        estimates=tuple(_estimates(design, pairs, result)),
    )


def _answers(answers: NDArray[np.float32], result: FinnResult) -> FinalAnswers:
    """Compare the final answers (floats) with qonnx's and FINN's; see `FinalAnswers`."""
    ours, qonnx, finn = (
        x.reshape(len(answers), -1) for x in (answers, result.qonnx, result.answers)
    )
    difference = np.abs(ours - finn).max() / max(1e-30, np.abs(ours).max())
    return FinalAnswers(
        frames_that_differ_from_qonnx=int((ours != qonnx).any(axis=1).sum()),
        largest_difference_from_finn=float(difference),
        classes_that_differ_from_finn=int((ours.argmax(axis=1) != finn.argmax(axis=1)).sum()),
    )


def _pairs(graph: DataflowGraph, result: FinnResult) -> Iterator[Pair]:
    """The layers that both graphs have, in the order of our graph."""
    theirs = _compared(result)
    layers = finn_folding.layers_of(graph, theirs.keys())
    layers["Thresholding"] = [node for node in graph.nodes if node.kernel.stem == "threshold"]
    makers = {node.output: node for node in result.nodes}
    pairs: dict[str, Pair] = {}
    for operator in COMPARED:
        ours = layers[operator]
        nodes = theirs.get(operator, [])
        if len(ours) != len(nodes):
            raise UserError(
                f"FINN's graph of the model has {len(nodes)} layers of type {operator}, ours "
                f"has {len(ours)}: they cannot be compared one by one"
            )
        for mine, node in zip(ours, nodes, strict=True):
            if mine is None:
                continue
            inputs = node.inputs
            if (
                operator == "Pool"
            ):  # FINN has a sliding window first; our pool has the frame as input
                inputs = makers[node.inputs[0]].inputs if node.inputs[0] in makers else ()
            pairs[mine.name] = Pair(mine, node, inputs)
    return (pairs[node.name] for node in graph.nodes if node.name in pairs)


def _compared(result: FinnResult) -> dict[str, list[FinnNode]]:
    """FINN's nodes by operator, without those that our host computes.

    The host computes a threshold at the start of the graph, and sums with constants.
    """
    nodes: dict[str, list[FinnNode]] = {}
    for place, node in enumerate(result.nodes):
        before = {one.operator for one in result.nodes[:place]}
        on_host = node.operator == "Thresholding" and before <= {"Thresholding"}
        on_host |= node.operator == "AddStreams" and len(node.inputs) != 2
        if node.operator in COMPARED and not on_host:
            nodes.setdefault(node.operator, []).append(node)
    return nodes


def _compared_layer(
    pair: Pair, ours: Mapping[str, Integers], result: FinnResult, qonnx: NDArray[Any] | None
) -> LayerComparison:
    mine, kernel = ours[pair.ours.outputs[0]], pair.ours.kernel
    theirs = result.integers(pair.theirs.output).reshape(mine.shape) * finn_defects.signs(
        kernel, pair.theirs
    )
    finn = int((mine != theirs).sum())
    alone, explained, defects = None, finn == 0, finn_defects.visible(kernel, pair.theirs)
    if pair.inputs:
        finn_inputs = [
            result.integers(name).reshape(-1, *kind.shape)
            for name, kind in zip(pair.inputs, kernel.inputs, strict=True)
        ]
        recomputed = kernel.reference(*finn_inputs)[0].reshape(mine.shape)
        alone = int((recomputed != theirs).sum())
        explained = alone == 0
        if alone:
            reasons = finn_defects.explain(kernel, finn_inputs[0], theirs, pair.theirs)
            defects |= reasons
            explained = bool(reasons)
    if pair.theirs.name in result.refused:
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
    """Integers that the QONNX model itself computes, by the name of our tensor.

    Each is a tensor of the model, divided by the scale of its quantiser.
    """
    names = _model_tensors(model, graph)
    tensors = model.tensors(frames, sorted(set(names.values())))
    return {ours: tensors[name] / model.grids[name].scale for ours, name in names.items()}


def _model_tensors(model: frontend.Model, graph: DataflowGraph) -> dict[str, str]:
    """Tensors of the QONNX model that equal ours, by our name.

    For each layer, this is the output of the first quantiser behind it.
    """
    consumers: dict[str, list[Any]] = {}
    for node in model.nodes:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    origins = {node.origin for node in graph.nodes}
    outputs = {node.name: node.output[0] for node in model.nodes}
    equal = {}
    for origin, ours in {node.origin: node.outputs[0] for node in graph.nodes}.items():
        tensor = outputs.get(origin)
        while tensor is not None and tensor not in model.grids:
            following = consumers.get(tensor, [])
            alone = len(following) == 1 and following[0].name not in origins
            tensor = following[0].output[0] if alone else None
        if tensor is not None:
            equal[ours] = tensor
    return equal


def _against(mine: Integers, qonnx: NDArray[Any]) -> int:
    """Count the values that differ from a tensor of the QONNX model, which has channels second."""
    theirs = qonnx.transpose(0, 2, 3, 1) if qonnx.ndim == 4 else qonnx
    return int((np.rint(theirs).reshape(mine.shape) != mine).sum())


def _input_differences(
    graph: DataflowGraph, pairs: Sequence[Pair], ours: Mapping[str, Integers], result: FinnResult
) -> int:
    """Count the values of the input that differ."""
    first = next(pair for pair in pairs if graph.input in pair.ours.inputs)
    if not first.inputs:
        return 0
    theirs, mine = result.integers(first.inputs[0]), ours[graph.input]
    return int((theirs.reshape(mine.shape) != mine).sum())


def _estimates(
    design: FoldedDesign, pairs: Sequence[Pair], result: FinnResult
) -> Iterator[LayerEstimates]:
    """Cycles and resources of each layer, as estimated by bonn_hw and by FINN."""
    stages = {stage.name: stage for stage in design.stages}
    for pair in pairs:
        stage = stages[pair.ours.name]
        use, theirs = stage.node.kernel.resources(stage.folding), result.estimates[pair.theirs.name]
        yield LayerEstimates(
            layer=stage.name,
            node=pair.theirs.name,
            folding=(stage.folding.pe, stage.folding.simd),
            cycles=BothEstimates(ours=stage.cycles, finn=int(theirs["cycles"])),
            lut=BothEstimates(ours=use.lut, finn=theirs["LUT"]),
            bram36=BothEstimates(ours=use.bram36, finn=theirs["BRAM_18K"] / 2),
            dsp=BothEstimates(ours=use.dsp, finn=theirs["DSP"]),
        )
