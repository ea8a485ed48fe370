# SPDX-License-Identifier: BSD-3-Clause
"""A trained network as a reference: NumPy in, NumPy out, evaluated by PyTorch itself."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bonn_hw.errors import UserError
from bonn_hw.nn.data.labelled_images import Dataset
from bonn_hw.nn.models.block import Block
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.training import release
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.network_of import network_of
from bonn_hw.nn.training.run_files import CHECKPOINT, EXPERIMENT, WEIGHTS

NETWORK_PREFIX, AVERAGED_PREFIX = "network.", "averaged.network."
"""Prefix of the network's entries in the training module's state, and of those of the average of
its weights; the others are not read."""


@dataclass(frozen=True)
class BinaryActivation:
    """A 1-bit activation after a matrix product, as PyTorch evaluates it.

    Attributes
    ----------
    name
        The layer's name, which is also its node's name in the exported file.
    channels
        Number of channels C of the layer.
    function
        Maps outputs of the matrix product, float32 ``(R, C)``, to -1 and +1, int8 ``(R, C)``.
    """

    name: str
    channels: int
    function: Callable[[NDArray[np.float32]], NDArray[np.int8]]


def read_state(path: Path) -> dict[str, Any]:
    """Read a checkpoint file: tensors and plain values only, nothing in it is executed."""
    if not path.is_file():
        raise UserError(
            f"{path}: no such checkpoint; train first with "
            f"`bonn-hw train EXPERIMENT.toml --out {path.parent}`"
        )
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{path}: not a readable checkpoint ({reason}); delete the run and train again"
        ) from error
    return state


def network_weights(path: Path) -> dict[str, Tensor]:
    """The network's part of a checkpoint file: the average of its weights, where there is one."""
    state: dict[str, Tensor] = read_state(path).get("state_dict", {})
    averaged = any(key.startswith(AVERAGED_PREFIX) for key in state)
    prefix = AVERAGED_PREFIX if averaged else NETWORK_PREFIX
    return {k.removeprefix(prefix): value for k, value in state.items() if k.startswith(prefix)}


@dataclass(frozen=True)
class Checkpoint:
    """A network in evaluation mode and, if it comes from a run, the experiment that made it."""

    network: Network
    experiment: Experiment | None = None

    @classmethod
    def load(cls, run: str | Path) -> TrainedCheckpoint:
        """Read a run folder written by `training.train`, or by `release.release`.

        Raises
        ------
        UserError
            If the folder, its experiment or its checkpoint is missing or unreadable.
        """
        run = Path(run)
        if not run.is_dir():
            raise UserError(
                f"{run}: no such run folder; train first with "
                f"`bonn-hw train EXPERIMENT.toml --out {run}`"
            )
        released = run / WEIGHTS
        path = released if released.is_file() else run / CHECKPOINT
        weights = release.read(path) if path == released else network_weights(path)
        experiment = Experiment.read(run / EXPERIMENT)
        network = network_of(experiment.network, experiment.options, experiment.folder)
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise UserError(
                f"{path}: its weights are not those of network "
                f"{experiment.network!r} in {EXPERIMENT}; one of the two was edited: train again"
            ) from error
        return TrainedCheckpoint(network.eval(), experiment)

    def test_set(self, limit: int | None = None) -> Dataset:
        """The test split, as inputs of the network and of its exported file."""
        if self.experiment is None:
            raise UserError("checkpoint: made from a bare network, which has no data; load a run")
        data = self.experiment.data("test", limit)
        if not isinstance(data, Dataset):
            raise UserError(
                f"data set {self.experiment.dataset}: is read batch by batch in training, and "
                "cannot be loaded as a whole; prepare test images yourself and give them as an "
                "array (--inputs)"
            )
        return data

    def predict(self, images: NDArray[np.float32], batch: int = 250) -> NDArray[np.float32]:
        """PyTorch's logits ``(N, classes)`` of `images` ``(N, C, H, W)``, both float32."""
        return self._evaluate(self.network, images, batch)

    def accumulators(self, images: NDArray[np.float32], batch: int = 250) -> NDArray[np.int32]:
        """The last matrix product's outputs before their scale, int32 ``(N, classes)``."""
        values = self._evaluate(self.network.accumulators, images, batch)
        integers = values.astype(np.int32)
        if not np.array_equal(integers, values):
            # A bug: divided by the scales, products of integer weights and inputs are integers.
            raise ArithmeticError(
                "checkpoint: the classifier's accumulators are not integers; a scale of its "
                "weights or of its inputs is not accounted for"
            )
        return integers

    def accuracy(
        self, images: NDArray[np.float32], labels: NDArray[np.int64], batch: int = 250
    ) -> float:
        """The share of `images` that are classified as `labels` ``(N,)`` say."""
        return float(np.mean(self.predict(images, batch).argmax(axis=1) == labels))

    def activations(self) -> list[BinaryActivation]:
        """The 1-bit activations that follow a matrix product, in the network's order."""
        return [
            BinaryActivation(name, block.norm.num_features, _signs(block))
            for name, block in self.network.blocks()
        ]

    def digest(self) -> str:
        """The SHA-256 of all weights and statistics, by name, as hexadecimal."""
        digest = hashlib.sha256()
        for name, value in sorted(self.network.state_dict().items()):
            array = value.detach().cpu().numpy()
            digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def _evaluate(
        self, function: Callable[[Tensor], Tensor], images: NDArray[np.float32], batch: int
    ) -> NDArray[np.float32]:
        shape = self.network.input_shape
        if images.dtype != np.float32 or images.shape[1:] != shape:
            raise UserError(
                f"images: must be float32 of shape (N, {', '.join(map(str, shape))}), not "
                f"{images.dtype} of shape {images.shape}"
            )
        outputs = np.empty((len(images), self.network.classes), np.float32)
        with torch.inference_mode():
            for i in range(0, len(images), batch):
                part = torch.from_numpy(np.ascontiguousarray(images[i : i + batch]))
                outputs[i : i + batch] = function(part).numpy()
        return outputs


@dataclass(frozen=True)
class TrainedCheckpoint(Checkpoint):
    """A checkpoint of a run, which always has its experiment."""

    # field() removes the default of the base class.
    experiment: Experiment = field()


def _signs(block: Block) -> Callable[[NDArray[np.float32]], NDArray[np.int8]]:
    # Evaluated in the layout of real tensors: how PyTorch rounds a batch norm depends on it.
    spatial = isinstance(block.norm, torch.nn.BatchNorm2d)

    def function(values: NDArray[np.float32]) -> NDArray[np.int8]:
        x = torch.from_numpy(np.ascontiguousarray(values, np.float32))
        with torch.inference_mode():
            if spatial:
                y = block.activate(x.T.contiguous()[None, :, :, None])[0, :, :, 0].T
            else:
                y = block.activate(x)
        signs: NDArray[np.int8] = y.numpy().astype(np.int8)
        return signs

    return function
