# SPDX-License-Identifier: BSD-3-Clause
"""The model with ties rounded up: from any of its tensors to any other, and on the host."""

import numpy as np
import pytest

from bonn_hw import frontend
from bonn_hw.interop.finn_ties import TiesUp, host_with_ties_up
from tests.support.finn import few_bits


@pytest.fixture(scope="module")
def lowered(tmp_path_factory):
    model = few_bits().write(tmp_path_factory.mktemp("ties"))
    return frontend.lower(frontend.read(model))


def test_only_ties_on_even_steps_differ(lowered):
    """5/2 of a step is 2 for Quant and 3 with ties up; 3/2 is 2 for both."""
    graph, frames = lowered.graph, lowered.host.random_frames(3)
    entry = lowered.host.encode(frames)
    values = {graph.input: entry, **dict(graph.walk(entry))}
    decide = next(
        node for node in graph.nodes if node.kernel.stem in ("requantize", "multi_threshold")
    )
    sums, (decided,) = values[decide.inputs[0]].astype(np.int64), decide.outputs
    ties, ours = TiesUp(lowered), values[decided]
    # Sums are steps of 1/32, outputs of 1/2: a tie is 8 of 16.
    up = np.clip((sums + 8) // 16, 0, 7)
    differs = up != ours
    assert differs.any()
    assert ((sums[differs] % 32) == 8).all()
    assert ties.equal({graph.input: entry}, decided, up)
    assert not ties.equal({graph.input: entry}, decided, ours)
    up.reshape(-1)[0] = 7 - up.reshape(-1)[0]
    assert not ties.equal({graph.input: entry}, decided, up)
    assert not ties.equal({"no such tensor": entry}, decided, ours)


def test_the_host_rounds_up_too(lowered):
    up = host_with_ties_up(lowered.host)
    ties = (np.arange(-8, 8).reshape(1, 1, 4, 4) + 0.5).astype(np.float32) / 8
    frames = np.zeros((1, 2, 6, 6), np.float32)
    frames[:, :1, :4, :4] = ties
    even, raised = (one.encode(frames).reshape(6, 6, 2)[:4, :4, 0] for one in (lowered.host, up))
    steps = np.arange(-8, 8).reshape(4, 4)
    np.testing.assert_array_equal(raised, np.minimum(steps + 1, 7))
    np.testing.assert_array_equal(even, np.minimum(steps + steps % 2, 7))
