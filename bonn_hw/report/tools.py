# SPDX-License-Identifier: BSD-3-Clause
"""Versions of the packages that a build depends on."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata

from bonn_hw.version import VERSION

PACKAGES = ("numpy", "onnx", "onnxruntime", "qonnx", "torch", "brevitas")


def versions() -> dict[str, str]:
    """Versions by package name; packages that are not installed are left out."""
    installed = {"bonn_hw": VERSION, "python": platform.python_version()}
    for name in PACKAGES:
        found = _version(name)
        if found is not None:
            installed[name] = found
    return installed


@cache
def _version(name: str) -> str | None:
    """Read once: a package's metadata holds its whole README."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
