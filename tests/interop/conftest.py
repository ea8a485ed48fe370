# SPDX-License-Identifier: BSD-3-Clause
"""One process of FINN's environment for all tests here: its imports take seconds."""

import pytest

from bonn_hw.interop import finn_environment


@pytest.fixture(autouse=True, scope="session")
def one_process_of_finn():
    with finn_environment.session():
        yield
