# SPDX-License-Identifier: BSD-3-Clause
"""QONNX -> FINN's hardware graph, and its answers; runs in the environment of `make finn-env`.

    cd flows/scripts/finn
    python hardware_graph.py MODEL.onnx HARDWARE.onnx [ANSWERS.npz FRAMES]

The steps are those of FINN's builder up to its hardware layers, without the builder, whose import
asks for a vendor's tools. Answers are FINN's own Python execution of random frames.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

os.environ.setdefault("FINN_SETTINGS", "/nonexistent")  # FINN makes no folder in the home then

from finn.transformation.move_reshape import RemoveCNVtoFCFlatten
from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
from finn.transformation.streamline import Streamline, absorb
from finn.transformation.streamline.reorder import MakeMaxPoolNHWC
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.bipolar_to_xnor import ConvertBipolarMatMulToXnorPopcount
from qonnx.transformation.fold_constants import FoldConstants
from qonnx.transformation.general import (
    GiveReadableTensorNames,
    GiveUniqueNodeNames,
    RemoveStaticGraphInputs,
    RemoveUnusedTensors,
)
from qonnx.transformation.infer_data_layouts import InferDataLayouts
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.insert_topk import InsertTopK
from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul
from qonnx.util.cleanup import cleanup_model

LAYERS = (
    ("binary_matrix_vector_activation", "InferBinaryMatrixVectorActivation"),
    ("quantized_matrix_vector_activation", "InferQuantizedMatrixVectorActivation"),
    ("label_select", "InferLabelSelectLayer"),
    ("thresholding", "InferThresholdingLayer"),
    ("fm_padding", "InferFMPadding"),
    ("pool", "InferPool"),
    ("conv_inp_gen", "InferConvInpGen"),
    ("elementwise_binary_operation", "InferElementwiseBinaryOperation"),
    ("duplicate_streams", "InferDuplicateStreamsLayer"),
)


def main() -> None:
    """Convert, and execute if asked to."""
    source, target, *rest = sys.argv[1:]
    model = hardware(ModelWrapper(source))
    model.save(target)
    if rest:
        answers, frames = rest
        np.savez_compressed(Path(answers), **executed(model, int(frames)))


def hardware(model: ModelWrapper, labels: bool = False) -> ModelWrapper:
    """FINN's hardware graph of a QONNX model; with ``labels`` it answers the largest output's."""
    for _, stage in stages(model, labels):
        model = stage
    return model


def stages(model: ModelWrapper, labels: bool = False) -> Iterator[tuple[str, ModelWrapper]]:
    """The graphs that FINN makes on the way to its hardware graph, which is the last."""
    model = cleanup_model(model).transform(ConvertQONNXtoFINN())
    if labels:
        model = applied(model, [InsertTopK(k=1), InferShapes()])
    tidy = [InferShapes(), FoldConstants(), GiveUniqueNodeNames(), GiveReadableTensorNames()]
    model = applied(model, [*tidy, InferDataTypes(), RemoveStaticGraphInputs()])
    yield "tidy", model
    model = applied(model, [absorb.AbsorbScalarBiasIntoMultiThreshold(), Streamline()])
    yield "streamlined", model
    if model.get_nodes_by_op_type("Conv"):
        model = applied(model, [LowerConvsToMatMul(), MakeMaxPoolNHWC()])
        model = model.transform(absorb.AbsorbTransposeIntoMultiThreshold())
        model = applied(model, [MakeMaxPoolNHWC(), absorb.AbsorbConsecutiveTransposes()])
    model = applied(model, [ConvertBipolarMatMulToXnorPopcount(), Streamline()])
    model = applied(model, [absorb.AbsorbScalarMulAddIntoTopK(), InferDataLayouts()])
    model = model.transform(RemoveUnusedTensors())
    yield "lowered", model
    for module, name in LAYERS:
        package = f"finn.transformation.fpgadataflow.convert_to_hw.{module}"
        model = model.transform(getattr(importlib.import_module(package), name)())
    last = [RemoveCNVtoFCFlatten(), absorb.AbsorbConsecutiveTransposes(), GiveUniqueNodeNames()]
    yield "hardware", applied(model, [*last, InferDataLayouts(), InferDataTypes(), InferShapes()])


def applied(model: ModelWrapper, steps: list) -> ModelWrapper:
    """A model after transformations."""
    for step in steps:
        model = model.transform(step)
    return model


def executed(model: ModelWrapper, frames: int) -> dict[str, np.ndarray]:
    """Random frames, and FINN's answers to them."""
    entry, exit_ = model.graph.input[0].name, model.graph.output[0].name
    shape = model.get_tensor_shape(entry)
    images = np.random.default_rng(0).uniform(-1, 1, (frames, *shape[1:])).astype(np.float32)
    answers = [execute_onnx(model, {entry: image[None]})[exit_][0] for image in images]
    return {"images": images, "answers": np.array(answers, np.float32)}


if __name__ == "__main__":
    main()
