# SPDX-License-Identifier: BSD-3-Clause
"""One wrong step in one channel is found when a model is lowered, whatever its scales are."""

from dataclasses import replace

import numpy as np
import pytest

from bonn_hw.errors import InternalError
from bonn_hw.frontend.graph_builder import GraphBuilder, Matrix
from bonn_hw.kernels.multi_threshold import MultiThreshold
from bonn_hw.kernels.requantize import Requantize
from bonn_hw.kernels.threshold import Threshold
from tests.support.learnt import NETWORKS
from tests.support.sketch import lowered

FOUND = "lowered graph differs from the model"
MIDDLE = [pytest.param(channel, marks=pytest.mark.large) for channel in (1, 2)]


def planted(kernel, channel, bits):
    """The kernel with one step too much in one channel; None if it has none.

    Sums of bits are all even or all odd: there, a threshold's step is 2.
    """
    wrong = np.zeros(kernel.outputs[0].shape[2], np.int64)
    wrong[channel % len(wrong)] = 1
    if isinstance(kernel, Requantize):
        rows = kernel.slopes.shape[0]
        step = (wrong[:rows, None] if rows > 1 else 1) << kernel.shift
        return replace(kernel, offsets=kernel.offsets + step)
    if isinstance(kernel, Threshold):
        return replace(kernel, thresholds=kernel.thresholds + wrong * (2 if bits else 1))
    if isinstance(kernel, MultiThreshold):
        return replace(kernel, thresholds=kernel.thresholds + wrong[:, None])
    return None


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("channel", [0, *MIDDLE, 3])
def test_a_step_too_much_in_a_requantizer(name, channel, tmp_path, monkeypatch):
    plain, places = GraphBuilder.add, []

    def add(self, kernel, origin, *others):
        wrong = planted(kernel, channel, name == "enlarged") if not places else None
        if wrong is not None:
            places.append(origin)
        plain(self, wrong or kernel, origin, *others)

    monkeypatch.setattr(GraphBuilder, "add", add)
    if name in ("bits",):  # neither a requantizer nor thresholds of their own
        lowered(NETWORKS[name](), tmp_path)
        assert not places
        return
    with pytest.raises(InternalError, match=FOUND):
        lowered(NETWORKS[name](), tmp_path)
    assert len(places) == 1


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("channel", [0, *MIDDLE[:1], 2])
@pytest.mark.parametrize("last", [False, True])
def test_a_step_too_much_in_a_matrix_unit(name, channel, last, tmp_path, monkeypatch):
    """Of its thresholds, or of the sums that it puts out."""
    plain, places = Matrix.unit, []

    def unit(self, thresholds):
        kernel = plain(self, thresholds)
        if last != (self.origin == "last"):
            return kernel
        places.append(self.origin)
        step = np.zeros(len(kernel.weights), np.int64)
        # Sums of n values of -1 and +1 are all even or all odd: there, a step is 2.
        step[channel] = 2
        if kernel.thresholds is None:
            return replace(kernel, offsets=kernel.offsets + step)
        return replace(kernel, thresholds=kernel.thresholds + step)

    monkeypatch.setattr(Matrix, "unit", unit)
    if not last and name in ("pools", "combined"):  # whose only matrix is the last one
        lowered(NETWORKS[name](), tmp_path)
        assert not places
        return
    with pytest.raises(InternalError, match=FOUND):
        lowered(NETWORKS[name](), tmp_path)
    assert places
