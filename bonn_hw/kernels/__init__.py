# SPDX-License-Identifier: BSD-3-Clause
"""One kernel per file; `kernels` finds them by their stem."""

from importlib import import_module
from pkgutil import iter_modules

from bonn_hw.ir.kernel import Kernel


def kernels() -> dict[str, type[Kernel]]:
    """Return all kernel classes by stem."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    by_stem: dict[str, type[Kernel]] = {}
    unseen = Kernel.__subclasses__()
    while unseen:
        kind = unseen.pop()
        unseen += kind.__subclasses__()
        if hasattr(kind, "stem"):
            by_stem[kind.stem] = kind
    return dict(sorted(by_stem.items()))
