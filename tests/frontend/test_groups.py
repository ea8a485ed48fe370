# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions in groups and with dilation: depthwise ones have a kernel, the others zeros."""

import numpy as np
import pytest

from bonn_hw import frontend, pipeline, verification
from bonn_hw.boards import board
from bonn_hw.errors import UnsupportedModel
from tests.support.sketch import Sketch, agree, lowered


def begun(bits, channels=4):
    """An image of six by six pixels, of few bits or of bits."""
    sketch = Sketch(channels, 6, 6)
    return sketch.quant(bits, scale=0.5) if bits else sketch.sign()


def convolved(sketch, outputs, own, few=0, kernel=(3, 3), **attributes):
    if few:
        return sketch.few_bit_conv(outputs, own, kernel, bits=few, **attributes)
    return sketch.conv(outputs, own, kernel, **attributes)


@pytest.mark.parametrize(
    ("bits", "few", "multiples", "pads"),
    [
        (0, 0, 1, [0] * 4),
        (0, 0, 2, [1] * 4),
        (0, 4, 1, [1] * 4),
        (4, 0, 2, [1] * 4),
        (4, 4, 1, [0] * 4),
        (4, 4, 2, [1] * 4),
    ],
)
def test_depthwise(bits, few, multiples, pads, tmp_path):
    sketch = begun(bits)
    convolved(sketch, 4 * multiples, 1, few, group=4, pads=pads)
    sketch.norm(4 * multiples).quant(3, scale=0.5)
    pixels = 36 if any(pads) else 16
    sketch.flatten().dense(4 * multiples * pixels, 3)
    graph = agree(sketch, tmp_path, sketch.images(20, -9, 9, 0.5)).graph
    assert "depthwise" in [node.kernel.stem for node in graph.nodes]


def separable():
    """Blocks of a depthwise and a pointwise convolution, as in MobileNet: of bits, of few bits."""
    sketch = begun(0)
    convolved(sketch, 4, 1, group=4, pads=[1] * 4, strides=[2, 2])
    sketch.norm(4).sign().conv(6, 4, (1, 1)).norm(6).quant(4, scale=0.5)
    convolved(sketch, 6, 1, 4, group=6, pads=[1] * 4)
    return sketch.norm(6).sign().flatten().dense(54, 3)


def test_separable_blocks(tmp_path):
    sketch = separable()
    agree(sketch, tmp_path, sketch.images(20, -9, 9, 0.5))


@pytest.mark.rtl
def test_separable_blocks_in_rtl(tmp_path):
    sketch = separable()
    target = pipeline.Target(board("pynq-z2"), 100.0, 500_000.0)
    report = pipeline.compile_model(sketch.write(tmp_path), target, tmp_path / "build")
    build = pipeline.Build.load(tmp_path / "build")
    images = sketch.images(12, -9, 9, 0.5)
    for stall in (None, 1):
        answers = verification.simulate(build, images, stall=stall)
        np.testing.assert_array_equal(answers.rtl, answers.integer)
        np.testing.assert_array_equal(answers.y, answers.qonnx)
        if stall is None:
            assert answers.run.interval == report.cycles_per_frame.predicted


@pytest.mark.parametrize("bits", [0, 3])
def test_a_few_groups(bits, tmp_path):
    sketch = begun(bits)
    convolved(sketch, 6, 2, group=2, pads=[1] * 4)
    sketch.norm(6).sign().flatten().dense(216, 3)
    agree(sketch, tmp_path, sketch.images(20, -9, 9, 0.5))


@pytest.mark.parametrize(("group", "own"), [(1, 4), (4, 1)])
@pytest.mark.parametrize("bits", [0, 3])
def test_dilation(bits, group, own, tmp_path):
    sketch = begun(bits)
    convolved(sketch, 4, own, group=group, dilations=[2, 1], pads=[2, 1, 2, 1])
    sketch.norm(4).sign().flatten().dense(144, 3)
    agree(sketch, tmp_path, sketch.images(20, -9, 9, 0.5))


def test_a_kernel_that_is_too_large_with_its_dilation(tmp_path):
    sketch = begun(0)
    convolved(sketch, 4, 4, dilations=[16, 1], pads=[16] * 4)
    with pytest.raises(UnsupportedModel) as error:
        lowered(sketch, tmp_path)
    assert str(error.value).endswith(
        "a kernel of 33x3, dilation included, is too large; at most 31x31"
    )


def test_ties_of_depthwise_sums_are_reported(tmp_path):
    """Sums of 0.3 times 0.4: the model rounds them, and zero falls to either side."""
    sketch = Sketch(4, 5, 5).sign(0.3).conv(4, 1, (2, 2), "deep", scale=0.4, group=4).sign()
    path = sketch.flatten().dense(4 * 4 * 4, 3).write(tmp_path)
    notes = frontend.lower(frontend.read(path)).notes
    assert [(note.layer, note.kind, note.channels) for note in notes] == [
        ("deep", "rounding", (0, 1, 2, 3))
    ]
