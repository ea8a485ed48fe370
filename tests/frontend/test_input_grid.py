# SPDX-License-Identifier: BSD-3-Clause
"""Inputs without a quantiser: grids that are stated, annotations, and affine steps behind them."""

import numpy as np
import pytest

from bonn_hw import frontend
from bonn_hw.build_folder import Build
from bonn_hw.cli.main import main
from bonn_hw.errors import UnsupportedModel, UserError
from bonn_hw.frontend import StatedGrid
from bonn_hw.frontend.input_grid import affine_grid
from tests.support.sketch import Sketch, by_qonnx

F = np.float32
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 3, 5, 5)).astype(F)


def network(sketch):
    return sketch.conv(4, 3, pads=[1] * 4).norm(4, spread=1.0).sign().flatten().dense(100, 3)


def plain():
    """A network whose input has no quantiser."""
    return network(Sketch(3, 5, 5, seed=1))


def lowered(sketch, folder, text=None):
    grid = None if text is None else StatedGrid.parse(text)
    return frontend.lower(frontend.read(sketch.write(folder), grid=grid))


def exact(result, sketch, frames):
    """The integer graph equals the reference, and here qonnx too."""
    got = result.host.decode(result.graph.run(result.host.encode(frames)))
    np.testing.assert_array_equal(got, result.reference.run(frames))
    np.testing.assert_array_equal(got, by_qonnx(sketch.proto(), frames))


@pytest.mark.parametrize(
    ("text", "low", "high", "scale"),
    [
        ("uint8/256", 0, 255, 1 / 256),
        ("uint8/255", 0, 255, float(F(1) / F(255))),
        ("int8", -128, 127, 1),
        ("int4*0.125", -8, 7, 0.125),
        (" UINT2*1e-2", 0, 3, 0.01),
    ],
)
def test_forms_of_a_grid(text, low, high, scale):
    grid = StatedGrid.parse(text)
    assert (grid.low, grid.high, grid.scale) == (low, high, scale)


@pytest.mark.parametrize("text", ["", "float", "uint8/0", "uint99", "int1", "uint8/", "uint8*-1"])
def test_other_texts_are_no_grid(text):
    with pytest.raises(UserError, match="is no grid: give an integer type of up to 24 bits"):
        StatedGrid.parse(text)


@pytest.mark.parametrize("text", ["uint8/256", "uint8/255"])
def test_a_stated_grid(tmp_path, text):
    result = lowered(plain(), tmp_path, text)
    divisor = F(text.split("/")[1])
    exact(result, plain(), PIXELS / divisor)
    assert result.graph.tensors["input"].element.bits == 8
    with pytest.raises(UserError, match=f"frame 1 has the value 0.3, and the input is .* {text}"):
        frames = PIXELS / divisor
        frames[1, 0, 0, 0] = 0.3
        result.host.encode(frames)
    with pytest.raises(UserError, match="the input is stated as"):
        result.host.encode(PIXELS / divisor * 2)


def test_the_stated_grid_is_kept_with_the_host(tmp_path):
    host = lowered(plain(), tmp_path, "int8*0.5").host
    host.save(tmp_path)
    assert type(host).load(tmp_path).stated == StatedGrid("int8*0.5", -128, 127, 0.5, by_user=True)


def test_the_refusal_names_a_remedy_that_works(tmp_path, capsys):
    path = str(plain().write(tmp_path))
    assert main(["check", path]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "state the values of the input, for example with --input uint8/255" in told
    assert main(["check", path, "--input", "uint8/255"]) == 0


def test_a_model_with_a_quantiser_takes_no_grid(tmp_path):
    sketch = network(Sketch(3, 5, 5).quant(8))
    with pytest.raises(
        UserError, match="quantises its input itself, in Quant_0: leave --input out"
    ):
        lowered(sketch, tmp_path, "uint8")


def steps(*operators):
    sketch = Sketch(3, 5, 5, seed=2)
    sketch.annotation = "UINT8"
    for kind, value in operators:
        sketch.add(kind, np.asarray(value, F))
    return sketch


COLOURS = np.array([0.5, 0.25, 0.75]).reshape(3, 1, 1)


@pytest.mark.parametrize(
    ("operators", "bits"),
    [
        ([("Div", 255)], 8),
        ([("Div", 255), ("Sub", 0.5), ("Div", 0.5)], 9),
        ([("Div", 255), ("Sub", COLOURS), ("Div", 0.25)], 11),
        ([("Div", 255), ("Sub", 0.1307), ("Div", 0.3081)], 16),
        ([("Div", 256), ("Mul", 2), ("Sub", 1)], 8),
        ([("Div", -255)], 9),
    ],
)
def test_affine_steps_behind_an_annotation(tmp_path, operators, bits):
    sketch = network(steps(*operators))
    result = lowered(sketch, tmp_path)
    exact(result, sketch, PIXELS)
    assert result.graph.tensors["input"].element.bits == bits
    with pytest.raises(UserError, match="give whole numbers"):
        result.host.encode(PIXELS + F(0.5))


def test_steps_behind_bits(tmp_path):
    """FINN's UNSW-NB15 network takes bits, and maps -1 and +1 to 0 and 1."""
    sketch = Sketch(8, seed=3).sign().add("Add", F(1)).add("Div", F(2))
    sketch.few_bit_dense(8, 5).sign().dense(5, 2)
    result = lowered(sketch, tmp_path)
    assert result.graph.tensors["input"].element.bits == 1
    exact(result, sketch, sketch.images())


def test_a_deviation_by_colour_is_refused(tmp_path):
    sketch = network(steps(("Div", 255), ("Div", COLOURS + 0.013)))
    with pytest.raises(UnsupportedModel, match="use a quantiser before this layer"):
        lowered(sketch, tmp_path)


def test_grids_of_values():
    numbers = np.arange(256, dtype=F)[:, None]
    grid = affine_grid(numbers / F(255))
    assert (grid.scale, grid.low, grid.high) == (F(1) / F(255), 0, 255)
    assert affine_grid(numbers**2) is None  # not affine
    assert affine_grid(np.zeros((4, 2), F)) is None
    assert affine_grid(numbers + F(np.pi) * 1000) is None  # more than 16 bits


def test_random_frames_of_a_build_are_values_of_its_input(tmp_path):
    """The accelerator takes 0 and 1 here, and the model -1 and 1."""
    sketch = network(steps(("Add", 1.0), ("Mul", 0.5)))
    sketch.annotation = "BIPOLAR"
    out = tmp_path / "build"
    assert main(["compile", str(sketch.write(tmp_path)), "--fps", "1000", "--out", str(out)]) == 0
    build = Build.load(out)
    frames = build.random_frames(5)
    assert set(np.unique(frames)) == {-1, 1}
    assert set(np.unique(build.host.encode(frames))) == {0, 1}
