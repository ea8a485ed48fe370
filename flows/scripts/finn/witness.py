# SPDX-License-Identifier: BSD-3-Clause
"""What FINN makes of a model and of frames; runs in the environment of `make finn-env`.

    .venv-finn/bin/python witness.py MODEL.onnx FRAMES.npy FOLDER [FOLDING.json PART]

Writes into FOLDER: hardware.onnx, FINN's hardware graph after its bit-width minimisation; its
tensors for all frames (tensors.npz, by their names); the thresholds of its matrix units before
that minimisation (limits.npz, by nodes); what qonnx answers (qonnx.npy); and facts.json: the matrix
units that FINN's code generation refuses, FINN's estimates with a folding, and what FINN said if
it stopped.
"""

from __future__ import annotations

import json
import sys
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
    source, frames, folder, *folding = sys.argv[1:]
    target, images = Path(folder), np.load(frames)
    np.save(target / "qonnx.npy", answers(cleanup_model(ModelWrapper(source)), images))
    facts: dict = {}
    try:
        model = hardware(ModelWrapper(source))
        np.savez(target / "limits.npz", **thresholds(model))
        model = minimised(model)
        model.save(str(target / "hardware.onnx"))
        np.savez(target / "tensors.npz", **executed(model, images))
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


def answers(model: ModelWrapper, images: np.ndarray) -> np.ndarray:
    """What a model gives for each image."""
    entry, exit_ = model.graph.input[0].name, model.graph.output[0].name
    return np.concatenate([execute_onnx(model, {entry: image[None]})[exit_] for image in images])


def executed(model: ModelWrapper, images: np.ndarray) -> dict[str, np.ndarray]:
    """What passes between the nodes, image by image."""
    entry = model.graph.input[0].name
    names = [name for node in model.graph.node for name in node.output]
    parts: dict[str, list] = {name: [] for name in (entry, *names)}
    for place, image in enumerate(images):
        context = execute_onnx(model, {entry: image[None]}, return_full_exec_context=True)
        for name, values in parts.items():
            values.append(integers(context[name]))
        print(f"FINN: {place + 1} of {len(images)} frames", flush=True)
    return {name: np.concatenate(values) for name, values in parts.items()}


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
