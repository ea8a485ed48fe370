# SPDX-License-Identifier: BSD-3-Clause
"""`bonn_hw.export`: needs PyTorch and Brevitas, which are imported when it is called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonn_hw import extras
from bonn_hw.errors import ToolMissing

if TYPE_CHECKING:
    from torch import nn

    from bonn_hw.nn.brevitas_export.module import Exported


def export(model: nn.Module, example: Any, path: str | Path) -> Exported:
    """Write a PyTorch network with Brevitas' quantisers as a QONNX file.

    The network is exported in evaluation mode, and not changed. The file is compared with PyTorch
    on the example and on random frames of the same range before it is written. Layers have the
    names of their modules, such as ``features.3``.

    Parameters
    ----------
    model : torch.nn.Module
    example : tensor or array ``(N, ...)``
        One or more inputs, batch first.
    path : str or Path
        The file to write (.onnx).

    Returns
    -------
    Exported
        ``print`` it to see how the file compares, and bits, scales and biases of all layers.

    Raises
    ------
    UserError
        If the network cannot be traced, the file computes something else than PyTorch, or it cannot
        be written.
    """
    with torch_needed("export"):
        from bonn_hw.nn.brevitas_export import module
    return module.export(model, example, path)


@contextmanager
def torch_needed(what: str) -> Iterator[None]:
    """Say how to install a missing package, such as torch, by its extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or not extras.known(error.name):
            raise
        raise ToolMissing(extras.missing(what, error.name)) from error
