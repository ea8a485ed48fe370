# SPDX-License-Identifier: BSD-3-Clause
"""Networks, data, training and export: the only package that imports torch and Brevitas.

Neither is imported here, so that ``from bonn_hw.nn import data`` works without torch; the names of
`__all__` are loaded when they are used.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

# Brevitas warns at every import that this package is missing; 1-bit networks do not need it.
warnings.filterwarnings("ignore", message="fast_hadamard_transform")

_HOME = {"BayesianLosses": "models.bayesian", "BayesianWeight": "models.quantizers"}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
