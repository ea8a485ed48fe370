# SPDX-License-Identifier: BSD-3-Clause
"""What a test does where a tool is missing."""

import os

import pytest


def absent(what: str) -> None:
    """Skip on a user's machine; in CI a missing tool is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and CI must have it")
    pytest.skip(f"{what} is not on this machine")
