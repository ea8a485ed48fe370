# SPDX-License-Identifier: BSD-3-Clause
"""`export`: a PyTorch module -> QONNX file, compared with PyTorch before it is written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from bonn_hw import files, frontend
from bonn_hw.errors import UserError
from bonn_hw.nn import export as own
from bonn_hw.nn.brevitas_export.agreement import Agreement, compare
from bonn_hw.nn.brevitas_export.decisions import plain
from bonn_hw.nn.brevitas_export.evaluated import evaluated
from bonn_hw.nn.brevitas_export.facts import Grid, grids
from bonn_hw.nn.brevitas_export.trace import tidy, trace
from bonn_hw.nn.models.network import Network
from bonn_hw.version import VERSION

RANDOM_FRAMES, EXAMPLES = 8, 8  # that are compared


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    path : Path
    sha256 : str
        Of the file.
    agreement : Agreement or None
        How the file compares with PyTorch; None if it was not compared by this function.
    grids : tuple of Grid
        Bits and scales of weights, biases and activations, in the order of the layers.
    notes : tuple of str
    """

    path: Path
    sha256: str
    agreement: Agreement | None
    grids: tuple[Grid, ...]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Exported {self.path}: {'; '.join(self.notes)}>"

    def __str__(self) -> str:
        return "\n".join([f"{self.path}", *self.notes, *(f"  {one}" for one in self.grids)])


def export(
    model: nn.Module,
    example: Any,
    path: str | Path,
    properties: Mapping[str, str] | None = None,
) -> Exported:
    """Write a network with Brevitas' quantisers as a QONNX file.

    The network is exported in evaluation mode, and not changed. The file is compared with PyTorch
    on the example and on random frames of the same range before it is written. Layers have the
    names of their modules, such as ``features.3``.

    Parameters
    ----------
    model : torch.nn.Module
    example : tensor or array, float32 ``(N, ...)``
        One or more inputs, batch first.
    path : str or Path
        The file to write (.onnx).
    properties : mapping or None
        What the file says besides the versions of packages.

    Returns
    -------
    Exported

    Raises
    ------
    UserError
        If the network cannot be traced, the file computes something else than PyTorch, or it cannot
        be written.
    """
    path = Path(path)
    frames = _frames(example)
    if isinstance(model, Network):
        return _own(model, frames, path)
    reference = evaluated(model)
    proto = _traced(reference, frames)
    tidy(proto)
    _describe(proto, properties or {})
    content: bytes = proto.SerializeToString(deterministic=True)
    agreement, found, notes = _checked(reference, proto, content, _with_random(frames))
    with files.fresh_file(path) as partial:
        partial.write_bytes(content)
    return Exported(path, hashlib.sha256(content).hexdigest(), agreement, found, notes)


def _frames(example: Any) -> NDArray[np.float32]:
    values = np.asarray(example.detach().cpu() if isinstance(example, torch.Tensor) else example)
    if values.dtype.kind not in "fiub" or values.ndim < 2 or not len(values):
        raise UserError(
            f"export: the example has the type {values.dtype} and the shape {values.shape}: give "
            "float32 inputs, batch first, such as torch.rand(1, 3, 32, 32)"
        )
    frames = np.ascontiguousarray(values, np.float32)
    if not np.isfinite(frames).all():
        raise UserError("export: the example holds NaN or infinity: every value must be finite")
    return frames


def _own(network: Network, frames: NDArray[np.float32], path: Path) -> Exported:
    """Export a network of bonn_hw, which has its own, stricter comparison."""
    shape = (1, *frames.shape[1:])
    exported = own.export(network, path, shape)
    note = f"{exported.images} frames: equal to PyTorch layer by layer"
    if exported.ties:
        note = f"{exported.images} frames: equal to PyTorch up to a tie in {exported.ties[0]}"
    return Exported(path, exported.sha256, None, grids(frontend.read(path)), (note,))


def _traced(module: nn.Module, frames: NDArray[np.float32]) -> onnx.ModelProto:
    first = torch.from_numpy(frames[:1])
    try:
        with torch.inference_mode():
            answer = module(first)
    except Exception as error:
        raise UserError(
            f"export: the network refuses the example of the shape {frames[:1].shape}: "
            f"{_first_line(error)}"
        ) from error
    if isinstance(answer, (list, dict)) or not isinstance(plain(answer), torch.Tensor):
        raise UserError(
            f"export: the network returns a {type(answer).__name__}; one tensor is supported: "
            "return the output that the accelerator shall compute"
        )
    try:
        return trace(evaluated(module), first, "input", "output")
    except Exception as error:  # torch and Brevitas raise many types
        raise UserError(
            f"export: the network cannot be traced: {_first_line(error)}; write forward() without "
            "branches that depend on values"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _with_random(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first examples, and random frames of the same range."""
    low, high = float(frames.min()), float(frames.max())
    if low == high:
        low, high = -1.0, 1.0
    rng = np.random.default_rng(0)
    random = rng.uniform(low, high, (RANDOM_FRAMES, *frames.shape[1:])).astype(np.float32)
    return np.concatenate([frames[:EXAMPLES], random])


def _checked(
    module: nn.Module, proto: onnx.ModelProto, content: bytes, frames: NDArray[np.float32]
) -> tuple[Agreement | None, tuple[Grid, ...], tuple[str, ...]]:
    with files.scratch() as folder:
        (folder / "model.onnx").write_bytes(content)
        try:
            model = frontend.read(folder / "model.onnx")
        except UserError as error:
            reason = str(error).replace(f"model {folder / 'model.onnx'} ", "the file ")
            return None, (), (f"not compared with PyTorch, since bonn-hw refuses it: {reason}",)
    agreement = compare(module, model, proto, frames)
    return agreement, grids(model), (str(agreement),)


def _describe(proto: onnx.ModelProto, properties: Mapping[str, str]) -> None:
    """Say where the file comes from; without paths and dates, so that it can be reproduced."""
    proto.producer_name, proto.producer_version = "bonn_hw", VERSION
    proto.doc_string = ""
    del proto.metadata_props[:]
    versions = {f"{name}_version": version(name) for name in ("torch", "brevitas")}
    onnx.helper.set_model_props(proto, {**properties, **versions})
