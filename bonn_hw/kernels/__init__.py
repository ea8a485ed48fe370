# SPDX-License-Identifier: BSD-3-Clause
"""One layer type per file; the registry finds them by their stem."""

from importlib import import_module
from pkgutil import iter_modules

from bonn_hw.ir.kernel import Kernel


def kernels() -> dict[str, type[Kernel]]:
    """Return all kernel classes by stem."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    found: dict[str, type[Kernel]] = {}
    unseen = Kernel.__subclasses__()
    while unseen:
        kind = unseen.pop()
        unseen += kind.__subclasses__()
        if hasattr(kind, "stem"):
            found[kind.stem] = kind
    return dict(sorted(found.items()))
