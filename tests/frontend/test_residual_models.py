# SPDX-License-Identifier: BSD-3-Clause
"""Residual networks: forks, sums on one grid, averages, few-bit layers; equal bit for bit."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bonn_hw.errors import UnsupportedModel
from tests.support.sketch import Sketch, agree, kernels, lowered

GRID = {"bits": 6, "scale": 0.25}


def stem(*shape, seed=0):
    """Six-bit images on the grid of the stream."""
    return Sketch(*shape, seed=seed).quant(**GRID)


def block(sketch, channels, *, slope=0.25, stride=1, outputs=None, shortcut="average"):
    """The paper's block: sign, 1-bit convolution, sum with the shortcut, activation."""
    outputs = outputs or channels
    entry = sketch.last
    sketch.norm(channels, 2.0).sign()
    sketch.conv(outputs, channels, pads=[1] * 4, strides=(stride, stride), scale=0.125)
    sketch.quant(**GRID)
    branch = sketch.last
    if stride != 1 or outputs != channels:
        sketch.last = entry
        sketch.few_bit_conv(outputs, channels, (1, 1)).norm(outputs, 2.0).quant(**GRID)
        if shortcut == "average":
            sketch.add("AveragePool", kernel_shape=(stride, stride), strides=(stride, stride))
            sketch.quant(**GRID)
        else:
            sketch.pool((stride, stride), (stride, stride))
        entry = sketch.last
    sketch.last = branch
    sketch.join(entry)
    if slope is None:
        slopes = sketch.random.normal(0, 0.5, (outputs, 1, 1)).astype(np.float32)
        sketch.add("PRelu", slopes)
    else:
        sketch.add("LeakyRelu", alpha=slope)
    return sketch.quant(**GRID)


def head(sketch, channels, classes=3):
    """Global average, features of several bits, classifier of few-bit weights."""
    sketch.add("GlobalAveragePool").flatten().quant(6, scale=0.125)
    return sketch.few_bit_dense(channels, classes)


@pytest.mark.parametrize("slope", [0.25, 0.0, 1.0, -0.5, None])
def test_blocks_with_any_slope(slope, tmp_path):
    sketch = stem(4, 6, 6)
    head(block(block(sketch, 4, slope=slope), 4, slope=slope), 4)
    result = agree(sketch, tmp_path, sketch.images(40, -9, 9, 1.0))
    assert kernels(result).count("stream_fork") == kernels(result).count("add") == 2


@pytest.mark.parametrize("shortcut", ["average", "maximum"])
@pytest.mark.parametrize("size", [(8, 8), (6, 4)])
def test_shortcuts_that_change_the_shape(shortcut, size, tmp_path):
    sketch = stem(3, *size)
    block(sketch, 3, outputs=5, stride=2, shortcut=shortcut)
    agree(head(sketch, 5), tmp_path, sketch.images(40, -9, 9, 1.0))


def test_a_first_convolution_of_few_bits(tmp_path):
    sketch = Sketch(3, 7, 7).quant(8, scale=1 / 128)
    sketch.few_bit_conv(4, 3, (3, 3), bits=8, scale=1 / 64, pads=[1] * 4).quant(**GRID)
    head(block(sketch, 4), 4)
    result = agree(sketch, tmp_path, sketch.images(40, -140, 140, 1 / 128))
    assert kernels(result)[:4] == ["pad", "sliding_window", "mvu", "requantize"]


def test_few_bit_weights_on_bits_and_before_a_sign(tmp_path):
    sketch = Sketch(4, 5, 5).sign()
    sketch.few_bit_conv(6, 4, (3, 3), pads=[1] * 4).norm(6).sign()
    sketch.flatten().few_bit_dense(150, 5)
    result = agree(sketch, tmp_path)
    assert kernels(result) == ["pad", "sliding_window", "mvu", "mvu"]


def test_three_readers_of_one_tensor_and_a_tensor_added_to_itself(tmp_path):
    sketch = stem(3, 5, 5)
    entry = sketch.last
    sketch.join(entry, "twice").quant(**GRID).join(entry).quant(**GRID)
    head(sketch, 3)
    result = agree(sketch, tmp_path, sketch.images(40, -9, 9, 1.0))
    assert kernels(result)[0] == "stream_fork"
    assert result.graph.nodes[0].kernel.copies == 3


def test_what_is_no_grid_is_forked_before_its_operators(tmp_path):
    """Two layers read a batch norm: each applies it to the integers for itself."""
    sketch = stem(4, 5, 5).norm(4, 2.0)
    entry = sketch.last
    sketch.sign().conv(4, 4, pads=[1] * 4, scale=0.125).quant(**GRID)
    branch = sketch.last
    sketch.last = entry
    sketch.quant(**GRID).join(branch).quant(**GRID)
    agree(head(sketch, 4), tmp_path, sketch.images(40, -9, 9, 1.0))


@pytest.mark.parametrize("extent", [2, 3, 5, 7])
def test_averages_round_as_the_model_does(extent, tmp_path):
    """Powers of two are shifts; others divide once, in float32."""
    sketch = stem(3, extent, extent)
    sketch.add("GlobalAveragePool").quant(6, scale=0.125).flatten().few_bit_dense(3, 2)
    agree(sketch, tmp_path, sketch.images(200, -9, 9, 0.25))


@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 1)])
def test_average_pools_that_overlap_or_leave_gaps(strides, tmp_path):
    sketch = stem(2, 7, 7)
    sketch.add("AveragePool", kernel_shape=(2, 2), strides=strides).quant(**GRID)
    agree(head(sketch, 2), tmp_path, sketch.images(40, -9, 9, 0.25))


@pytest.mark.parametrize("keepdims", [0, 1])
def test_a_mean_over_all_pixels_is_a_global_average(keepdims, tmp_path):
    sketch = stem(3, 4, 4).add("ReduceMean", axes=[2, 3], keepdims=keepdims)
    if keepdims:
        sketch.flatten()
    sketch.quant(6, scale=0.125).few_bit_dense(3, 2)
    agree(sketch, tmp_path, sketch.images(40, -9, 9, 0.25))


@pytest.mark.parametrize("value", [0.0, 0.5, -0.25])
def test_pads_between_quantisers(value, tmp_path):
    """A Pad of values that are not settled yet goes round what its place says."""
    sketch = stem(2, 4, 4).add("Mul", np.float32(3)).quant(5, scale=0.5)
    sketch.pad((1, 0, 0, 1), value if value != -0.25 else -0.5).quant(**GRID)
    sketch.norm(2, 2.0).pad((0, 1, 0, 0), value).quant(**GRID)
    sketch.few_bit_conv(3, 2).quant(**GRID).add("GlobalAveragePool").flatten()
    agree(sketch.quant(6, scale=0.125).few_bit_dense(3, 2), tmp_path, sketch.images(40, -9, 9, 1.0))


def copying(index, scale=0.25, kernels=()):
    """A block of two filters whose sums are copied, and operators before its quantiser."""
    sketch = stem(4, 5, 5)
    entry = sketch.last
    sketch.sign().conv(2, 4, pads=[1] * 4, scale=scale).add("Gather", np.array(index), axis=1)
    for kind, *operands in kernels:
        sketch.add(kind, *operands)
    return sketch.quant(**GRID).join(entry).quant(**GRID)


def test_channels_that_pruning_copies(tmp_path):
    """Two filters are computed; the copies are made of few bits, behind the quantiser."""
    sketch = copying([0, 1, 1, 0])
    graph = agree(head(sketch, 4), tmp_path, sketch.images(40, -9, 9, 1.0)).graph
    kernels = [node.kernel for node in graph.nodes]
    place = [kernel.stem for kernel in kernels].index("copy_channels")
    assert [kernel.stem for kernel in kernels[place - 2 : place]] == ["mvu", "requantize"]
    assert {kernel.outputs[0].shape[2] for kernel in kernels[place - 2 : place]} == {2}
    assert kernels[place].index.tolist() == [0, 1, 1, 0]


def test_copies_that_are_quantised_differently_are_made_before(tmp_path):
    gain = np.array([1, 0.5, -1, 2], np.float32).reshape(-1, 1, 1)
    sketch = copying([0, 1, 1, 0], kernels=[("Mul", gain)])
    graph = agree(head(sketch, 4), tmp_path, sketch.images(40, -9, 9, 1.0)).graph
    stems = [node.kernel.stem for node in graph.nodes]
    assert stems[stems.index("copy_channels") + 1] == "requantize"


@pytest.mark.parametrize("index", [[1, 0], [-1, -2]])
def test_a_permutation_of_filters_needs_no_copies(index, tmp_path):
    sketch = stem(2, 5, 5)
    entry = sketch.last
    sketch.sign().conv(2, 2, pads=[1] * 4, scale=0.25).add("Gather", np.array(index), axis=1)
    sketch.quant(**GRID).join(entry).quant(**GRID)
    graph = agree(head(sketch, 2), tmp_path, sketch.images(40, -9, 9, 1.0)).graph
    assert "copy_channels" not in [node.kernel.stem for node in graph.nodes]


def test_filters_that_no_channel_copies_are_dropped(tmp_path):
    sketch = copying([1, 1, 1, 1])
    graph = agree(head(sketch, 4), tmp_path, sketch.images(40, -9, 9, 1.0)).graph
    assert 1 in [node.kernel.outputs[0].shape[2] for node in graph.nodes]


def test_signs_of_copies_may_differ(tmp_path):
    """A threshold for each channel follows the copies."""
    sketch = stem(4, 5, 5).sign().conv(2, 4, pads=[1] * 4)
    sketch.add("Gather", np.array([0, 1, 1, 0]), axis=1).norm(4).sign().flatten().dense(100, 3)
    graph = agree(sketch, tmp_path, sketch.images(40, -9, 9, 1.0)).graph
    stems = [node.kernel.stem for node in graph.nodes]
    assert stems[stems.index("copy_channels") + 1] == "threshold"


@pytest.mark.parametrize("gain", [1.0, -1.0])
def test_copies_of_filters_that_are_pooled(gain, tmp_path):
    """Pools come before the copies, but a filter that falls is computed for each channel."""
    gains = np.array([1, gain, 1, 1], np.float32).reshape(-1, 1, 1)
    sketch = stem(4, 6, 6).sign().conv(2, 4, pads=[1] * 4)
    sketch.add("Gather", np.array([0, 1, 1, 0]), axis=1).add("Mul", gains)
    sketch.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2]).sign().flatten().dense(36, 3)
    graph = agree(sketch, tmp_path, sketch.images(40, -9, 9, 1.0)).graph
    assert ("copy_channels" in [node.kernel.stem for node in graph.nodes]) == (gain > 0)


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 2**16),
    channels=st.integers(1, 4),
    blocks=st.lists(
        st.tuples(st.sampled_from([0.25, 0.1, -1.0, None]), st.sampled_from([1, 2])),
        min_size=1,
        max_size=3,
    ),
)
def test_random_residual_networks(tmp_path, seed, channels, blocks):
    sketch, size = stem(channels, 8, 8, seed=seed), 8
    for slope, stride in blocks:
        stride = stride if size > 2 else 1
        outputs = channels + 1 if stride == 2 else channels
        block(sketch, channels, slope=slope, stride=stride, outputs=outputs)
        channels, size = outputs, size // stride
    agree(head(sketch, channels), tmp_path, sketch.images(20, -9, 9, 0.5))


def refused(sketch, folder):
    with pytest.raises(UnsupportedModel) as error:
        lowered(sketch, folder)
    return str(error.value)


def test_branches_on_different_grids_are_refused_by_name(tmp_path):
    sketch = stem(2, 4, 4)
    entry = sketch.last
    sketch.sign().conv(2, 2, pads=[1] * 4, name="conv1").quant(6, scale=0.5)
    sketch.join(entry, "sum1").quant(**GRID)
    assert refused(head(sketch, 2), tmp_path) == (
        "sum1: its branches have different scales: Quant_3 has multiples of 0.5, x of "
        "0.25; quantise both with one constant power-of-two scale, for example the same "
        "QuantIdentity before the addition"
    )


def test_a_branch_without_a_quantiser_is_refused_with_the_remedy(tmp_path):
    sketch = stem(2, 4, 4)
    entry = sketch.last
    sketch.sign().conv(2, 2, pads=[1] * 4, name="conv1").norm(2)
    text = refused(head(sketch.join(entry, "sum1").quant(**GRID), 2), tmp_path)
    assert text.startswith("sum1: its input, the activation after conv1, has ")
    assert text.endswith(
        "which are neither 1-bit nor multiples of one scale: quantise both branches with one "
        "constant power-of-two scale (QuantIdentity)"
    )


def test_branches_that_are_divided(tmp_path):
    sketch = stem(2, 4, 4)
    entry = sketch.last
    sketch.quant(bits=5, scale=0.25).join(entry, "odd", "Div").quant(**GRID)
    assert refused(head(sketch, 2), tmp_path).startswith(
        "odd: operator Div joins several computed tensors; the supported layers are Conv"
    )
