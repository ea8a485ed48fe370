# SPDX-License-Identifier: BSD-3-Clause
"""Find a network by name: ``package.module:factory``, or ``folder/file.py:factory``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from bonn_hw.errors import UserError, near


def load(name: str) -> tuple[nn.Module, Any]:
    """The network that a name stands for, and its example if the factory returns one.

    The name behind the colon is a module of PyTorch, or a function without arguments that returns
    one, alone or with an example: ``(network, example)``. Its code is executed.

    Raises
    ------
    UserError
        If there is no such thing, or it is something else.
    """
    place, _, attribute = name.rpartition(":")
    module = _module(place)
    if not hasattr(module, attribute):
        known = [one for one in vars(module) if not one.startswith("_")]
        raise UserError(f"{place} has no {attribute!r}{near(attribute, known)}")
    made = getattr(module, attribute)
    if callable(made) and not isinstance(made, nn.Module):
        try:
            made = made()
        except TypeError as error:
            raise UserError(
                f"{name} cannot be called: {error}: write a function without arguments that "
                "returns the network"
            ) from error
    network, example = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(network, nn.Module):
        raise UserError(
            f"{name} is a {type(network).__name__}: name a torch.nn.Module, or a function that "
            "returns one"
        )
    return network, example


def _module(place: str) -> ModuleType:
    if place.endswith(".py"):
        path = Path(place)
        if not path.is_file():
            raise UserError(f"{place}: no such file")
        sys.path.insert(0, str(path.resolve().parent))  # as `python FILE` does
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise UserError(f"{place}: cannot be imported as Python")
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(path.stem, module)
        spec.loader.exec_module(module)
        return module
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(f"{error.name}.")):
            raise UserError(
                f"{place}: no such Python module; its folder must be the current one or in "
                "PYTHONPATH"
            ) from error
        raise
