# SPDX-License-Identifier: BSD-3-Clause
"""What FINN makes of a model and of frames; runs in the environment of `make finn-env`.

    .venv-finn/bin/python witness.py MODEL.onnx FRAMES.npy FOLDER KEPT [FOLDING.json PART]

KEPT is a folder that keeps the results of each frame: those that it has are not computed again.
Writes into FOLDER: hardware.onnx, FINN's hardware graph after its bit-width minimisation; its
tensors for all frames (tensors.npz, by their names); the thresholds of its matrix units before
that minimisation (limits.npz, by nodes); what qonnx answers (qonnx.npy); and facts.json: the matrix
units that FINN's code generation refuses, FINN's estimates with a folding, and what FINN said if
it stopped.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from finn.analysis.fpgadataflow.exp_cycles_per_layer import exp_cycles_per_layer
from finn.analysis.fpgadataflow.res_estimation import res_estimation
from finn.transformation.fpgadataflow.minimize_accumulator_width import MinimizeAccumulatorWidth
from finn.transformation.fpgadataflow.minimize_weight_bit_width import MinimizeWeightBitWidth
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
from finn.transformation.general import ApplyConfig
from finn.transformation.streamline.round_thresholds import RoundAndClipThresholds
from hardware_graph import applied, hardware
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.general import GiveUniqueNodeNames
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.util.cleanup import cleanup_model


def main() -> None:
    """Convert, execute, estimate."""
    source, frames, folder, kept, *folding = sys.argv[1:]
    target, images = Path(folder), np.load(frames)
    np.save(target / "qonnx.npy", answers(cleanup_model(ModelWrapper(source)), images, Path(kept)))
    facts: dict = {}
    try:
        model = hardware(ModelWrapper(source))
        np.savez(target / "limits.npz", **thresholds(model))
        model = minimised(model)
        model.save(str(target / "hardware.onnx"))
        np.savez(target / "tensors.npz", **executed(model, images, Path(kept)))
        facts["refused"] = refused(model)
        if folding:
            facts["estimates"] = estimates(model, *folding)
    except Exception as error:  # whatever FINN says to a model: the caller tells what it means
        facts["stopped"] = f"{type(error).__name__}: {error}"
    (target / "facts.json").write_text(json.dumps(facts, indent=1))


def minimised(model: ModelWrapper) -> ModelWrapper:
    """The steps of FINN's builder that narrow weights, accumulators and thresholds."""
    steps = [MinimizeWeightBitWidth, MinimizeAccumulatorWidth, InferDataTypes]
    steps += [RoundAndClipThresholds, InferDataTypes, MinimizeWeightBitWidth, InferDataTypes]
    return applied(model, [step() for step in steps])


def refused(model: ModelWrapper) -> list[str]:
    """The matrix units whose thresholds FINN's code generation does not take."""
    names = []
    for node in model.graph.node:
        if node.op_type == "MVAU" and len(node.input) > 2:
            try:
                limits = model.get_initializer(node.input[2])
                getCustomOp(node).get_hw_compatible_threshold_tensor(limits)
            except AssertionError:
                names.append(node.name)
    return names


def thresholds(model: ModelWrapper) -> dict[str, np.ndarray]:
    """The thresholds of matrix units."""
    found = {}
    for node in model.graph.node:
        if node.op_type == "MVAU" and len(node.input) > 2:
            found[node.name] = model.get_initializer(node.input[2])
    return found


def answers(model: ModelWrapper, images: np.ndarray, kept: Path | None = None) -> np.ndarray:
    """What a model gives for each image."""
    entry, exit_ = model.graph.input[0].name, model.graph.output[0].name

    def run(image: np.ndarray) -> dict[str, np.ndarray]:
        return {exit_: execute_onnx(model, {entry: image[None]})[exit_]}

    return np.concatenate([found[exit_] for found in each(images, run, kept, "qonnx")])


def executed(
    model: ModelWrapper, images: np.ndarray, kept: Path | None = None
) -> dict[str, np.ndarray]:
    """What passes between the nodes, image by image."""
    entry = model.graph.input[0].name
    names = [entry, *(name for node in model.graph.node for name in node.output)]

    def run(image: np.ndarray) -> dict[str, np.ndarray]:
        context = execute_onnx(model, {entry: image[None]}, return_full_exec_context=True)
        return {name: integers(context[name]) for name in names}

    found = list(each(images, run, kept, "FINN"))
    return {name: np.concatenate([one[name] for one in found]) for name in names}


def each(
    images: np.ndarray,
    run: Callable[[np.ndarray], dict[str, np.ndarray]],
    kept: Path | None,
    who: str,
) -> Iterator[dict[str, np.ndarray]]:
    """The results of each image, by name; each is kept in a file as soon as it is there."""
    for place, image in enumerate(images):
        file = None if kept is None else kept / f"{who}_{place}.npz"
        found = None if file is None else stored(file)
        if found is None:
            found = run(image)
            if file is not None:
                partial = file.with_suffix(".part")
                with partial.open("wb") as stream:
                    np.savez(stream, **found)
                partial.rename(file)
        print(f"{who}: {place + 1} of {len(images)} frames", flush=True)
        yield found


def stored(file: Path) -> dict[str, np.ndarray] | None:
    """What a file keeps; None if there is none, or a damaged one."""
    try:
        with np.load(file) as found:
            return dict(found)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):
        return None


def integers(values: np.ndarray) -> np.ndarray:
    """The narrowest type that holds whole numbers; others stay."""
    if (values != np.rint(values)).any():
        return values
    for kind in (np.int8, np.int16):
        if np.abs(values).max(initial=0) <= np.iinfo(kind).max:
            return values.astype(kind)
    return values.astype(np.int64)


def estimates(model: ModelWrapper, folding: str, part: str) -> dict:
    """FINN's cycles and resources of each layer, folded and specialised."""
    model = model.transform(ApplyConfig(folding))
    names = {node.output[0]: node.name for node in model.graph.node}
    model = model.transform(SpecializeLayers(part)).transform(GiveUniqueNodeNames())
    cycles, resources = model.analysis(exp_cycles_per_layer), res_estimation(model, part)
    return {
        names[node.output[0]]: {"cycles": int(cycles[node.name])}
        | {key: float(value) for key, value in resources[node.name].items() if np.isscalar(value)}
        for node in model.graph.node
        if node.name in cycles
    }


if __name__ == "__main__":
    main()
