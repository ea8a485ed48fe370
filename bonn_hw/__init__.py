# SPDX-License-Identifier: BSD-3-Clause
"""Bayesian optimised 1-bit CNNs, from PyTorch training to streaming XNOR-popcount accelerators."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bonn_hw.api.build import Build as Build
    from bonn_hw.api.exporting import export as export
    from bonn_hw.api.model import Model as Model
    from bonn_hw.api.search import search as search
    from bonn_hw.api.simulation import Simulation as Simulation
    from bonn_hw.errors import UnsupportedModel as UnsupportedModel
    from bonn_hw.errors import UserError as UserError

    __version__: str

# The public names and where they are: a name is imported when it is used.
_HOMES = {
    "Build": "bonn_hw.api.build",
    "Model": "bonn_hw.api.model",
    "Simulation": "bonn_hw.api.simulation",
    "UnsupportedModel": "bonn_hw.errors",
    "UserError": "bonn_hw.errors",
    "export": "bonn_hw.api.exporting",
    "search": "bonn_hw.api.search",
}
__all__ = ["Build", "Model", "Simulation", "UnsupportedModel", "UserError", "export", "search"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is used; ``__version__`` may have to read git's files."""
    from importlib import import_module

    if name == "__version__":
        return import_module("bonn_hw.version").VERSION
    if name in _HOMES:
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value
    raise AttributeError(f"module 'bonn_hw' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__, "__version__"))
