# SPDX-License-Identifier: BSD-3-Clause
"""Bayesian optimised 1-bit CNNs, from PyTorch training to streaming XNOR-popcount accelerators."""


def __getattr__(name: str) -> str:
    """Compute ``__version__`` only when it is used: it may have to read git's files."""
    if name == "__version__":
        from bonn_hw.version import VERSION

        return VERSION
    raise AttributeError(f"module 'bonn_hw' has no attribute {name!r}")
