# SPDX-License-Identifier: BSD-3-Clause
"""Bayesian optimised 1-bit CNNs, from PyTorch training to streaming XNOR-popcount accelerators."""

__version__ = "0.1.0"
