# SPDX-License-Identifier: BSD-3-Clause
"""The random stalls have the rates that they say, and those of both ends are independent."""

import numpy as np
import pytest

from bonn_hw.timing.stalls import Stalls


@pytest.mark.parametrize("seed", [0, 1, -1])
def test_rates(seed):
    stalls = Stalls.random(seed)
    offers, takes = stalls.offers.astype(bool), stalls.takes.astype(bool)
    for found, rate in ((offers, 3 / 4), (takes, 1 / 2), (offers & takes, 3 / 8)):
        assert abs(found.mean() - rate) < 4 / np.sqrt(found.size)


def test_seeds():
    assert (Stalls.random(3).offers == Stalls.random(3).offers).all()
    assert (Stalls.random(3).offers != Stalls.random(4).offers).any()
    assert Stalls.random(None).offers.all() and Stalls.random(None).takes.all()
