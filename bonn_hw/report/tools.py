# SPDX-License-Identifier: BSD-3-Clause
"""Versions of the packages that a build depends on."""

from __future__ import annotations

import platform
from importlib import metadata

from bonn_hw.version import VERSION

PACKAGES = ("numpy", "onnx", "onnxruntime", "qonnx", "torch", "brevitas")


def versions() -> dict[str, str]:
    """Versions by package name; packages that are not installed are left out."""
    installed = {"bonn_hw": VERSION, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed
