# SPDX-License-Identifier: BSD-3-Clause
"""What FINN makes of a model and of frames; runs in the environment of `make finn-env`.

    .venv-finn/bin/python witness.py MODEL.onnx FRAMES.npy FOLDER [FOLDING.json PART]

Writes FOLDER/hardware.onnx, FINN's hardware graph after its bit-width minimisation, with
witness.npz: for every node what it takes and gives (``NAME.in``, ``NAME.out``), its thresholds
before that minimisation (``NAME.limits``), FINN's answers and those of qonnx (``answers``,
``qonnx``). witness.json says what FINN estimates with a folding, or the step it stopped in.
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
    facts: dict = {}
    tensors = {"qonnx": answers(cleanup_model(ModelWrapper(source)), images)}
    try:
        model = hardware(ModelWrapper(source))
        limits = thresholds(model)
        model = minimised(model)
        model.save(str(target / "hardware.onnx"))
        tensors |= executed(model, images) | limits
        facts["refused"] = refused(model)
    except Exception as error:  # whatever FINN says to a model: the caller tells what it means
        facts["stopped"] = f"{type(error).__name__}: {error}"
    else:
        if folding:
            facts["estimates"] = estimates(model, *folding)
    np.savez(target / "witness.npz", **tensors)
    (target / "witness.json").write_text(json.dumps(facts, indent=1))


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
            found[f"{node.name}.limits"] = model.get_initializer(node.input[2])
    return found


def answers(model: ModelWrapper, images: np.ndarray) -> np.ndarray:
    """What a model gives for each image."""
    entry, exit_ = model.graph.input[0].name, model.graph.output[0].name
    return np.concatenate([execute_onnx(model, {entry: image[None]})[exit_] for image in images])


def executed(model: ModelWrapper, images: np.ndarray) -> dict[str, np.ndarray]:
    """What each node of FINN's takes and gives, and the answers, image by image."""
    entry, exit_ = model.graph.input[0].name, model.graph.output[0].name
    parts: dict[str, list] = {}
    for place, image in enumerate(images):
        context = execute_onnx(model, {entry: image[None]}, return_full_exec_context=True)
        parts.setdefault("answers", []).append(context[exit_])
        for node in model.graph.node:
            if node.domain.startswith("finn"):
                parts.setdefault(f"{node.name}.in", []).append(integers(context[node.input[0]]))
                parts.setdefault(f"{node.name}.out", []).append(integers(context[node.output[0]]))
        print(f"{place + 1} of {len(images)} frames", flush=True)
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
    """FINN's cycles and resources of each layer, specialised and folded."""
    model = model.transform(SpecializeLayers(part)).transform(GiveUniqueNodeNames())
    model = model.transform(ApplyConfig(folding))
    cycles = model.analysis(exp_cycles_per_layer)
    resources = res_estimation(model, part)
    return {
        name: {"cycles": int(cycles[name])}
        | {key: float(value) for key, value in resources[name].items() if np.isscalar(value)}
        for name in cycles
    }


if __name__ == "__main__":
    main()
