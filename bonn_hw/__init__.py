# SPDX-License-Identifier: BSD-3-Clause
"""Bayesian optimised 1-bit CNNs, from PyTorch training to streaming XNOR-popcount accelerators."""


def __getattr__(name: str) -> str:
    """``__version__``, when it is asked for: git may have to tell."""
    if name == "__version__":
        from bonn_hw.version import VERSION

        return VERSION
    raise AttributeError(f"module 'bonn_hw' has no attribute {name!r}")
