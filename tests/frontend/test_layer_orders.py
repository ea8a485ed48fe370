# SPDX-License-Identifier: BSD-3-Clause
"""Pools, pads and operators in unusual orders: what commutes is moved, what does not is refused."""

import numpy as np
import pytest

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.notes import ROUNDED
from tests.support.sketch import Sketch, agree, kernels, lowered


def images(**options):
    return Sketch(2, 8, 8, seed=1, **options).quant(8)


def scores(sketch, features):
    return sketch.flatten().dense(features, 3)


@pytest.mark.parametrize("factor", [-1.0, -0.5])
def test_a_pool_of_negated_sums_takes_their_minimum(factor, tmp_path):
    sketch = images().conv(4, 2).add("Mul", np.float32(factor)).pool().sign()
    agree(scores(sketch, 36), tmp_path)


def test_a_pool_of_negated_sums_at_the_end(tmp_path):
    assert kernels(agree(images().conv(4, 2).add("Neg").pool(), tmp_path))[-1] == "max_pool"


def test_a_pool_of_negated_input_is_refused(tmp_path):
    sketch = scores(images().add("Neg").pool(name="odd").conv(4, 2).sign(), 16)
    with pytest.raises(UnsupportedModel, match=r"^odd: pools channel 0, which falls"):
        lowered(sketch, tmp_path)


def test_two_pools_with_a_negation_between_are_refused(tmp_path):
    sketch = images().conv(4, 2).pool().add("Neg").pool(name="odd").sign()
    with pytest.raises(UnsupportedModel, match=r"^odd: pools channel"):
        lowered(scores(sketch, 4), tmp_path)


def test_a_batch_norm_before_the_pool_and_its_sign_after(tmp_path):
    agree(scores(images().conv(4, 2).norm(4).pool().sign(), 36), tmp_path)


def test_a_batch_norm_before_the_last_pool_stays_on_the_host(tmp_path):
    agree(images().conv(4, 2).norm(4).pool().flatten(), tmp_path)


@pytest.mark.parametrize("value", [0.0, 0.5, -3.0])
def test_operators_between_a_pad_and_its_sign(value, tmp_path):
    sketch = images().conv(4, 2).norm(4).pad((1, 0, 2, 1), value).sign().conv(2, 4).sign()
    agree(scores(sketch, 2 * 7 * 5), tmp_path)


def test_a_zero_between_bits_becomes_plus_one_behind_another_sign(tmp_path):
    sketch = Sketch(2, 6, 6).sign().pad((1, 1, 1, 1), 0.0).sign().conv(4, 2).sign()
    result = agree(scores(sketch, 4 * 36), tmp_path)
    assert result.graph.nodes[0].kernel.value == 1


def test_a_zero_between_bits_stays_behind_a_negation(tmp_path):
    sketch = Sketch(2, 6, 6).sign().pad((1, 1, 1, 1), 0.0).add("Neg").conv(4, 2).sign()
    result = agree(scores(sketch, 4 * 36), tmp_path)
    assert max(node.kernel.classes for node in result.graph.nodes if "mvu" in node.name) == 9


def test_a_zero_between_bits_has_no_maximum(tmp_path):
    sketch = images().conv(4, 2).sign().pad((1, 1, 1, 1), 0.0).pool(name="odd").conv(2, 4).sign()
    with pytest.raises(UnsupportedModel, match=r"^odd: its input is bits padded with zero"):
        lowered(scores(sketch, 8), tmp_path)


def test_a_pad_behind_a_strided_pool(tmp_path):
    sketch = images().pool((1, 1), (1, 2)).norm(2, 40).pad((0, 0, 0, 1), 0.0).sign()
    agree(sketch.conv(3, 2).sign().flatten().dense(3 * 6 * 3, 3), tmp_path)


def test_scales_that_round_are_told(tmp_path):
    sketch = Sketch(6).sign(0.3).dense(6, 3, name="last")
    assert lowered(sketch, tmp_path).findings == (
        "last: rounded sums could change last digits of its float outputs",
        ROUNDED,
    )


def test_an_answer_from_padding_alone_is_refused(tmp_path):
    """The RTL would give it before the image comes, once more than there are images."""
    sketch = images().sign().conv(2, 2, (1, 1), pads=[0, 1, 0, 0], strides=[2, 2])
    sketch = sketch.add("MaxPool", kernel_shape=[1, 1], strides=[5, 5])
    with pytest.raises(
        UnsupportedModel,
        match=r"^Conv_\d+: the model's output depends on the padding only",
    ):
        lowered(scores(sketch.sign(), 2), tmp_path)
