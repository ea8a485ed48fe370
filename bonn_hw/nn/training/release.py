# SPDX-License-Identifier: BSD-3-Clause
"""Archive a finished run in a few hundred kB: of 1-bit weights, only the bits are kept.

A released folder is a run folder with ``weights.npz`` instead of the checkpoint. It can be
exported, compiled, compared and plotted, but not trained further.
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bonn_hw.errors import UserError
from bonn_hw.files import fresh_folder
from bonn_hw.nn.models.binary_layers import binary_layers, is_modulated
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.models.quantizers import BipolarWeight, ResilientWeight
from bonn_hw.nn.training.run_files import CHECKPOINT, WEIGHTS

BITS = "bits "
"""Prefix for the name of an array of signs, one bit each; its shape has the prefix `SHAPE`."""
SHAPE = "shape "


def pack(network: Network) -> dict[str, NDArray[Any]]:
    """All that an evaluation of `network` depends on, as arrays.

    1-bit weights whose scale does not depend on the latent weights become bits, 1 for +1.
    """
    bits = {
        f"{name}.weight"
        for name, layer in binary_layers(network).items()
        if is_modulated(layer)
        or issubclass(layer.weight_quant.quant_injector, BipolarWeight | ResilientWeight)
    }
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in network.state_dict().items():
        array = value.detach().cpu().numpy()
        if name in bits:
            arrays[BITS + name] = np.packbits(array >= 0)
            arrays[SHAPE + name] = np.array(array.shape, np.int64)
        else:
            arrays[name] = array
    return arrays


def unpack(arrays: dict[str, NDArray[Any]]) -> dict[str, Tensor]:
    """The network's state from arrays of `pack`; bits become weights of -1 and +1."""
    state = {}
    for name, array in arrays.items():
        if name.startswith(BITS):
            name = name.removeprefix(BITS)
            shape = tuple(arrays[SHAPE + name].tolist())
            signs = np.unpackbits(array, count=int(np.prod(shape))).reshape(shape)
            state[name] = torch.from_numpy(signs.astype(np.float32) * 2 - 1)
        elif not name.startswith(SHAPE):
            state[name] = torch.from_numpy(array)
    return state


def read(path: Path) -> dict[str, Tensor]:
    """Read the state of a released network.

    Raises
    ------
    UserError
        If the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return unpack(dict(file))
    except Exception as error:  # what a damaged archive, or arrays of other types, can raise
        raise UserError(
            f"{path}: not readable as a released network ({error}); release the run again"
        ) from error


def release(network: Network, run: Path, out: Path) -> Path:
    """Write the released folder of a run; return the path of its weights.

    Parameters
    ----------
    network
        The network of the run.
    run
        A run folder written by `training.train`.
    out
        The new folder.

    Raises
    ------
    UserError
        If `out` exists or cannot be written.
    """
    if out.exists():
        raise UserError(f"{out}: exists already; name a new folder for the released run")
    with fresh_folder(out) as partial:
        for file in sorted(run.iterdir()):
            if file.is_file() and file.name not in (CHECKPOINT, WEIGHTS):
                shutil.copyfile(file, partial / file.name)
        payload = io.BytesIO()
        # mypy: an array could be meant for np.savez's keyword allow_pickle.
        np.savez_compressed(payload, **pack(network))  # type: ignore[arg-type]
        (partial / WEIGHTS).write_bytes(payload.getvalue())
    return out / WEIGHTS
