# SPDX-License-Identifier: BSD-3-Clause
"""What ONNX Runtime's own rounding changes is told from what nothing explains."""

from dataclasses import replace

import numpy as np
import pytest

from bonn_hw import frontend
from bonn_hw.frontend import Step, compare
from tests.support.sketch import Sketch


@pytest.fixture(scope="module")
def rounded(tmp_path_factory):
    """A network whose hidden sums of zero are ties: the model, its reference, and frames."""
    sketch = Sketch(10).sign().dense(10, 40, name="hidden", scale=0.1).sign()
    sketch.dense(40, 3, name="last", scale=0.3)
    model = frontend.read(sketch.write(tmp_path_factory.mktemp("rounded")))
    frames = sketch.random.choice(np.array([-1, 1], np.float32), (200, 10))
    return model, frontend.lower(model).reference, frames


def compared(rounded, plain=None):
    model, reference, frames = rounded
    plain = model.run(frames) if plain is None else plain
    return compare(model, reference, frames, reference.run(frames), plain)


def test_steps_at_a_threshold_are_found_with_their_place(rounded):
    model, reference, frames = rounded
    found = compared(rounded)
    assert not found.unexplained.any() and found.other_decisions.any()
    names = [one.tensor for one in reference.integers]
    ours, plain = reference.tensors(frames, names), model.tensors(frames, names)
    (activation,) = (one.tensor for one in reference.integers if one.layer == "hidden")
    differs = (ours[activation] > 0) != (plain[activation] > 0)
    first = int(np.flatnonzero(found.other_decisions)[0])
    assert found.steps[0] == Step(first, "hidden", int(np.argmax(differs[first])))
    # The bits of the other frames are the same: only last digits can differ there.
    assert not (differs.any(axis=1) & ~found.other_decisions & found.last_place).any()
    assert found.last_place.any() and 0 < found.largest_ulp < 16
    assert not (found.last_place & found.other_decisions).any()


@pytest.mark.parametrize(("scale", "layers"), [(1.0, ["hidden", "last"]), (0.3, ["hidden"])])
def test_sums_that_the_file_rounds_are_no_decisions(scale, layers, tmp_path):
    sketch = Sketch(6).quant(3, scale=0.5).dense(6, 4, "hidden").sign().dense(4, 3, "last", scale)
    lowered = frontend.lower(frontend.read(sketch.write(tmp_path)))
    assert [one.layer for one in lowered.reference.integers][-len(layers) :] == layers


def test_equal_answers(rounded):
    _, reference, frames = rounded
    found = compared(rounded, reference.run(frames))
    assert not (found.last_place | found.other_decisions | found.unexplained).any()
    assert (found.largest_ulp, found.steps) == (0.0, ())


def test_a_sum_beyond_rounding_is_a_mismatch(rounded):
    model, reference, frames = rounded
    last = reference.sums[-1]
    assert last.layer == "last"
    strict = replace(last, bound=(0.0,) * 3)
    found = compared((model, replace(reference, sums=(*reference.sums[:-1], strict)), frames))
    assert found.unexplained.any() and not (found.unexplained & found.last_place).any()
    assert not any(found.unexplained[step.frame] for step in found.steps)


def test_a_reference_with_another_bias_is_a_mismatch(tmp_path):
    sketch = (
        Sketch(8)
        .quant(4, scale=0.1)
        .add("Gemm", Sketch(8).signs(8, 3) * np.float32(0.3), np.zeros(3, np.float32), name="last")
    )
    model = frontend.read(sketch.write(tmp_path))
    reference = frontend.lower(model).reference
    (bias,) = (one for one in reference.part.proto.graph.initializer if one.name == "last/bias")
    bias.raw_data = np.array([0, 0.03, 0], np.float32).tobytes()  # one step of the sum
    frames = sketch.images(10, -8, 8, 0.1)
    found = compare(model, reference, frames, reference.run(frames), model.run(frames))
    assert found.unexplained.all()


def test_a_difference_where_all_sums_are_exact_is_a_mismatch(tmp_path):
    sketch = Sketch(8).quant(4).dense(8, 3, name="last")
    model = frontend.read(sketch.write(tmp_path))
    reference = frontend.lower(model).reference
    frames = sketch.images(10, -8, 8)
    answers = reference.run(frames)
    assert reference.sums == () and (answers == model.run(frames)).all()
    other = answers.copy()
    other[3, 1] += 1
    found = compare(model, reference, frames, answers, other)
    assert np.flatnonzero(found.unexplained).tolist() == [3]
