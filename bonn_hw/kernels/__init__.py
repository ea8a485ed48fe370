# SPDX-License-Identifier: BSD-3-Clause
"""One layer type a file; the registry finds them by their stem."""

from importlib import import_module
from pkgutil import iter_modules

from bonn_hw.kernels.kernel import Kernel


def kernels() -> dict[str, type[Kernel]]:
    """Return all kernel classes by stem."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return {kind.stem: kind for kind in _leaves(Kernel)}


def _leaves(kind: type[Kernel]) -> list[type[Kernel]]:
    below = kind.__subclasses__()
    return [leaf for sub in below for leaf in _leaves(sub)] if below else [kind]
