# SPDX-License-Identifier: BSD-3-Clause
"""Differences, products, maxima and minima of two branches; one pixel or channel for all."""

import numpy as np
import pytest

from bonn_hw.errors import UnsupportedModel
from bonn_hw.passes.fifo_sizing import size_fifos
from bonn_hw.passes.width_conversion import insert_width_converters
from tests.frontend.test_channels import on, start
from tests.kernels.test_stream_fork import prove_meeting
from tests.support.sketch import Sketch, agree, kernels, lowered

FUNCTIONS = ("Sub", "Mul", "Max", "Min")


def two(scales=(0.5, 0.5), bits=(4, 4), seed=0, extents=(4, 5)):
    """Two branches of three channels; bits where there are no numbers of bits."""
    sketch, entry = start(2, *extents, seed=seed)
    ends = []
    for scale, few in zip(scales, bits, strict=True):
        on(sketch, entry).conv(3, 2, (1,) * len(extents)).norm(3, 2)
        sketch.quant(few, scale=scale) if few else sketch.sign(scale)
        ends.append(sketch.last)
    return on(sketch, ends[0]), ends[1]


def classified(sketch, size):
    return sketch.flatten().few_bit_dense(size, 3)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("scales", "bits"), [((0.5, 0.5), (4, 3)), ((0.7, 0.7), (0, 2))])
def test_two_branches(function, scales, bits, tmp_path):
    sketch, other = two(scales, bits)
    sketch.join(other, "both", function).norm(3, 1).quant(4, scale=0.5)
    agree(classified(sketch, 60), tmp_path, sketch.images(30, -9, 9))


@pytest.mark.parametrize(("scales", "bits"), [((0.5, 0.3), (4, 3)), ((1.0, 1.0), (0, 0))])
def test_products_of_two_scales_and_of_bits(scales, bits, tmp_path):
    sketch, other = two(scales, bits)
    sketch.join(other, "product", "Mul").quant(5, scale=0.21)
    agree(classified(sketch, 60), tmp_path, sketch.images(30, -9, 9))


def test_branches_of_sequences_and_absolute_differences(tmp_path):
    sketch, other = two(extents=(7,))
    sketch.join(other, "difference", "Sub").add("Abs").quant(4, scale=0.5, signed=0)
    agree(classified(sketch, 21), tmp_path, sketch.images(30, -9, 9))


def test_a_square_has_one_branch_twice(tmp_path):
    sketch, _ = start(3, 4, 4)
    sketch.conv(3, 3, (1, 1)).quant(3)
    sketch.join(sketch.last, "square", "Mul").quant(5, signed=0)
    agree(classified(sketch, 48), tmp_path, sketch.images(30, -9, 9))


def test_a_maximum_of_three_branches(tmp_path):
    sketch, entry = start(2, 4, 5)
    ends = [on(sketch, entry).conv(3, 2, (1, 1)).quant(4, scale=0.5).last for _ in range(3)]
    sketch._behind("Max", ends, "most")
    agree(classified(sketch, 60), tmp_path, sketch.images(30, -9, 9))


def excited(bits=4, extents=(4, 5), kind="Mul"):
    """Squeeze-and-excite: a frame times a weight for each channel, from the averages."""
    sketch, _ = start(2, *extents)
    sketch.conv(3, 2, (1, 1)).norm(3, 2).quant(bits, scale=0.5)
    frame = sketch.last
    sketch.add("GlobalAveragePool").quant(5, scale=0.125).conv(2, 3, (1, 1)).add("Relu")
    sketch.quant(4, signed=0, scale=0.25).conv(3, 2, (1, 1)).add("HardSigmoid", alpha=1 / 6)
    sketch.quant(3, signed=0, scale=0.5 if kind != "Mul" else 0.125)
    gate = sketch.last
    return on(sketch, frame)._behind(kind, [frame, gate], "gate")


@pytest.mark.parametrize("kind", ["Mul", "Add"])
def test_squeeze_and_excite(kind, tmp_path):
    sketch = excited(kind=kind).quant(4, scale=0.5)
    result = agree(classified(sketch, 60), tmp_path, sketch.images(30, -9, 9))
    assert "upsample" in kernels(result)


@pytest.mark.rtl
def test_squeeze_and_excite_in_rtl(tmp_path):
    """The frame waits in a queue until its averages are known."""
    sketch = excited().quant(4, scale=0.5)
    graph = lowered(classified(sketch, 60), tmp_path).graph
    foldings = {node.name: next(iter(node.kernel.foldings())) for node in graph.nodes}
    design = size_fifos(insert_width_converters(graph, foldings))
    (waiting,) = [
        stage.node.kernel
        for stage in design.stages
        if stage.node.kernel.stem == "fifo" and stage.node.kernel.depth >= 60
    ]
    prove_meeting(design, tmp_path)
    assert waiting.input.size == 60


def test_one_channel_for_all(tmp_path):
    """Spatial attention: a map of one channel."""
    sketch, entry = start(3, 4, 4)
    sketch.conv(1, 3, pads=[1] * 4).norm(1, 2).quant(2, signed=0, scale=0.5)
    sketch._behind("Mul", [sketch.last, entry], "gate").quant(4)
    agree(classified(sketch, 48), tmp_path, sketch.images(30, -9, 9))


@pytest.mark.parametrize(
    ("function", "scales", "message"),
    [
        (
            "Max",
            (0.5, 0.25),
            "both: its branches have different scales: {0} has multiples of 0.5, {1} of 0.25; "
            "quantise both with one constant power-of-two scale, for example the same "
            "QuantIdentity before the maximum",
        ),
    ],
)
def test_branches_of_two_scales_are_refused(function, scales, message, tmp_path):
    sketch, other = two(scales)
    names = sketch.nodes[-1], next(n for n in sketch.nodes if sketch.last in n.output)
    sketch.join(other, "both", function)
    with pytest.raises(UnsupportedModel) as error:
        lowered(classified(sketch.quant(4), 60), tmp_path)
    expected = message.format(names[1].name, names[0].name)
    assert str(error.value) == expected


def test_shapes_that_do_not_fit_are_refused(tmp_path):
    sketch, entry = start(2, 4, 1)
    wide = sketch.conv(2, 2, (1, 1)).quant(4).last
    on(sketch, entry).conv(2, 2, (4, 1), strides=[1, 1]).quant(4)
    sketch.join(wide, "fine", "Sub").quant(4)
    agree(classified(sketch, 8), tmp_path, sketch.images(10, -9, 9))
    sketch, entry = start(2, 4, 4)
    wide = sketch.conv(2, 2, (1, 1)).quant(4).last
    on(sketch, entry).conv(2, 2, (4, 1)).quant(4)
    row = sketch.last
    sketch = on(sketch, wide).join(row, "rows", "Sub").quant(4)
    with pytest.raises(UnsupportedModel) as error:
        lowered(classified(sketch, 32), tmp_path)
    assert "of shape (2, 4, 4) and" in str(error.value)
    assert str(error.value).endswith("of one shape or one pixel or channel, are combined")


def test_products_that_float32_does_not_hold(tmp_path):
    sketch, entry = start(2, 4, 5, bits=13)
    other = sketch.conv(2, 2, (1, 1)).quant(14).last
    on(sketch, entry).conv(2, 2, (1, 1)).quant(14).join(other, "product", "Mul").quant(8)
    with pytest.raises(UnsupportedModel) as error:
        lowered(classified(sketch, 40), tmp_path)
    assert str(error.value).startswith("product: its products reach ")
    assert str(error.value).endswith("quantise to fewer bits before")


def test_a_maximum_of_branches_and_a_constant_is_refused(tmp_path):
    sketch, other = two()
    sketch.join(other, "most", "Max")
    sketch.nodes[-1].input.append(sketch.constant(np.float32(0)))
    with pytest.raises(UnsupportedModel) as error:
        lowered(classified(sketch.quant(4), 60), tmp_path)
    assert str(error.value) == (
        "most: a Max of several branches and constants is not supported; write it as two operators"
    )


def test_a_chain_without_branches_keeps_its_constants(tmp_path):
    sketch = Sketch(2, 4, 4).quant(4).conv(3, 2, (1, 1)).add("Max", np.float32(-1))
    sketch.add("Min", np.float32(5)).add("Sub", np.float32(1)).add("Mul", np.float32(0.5)).quant(4)
    assert "combine" not in kernels(agree(classified(sketch, 48), tmp_path))
