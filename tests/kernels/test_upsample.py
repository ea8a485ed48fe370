# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from bonn_hw import frontend, pipeline, verification
from bonn_hw.boards import board
from bonn_hw.errors import UnsupportedModel
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.upsample import Upsample
from tests.support.bench import prove
from tests.support.grids import Grid, Point, even, signed, unsigned
from tests.support.sketch import Sketch, agree, kernels, lowered

BITS = TensorType((4, 4, 6), BIPOLAR)
EXAMPLES = [Upsample(BITS, (2, 3)), Upsample(BITS, (1, 2)), Upsample(BITS, (1, 1))]
ILLEGAL = [{"KX": 0}, {"DEPTH": 3}, {"DEPTH": 1}]


def points() -> Iterator[Point]:
    """Small and large rows; rows or columns alone, and both."""
    shapes = ((4, 4, 8), (8, 8, 64), (28, 28, 16), (5, 7, 64), (3, 1, 4))
    elements, factors = (BIPOLAR, signed(4), unsigned(8)), ((2, 2), (1, 2), (2, 1), (3, 4))
    for shape, element, factor in product(shapes, elements, factors):
        for lanes in sorted({1, shape[2] // 4, shape[2]}):
            yield Upsample(TensorType(shape, element), factor), even(lanes)


GRID = Grid(points, step=17)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("shape", "element", "factors", "lanes"),
    [
        ((3, 5, 4), BIPOLAR, (2, 2), 2),
        ((2, 3, 6), Element(-128, 127), (1, 3), 2),  # a ring of a pixel that is not a power of two
        ((3, 2, 3), Element(0, 5), (4, 1), 1),
        ((2, 1, 1), BIPOLAR, (2, 2), 1),
        ((1, 4, 2), BIPOLAR, (1, 1), 1),
    ],
)
def test_rtl(shape, element, factors, lanes, tmp_path):
    prove(Upsample(TensorType(shape, element), factors), Folding(lanes, lanes), tmp_path)


def test_reference_repeats_pixels():
    kernel = Upsample(TensorType((1, 2, 1), Element(0, 9)), (2, 2))
    (large,) = kernel.reference(np.array([[[[3], [4]]]]))
    assert large[0, ..., 0].tolist() == [[3, 3, 4, 4], [3, 3, 4, 4]]


def test_a_factor_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"factors must be positive, not \(0, 1\)"):
        Upsample(TensorType((1, 1, 1), BIPOLAR), (0, 1))


# From a model file.

NONE = np.zeros(0, np.float32)
FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def scaled(*factors):
    return [NONE, np.array([1, 1, *factors], np.float32)]


def sized(*sizes):
    return [NONE, NONE, np.array(sizes, np.int64)]


def stem(opset=17):
    sketch = Sketch(2, 3, 5, seed=4, opset=opset).quant(4).conv(3, 2, pads=[1] * 4, name="first")
    return sketch.norm(3).sign()


def ended(sketch, pixels):
    return sketch.conv(2, 3, name="second").sign().flatten().dense(2 * pixels, 3, name="last")


@pytest.mark.parametrize(
    ("kind", "operands", "given", "opset"),
    [
        ("Resize", scaled(2, 3), FLOOR, 17),
        ("Resize", scaled(2, 3), {}, 17),  # half pixels, rounded: what ONNX has by default
        ("Resize", sized(1, 3, 6, 15), FLOOR, 13),
        ("Resize", sized(6, 15), {**FLOOR, "axes": [2, 3]}, 18),
        (
            "Resize",
            scaled(2, 3),
            {
                "coordinate_transformation_mode": "pytorch_half_pixel",
                "nearest_mode": "round_prefer_ceil",
            },
            17,
        ),
        ("Resize", scaled(2, 3)[1:], {}, 10),
        ("Upsample", scaled(2, 3)[1:], {}, 9),
    ],
)
def test_models_that_repeat_pixels(kind, operands, given, opset, tmp_path):
    sketch = stem(opset).add(kind, *operands, name="up", mode="nearest", **given)
    model = frontend.read(ended(sketch, 4 * 13).write(tmp_path))
    result = frontend.lower(model)
    assert kernels(result).count("upsample") == 1
    frames = sketch.images(5, -9, 9)
    answer = result.host.decode(result.graph.run(result.host.encode(frames)))
    np.testing.assert_array_equal(answer, model.run(frames))


def test_integers_as_qonnx_has_it(tmp_path):
    sketch = Sketch(2, 3, 5, seed=4).quant(4).add("Resize", *scaled(2, 2), name="up", **FLOOR)
    result = agree(sketch.conv(3, 2).sign().flatten().dense(96, 3), tmp_path)
    assert kernels(result)[0] == "upsample"


@pytest.mark.parametrize(
    ("operands", "given", "text"),
    [
        (
            scaled(2, 3),
            {"mode": "linear"},
            "up: resizes with mode linear, which does not just repeat pixels; use nearest",
        ),
        (
            scaled(3, 3),
            {"coordinate_transformation_mode": "align_corners"},
            "up: resizes with coordinate_transformation_mode align_corners, which does not just",
        ),
        (
            scaled(3, 3),
            {"coordinate_transformation_mode": "asymmetric"},
            "up: resizes with nearest_mode round_prefer_floor at asymmetric coordinates, which "
            "does not just repeat pixels; use floor there",
        ),
        (
            scaled(2, 3),
            {"nearest_mode": "floor"},
            "up: resizes with nearest_mode floor at half_pixel coordinates, which does not just "
            "repeat pixels; use round_prefer_floor or round_prefer_ceil there",
        ),
        (
            scaled(2.5, 2),
            FLOOR,
            "up: resizes (3, 3, 5) (channels, height, width) to (3, 7, 10) with scales "
            "[1.0, 1.0, 2.5, 2.0], which does not just repeat pixels; use nearest neighbours at "
            "whole factors (torch.nn.Upsample(scale_factor=2)) and leave batch and channels alone",
        ),
        (scaled(2.1, 2), FLOOR, "up: resizes (3, 3, 5) (channels, height, width) to (3, 6, 10)"),
        ([NONE, np.array([1, 2, 1, 1], np.float32)], FLOOR, "up: resizes (3, 3, 5) "),
        (sized(1, 3, 4, 5), FLOOR, "up: resizes (3, 3, 5) "),
    ],
)
def test_what_does_not_repeat_pixels_is_refused(operands, given, text, tmp_path):
    sketch = stem().add("Resize", *operands, name="up", **given)
    # Behind the last matrix layer the host runs it.
    with pytest.raises(UnsupportedModel) as error:
        lowered(sketch.add("ReduceMax", axes=(1, 2, 3)).sign().flatten().dense(1, 2), tmp_path)
    assert str(error.value).startswith(text)


@pytest.mark.rtl
def test_from_qonnx_to_rtl_under_stalls(tmp_path):
    sketch = stem().add("Resize", *scaled(2, 2), name="up", mode="nearest", **FLOOR)
    model = ended(sketch, 4 * 8).write(tmp_path)
    target = pipeline.Target(board("pynq-z2"), 100.0, 100e6 / 500)
    pipeline.compile_model(model, target, tmp_path / "build")
    build = pipeline.Build.load(tmp_path / "build")
    frames = sketch.images(6, -9, 9)
    for stall in (None, 1):
        answers = verification.simulate(build, frames, stall=stall)
        np.testing.assert_array_equal(answers.rtl, answers.integer)
        np.testing.assert_array_equal(answers.y, answers.qonnx)
    assert any(stage.name == "upsample_0" for stage in build.design.stages)
