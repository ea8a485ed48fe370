# SPDX-License-Identifier: BSD-3-Clause
"""Data (N, C, L): 1-D convolutions, pools, pads and products, as users of PyTorch write them."""

import numpy as np
import pytest

from tests.support.sketch import Sketch, agree, kernels


def network(pads=(1, 1)):
    """Conv1d, norm, MaxPool1d, sign, Conv1d, ReLU quantiser, as far as Flatten."""
    sketch = Sketch(2, 20, seed=3).quant(6, scale=0.25)
    sketch.conv(4, 2, (3,), pads=pads).norm(4).pool((2,), (2,)).sign()
    return sketch.conv(3, 4, (3,), strides=(2,), pads=pads).norm(3).add("Relu").quant(3, signed=0)


def test_a_network_of_conv1d_is_exact(tmp_path):
    result = agree(network().flatten().few_bit_dense(15, 4), tmp_path)
    assert kernels(result)[:3] == ["pad", "sliding_window", "mvu"]
    assert result.host.input_shape == (2, 20)
    assert result.graph.tensors["input"].shape == (20, 1, 2)


@pytest.mark.parametrize("first", [(0, 0), (2, 0), (1, 2)])
def test_pads_at_one_end(tmp_path, first):
    sketch = Sketch(3, 9, seed=5).quant(4, scale=0.5).sign().conv(4, 3, (3,), pads=first).norm(4)
    agree(sketch.sign().flatten().dense(4 * (7 + sum(first)), 3), tmp_path)


@pytest.mark.parametrize(
    ("kind", "operands", "attributes", "left"),
    [
        ("MaxPool", (), {"kernel_shape": (3,), "strides": (2,)}, 4),
        ("MaxPool", (), {"kernel_shape": (2,), "strides": (2,), "ceil_mode": 1}, 5),
        ("AveragePool", (), {"kernel_shape": (3,), "strides": (3,)}, 3),
        ("GlobalAveragePool", (), {}, 1),
        ("ReduceMean", (), {"axes": (2,), "keepdims": 1}, 1),
        ("ReduceMean", (), {"axes": (-1,), "keepdims": 0}, 1),
        ("Pad", (np.array([0, 0, 1, 0, 0, 2]), np.float32(0)), {"mode": "constant"}, 12),
        (
            "Resize",
            (np.zeros(0, np.float32), np.array([1, 1, 3], np.float32)),
            {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
            27,
        ),
    ],
)
def test_layers_over_a_length(tmp_path, kind, operands, attributes, left):
    sketch = Sketch(2, 11, seed=1).quant(4, scale=0.5).conv(3, 2, (3,)).add("Relu")
    sketch.quant(4, signed=0).add(kind, *operands, **attributes)
    if kind not in ("MaxPool", "Pad", "Resize"):
        sketch.quant(6, scale=0.25)
    agree(sketch.flatten().dense(3 * left, 2), tmp_path)


def test_an_average_of_sums_at_the_end(tmp_path):
    sketch = Sketch(2, 10, seed=2).quant(4, scale=0.5).conv(3, 2, (3,)).add("GlobalAveragePool")
    result = agree(sketch.flatten(), tmp_path)
    assert kernels(result)[-1] == "average_pool"


def test_products_over_the_channels_as_the_last_axis(tmp_path):
    """A transformer's or recurrent network's layout (N, T, C): a product for each step of time."""
    sketch = Sketch(7, 3, seed=4).quant(4, scale=0.5).dense(3, 5).add("Add", np.arange(5.0) / 4)
    sketch.constants = {k: v.astype(np.float32) for k, v in sketch.constants.items()}
    sketch.sign().dense(5, 4).sign().flatten().dense(28, 2)
    result = agree(sketch, tmp_path)
    assert result.graph.tensors["input"].shape == (7, 1, 3)


def test_a_select_before_the_quantiser(tmp_path):
    """The input is (1, C, L), of which the network takes the first image as a sequence."""
    sketch = Sketch(1, 2, 12, seed=6).add("Gather", np.array(0), axis=1).quant(4, scale=0.5)
    sketch.conv(3, 2, (3,)).sign().flatten()
    result = agree(sketch.dense(30, 2), tmp_path)
    assert result.host.input_shape == (1, 2, 12)


def test_residual_branches_of_sequences(tmp_path):
    sketch = Sketch(4, 8, seed=7).quant(6, scale=0.25)
    entry = sketch.last
    sketch.sign().conv(4, 4, (3,), pads=(1, 1)).quant(6, scale=0.25).join(entry, "sum")
    agree(sketch.quant(6, scale=0.25).flatten().few_bit_dense(32, 3), tmp_path)
