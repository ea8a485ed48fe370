# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoint -> QONNX file, by Brevitas' exporter, checked against PyTorch before it is written.

The file has batch size 1 and static shapes, as qonnx requires. Nothing in the graph depends on the
batch size: ``qonnx.transformation.change_batchsize.ChangeBatchSize`` sets any other.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from brevitas.nn import QuantIdentity
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.change_batchsize import ChangeBatchSize
from qonnx.transformation.general import (
    GiveReadableTensorNames,
    GiveUniqueParameterTensors,
    RemoveStaticGraphInputs,
    RemoveUnusedTensors,
)
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.quant_constant_folding import FoldTransposeIntoQuantInit
from torch import nn

from bonn_hw.errors import UserError
from bonn_hw.nn.brevitas_export.constants import fold_constants
from bonn_hw.nn.brevitas_export.trace import trace
from bonn_hw.nn.models.activations import PowerOfTwoPReLU
from bonn_hw.nn.models.adaptive import LearntLevels
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.models.variants import ExactNorm
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.run_files import write_atomically
from bonn_hw.version import VERSION

QUANTISERS = ["Quant", "BipolarQuant"]
CHECKED_IMAGES = 8


@dataclass(frozen=True)
class Exported:
    """What was written: the file, its SHA-256 and how it compared.

    `ties` names the first layer where a batch norm is rounded to different sides of zero in ONNX
    Runtime and in PyTorch, on one of the checked images. The layers after it were not compared.
    """

    path: Path
    sha256: str
    images: int
    ties: tuple[str, ...]


def export(
    model: str | Path | Checkpoint | Network,
    path: str | Path,
    input_shape: tuple[int, int, int, int] | None = None,
) -> Exported:
    """Write `model` (a run folder, a checkpoint or a network) as QONNX to `path`, atomically.

    Parameters
    ----------
    input_shape
        ``(1, C, H, W)``; by default the network's own. Any other shape is refused.

    Raises
    ------
    UserError
        If the run is missing or unreadable, the shape wrong, or `path` cannot be written.
    """
    if isinstance(model, Network):
        checkpoint = Checkpoint(model.eval())
    elif isinstance(model, Checkpoint):
        checkpoint = model
    else:
        checkpoint = Checkpoint.load(model)
    shape = (1, *checkpoint.network.input_shape)
    if input_shape is not None and tuple(input_shape) != shape:
        raise UserError(
            f"input_shape: must be the network's own, {shape}, not {tuple(input_shape)}; "
            "leave it out"
        )
    exported = _cleaned(_traced(checkpoint.network))
    ties = compare(exported, checkpoint, _grid_images(checkpoint.network, CHECKED_IMAGES))
    proto = exported.model
    _describe(proto, checkpoint)
    payload = proto.SerializeToString(deterministic=True)
    write_atomically(Path(path), payload)
    return Exported(Path(path), hashlib.sha256(payload).hexdigest(), CHECKED_IMAGES, ties)


def _traced(network: Network) -> onnx.ModelProto:
    """Run Brevitas' exporter on `network`."""
    images = torch.zeros(1, *network.input_shape)
    return trace(_folded(network), images, "images", "logits")


@torch.no_grad()
def _folded(network: Network) -> Network:
    """A copy whose norms are one product and one sum, and whose slopes are constants.

    qonnx would need minutes to fold norms, and ONNX has no operator for what rounds slopes.
    """
    network = copy.deepcopy(network)
    for name, module in list(network.named_modules()):
        if isinstance(module, ExactNorm | LearntLevels | PowerOfTwoPReLU):
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, module.folded())
    return network


def _cleaned(proto: onnx.ModelProto) -> ModelWrapper:
    """Give shapes and names, fold constants, store weights as -1 and +1.

    The transformations of ``qonnx.util.cleanup`` without its node names (``BipolarQuant_3``): here
    the names are those of the layers.
    """
    model = ModelWrapper(proto)
    for transformation in (InferShapes(), GiveUniqueParameterTensors()):
        model = model.transform(transformation, make_deepcopy=False)
    model = fold_constants(model, QUANTISERS)
    for transformation in (
        FoldTransposeIntoQuantInit(),
        RemoveUnusedTensors(),
        RemoveStaticGraphInputs(),
    ):
        model = model.transform(transformation, make_deepcopy=False)
    taken: set[str] = set()
    for node in model.graph.node:
        name = _readable(node.name) or node.op_type.lower()
        # A norm may be two nodes, a product and a sum.
        node.name = name if name not in taken else f"{name}_{node.op_type.lower()}"
        node.doc_string = ""
        taken.add(node.name)
    model = model.transform(GiveReadableTensorNames(), make_deepcopy=False)
    for node in model.get_nodes_by_op_type("BipolarQuant"):
        weights = model.get_initializer(node.input[0])
        if weights is not None:
            # Stored as -1 and +1, so that no reader has to know which sign a weight of 0 has.
            model.set_initializer(node.input[0], np.where(weights >= 0, 1, -1).astype(np.float32))
    return model


def _readable(name: str) -> str:
    """Turn torch's scope into a layer's name.

    >>> _readable("/layers/conv0/matrix/weight_quant/export_handler/BipolarQuant")
    'conv0_weights'
    >>> _readable("/layers/conv0/matrix/Conv")
    'conv0'
    >>> _readable("/layers/conv0/sign/act_quant/export_handler/BipolarQuant")
    'conv0_sign'
    """
    omitted = {"layers", "matrix", "act_quant", "export_handler", ""}
    scopes = [part for part in name.split("/")[:-1] if part not in omitted]
    return "_".join("weights" if part == "weight_quant" else part for part in scopes)


def _grid_images(network: Network, count: int) -> NDArray[np.float32]:
    """Noise on the 8-bit input grid, ``(count, C, H, W)``: the same for every call."""
    pixels = np.random.default_rng(0).integers(-128, 128, (count, *network.input_shape))
    return (pixels / 128).astype(np.float32)


def compare(
    model: ModelWrapper, checkpoint: Checkpoint, images: NDArray[np.float32]
) -> tuple[str, ...]:
    """Check layer by layer that qonnx executes `model` as PyTorch does its network.

    Returns
    -------
    tuple of str
        Layers with a tie: equal accumulators, but batch norms that round to different signs; or,
        in networks that are not exact, the first layer where float sums round differently. The
        comparison ends there.

    Raises
    ------
    RuntimeError
        If anything else differs: that is a bug of the exporter, not the user's fault.
    """
    network = checkpoint.network
    model = model.transform(ChangeBatchSize(len(images))).transform(InferShapes())
    feed = {model.graph.input[0].name: images}
    context = execute_onnx(model, feed, return_full_exec_context=True)
    output = {node.name: node.output[0] for node in model.graph.node}
    for name, layer, value in _layer_outputs(network, images):
        if np.array_equal(value, context[output[name]]):
            continue
        if network.exact and not isinstance(layer, QuantIdentity):
            raise RuntimeError(f"{name}: qonnx and PyTorch differ in the matrix product")
        return (name,)
    classes = checkpoint.predict(images).argmax(axis=1)
    if not np.array_equal(classes, context[model.graph.output[0].name].argmax(axis=1)):
        return ("scale",)
    return ()


@torch.inference_mode()
def _layer_outputs(
    network: Network, images: NDArray[np.float32]
) -> list[tuple[str, nn.Module, NDArray[np.float32]]]:
    """Name, module and output of every product and every quantiser, in order."""
    seen: list[tuple[str, nn.Module, NDArray[np.float32]]] = []

    def keep(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
            seen.append((name, layer, output.numpy()))

        return hook

    handles = [
        layer.register_forward_hook(keep(_readable(f"/{name.replace('.', '/')}/")))
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear | QuantIdentity)
    ]
    network(torch.from_numpy(images))
    for handle in handles:
        handle.remove()
    return seen


def _describe(proto: onnx.ModelProto, checkpoint: Checkpoint) -> None:
    """Say where the file comes from; without paths and dates, so that it can be reproduced."""
    proto.producer_name = "bonn_hw"
    proto.producer_version = VERSION
    proto.doc_string = ""
    properties = {"checkpoint_sha256": checkpoint.digest()}
    if checkpoint.experiment is not None:
        properties["network"] = checkpoint.experiment.network
        properties["dataset"] = checkpoint.experiment.dataset
        properties["transform"] = checkpoint.experiment.transform
    for package in ("torch", "brevitas", "qonnx"):
        properties[f"{package}_version"] = version(package)
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, properties)
