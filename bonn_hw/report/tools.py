# SPDX-License-Identifier: BSD-3-Clause
"""Versions of what takes part in a build."""

from __future__ import annotations

import platform
from importlib import metadata

import bonn_hw

PACKAGES = ("numpy", "onnx", "onnxruntime", "qonnx", "torch", "brevitas")


def versions() -> dict[str, str]:
    """Versions by package name; what is not installed is not there."""
    found = {"bonn_hw": bonn_hw.__version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
