# SPDX-License-Identifier: BSD-3-Clause
"""Random networks: gates and Verilator are equal, cycle by cycle.

``python -m benchmarks.agreement`` runs more of them, and the networks of the zoo.
"""

import pytest

from tests.support.agreement import random_network_agrees

pytestmark = [pytest.mark.rtl, pytest.mark.large]


def test_random_networks():
    found = set(map(random_network_agrees, range(8))) - {None}
    assert len(found) > 3  # that differ
