# SPDX-License-Identifier: BSD-3-Clause
"""Bisection finds the same steps as the evaluation of every integer, in far fewer evaluations."""

from dataclasses import replace

import numpy as np
import pytest
from onnx import helper

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend import pending_ops, steps
from bonn_hw.frontend.activation import bipolar, integer_scale
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.monotone import monotone
from bonn_hw.frontend.pending_ops import PendingOps
from tests.support.sketch import Sketch, lowered

CHANNELS = 4
NOTHING = Model("", (), {}, {}, {}, "x", "y", 17)


class Chain:
    """Pending operators with constants per channel."""

    def __init__(self, low, high, scale=0.01):
        full = np.full(CHANNELS, 1, np.int64)
        order = np.arange(CHANNELS, dtype=np.int64)
        scales = np.full(CHANNELS, scale, np.float32)
        error = np.full(CHANNELS, 3.0)
        self.pending = PendingOps(full * low, full * high, scales, error, order)
        self.constants = {}

    def add(self, kind, *constants, first=True, **attributes):
        names = [f"c{len(self.constants) + i}" for i in range(len(constants))]
        self.constants |= {
            name: np.asarray(value, np.float32)
            for name, value in zip(names, constants, strict=True)
        }
        tensor = self.pending.ops[-1].output if self.pending.ops else "x"
        inputs = [tensor, *names] if first else [*names, tensor]
        place = len(self.pending.ops)
        node = helper.make_node(kind, inputs, [f"t{place}"], f"{kind}_{place}", **attributes)
        self.pending = self.pending.then(node, self.model)
        return self

    @property
    def model(self):
        return replace(NOTHING, constants=self.constants)

    def stairs(self, monkeypatch, measure, few):
        monkeypatch.setattr(steps, "FEW", few)
        found = steps.staircase(self.pending, self.model, measure)
        return [one.tolist() for one in (found.channel, found.start, found.value)]


def rounded(values):
    return np.rint(values).astype(np.int64)


def learnt(seed):
    """A batch norm with gains of both signs, slopes, scales and clips, as networks have them."""
    random = np.random.default_rng(seed)
    low = -int(random.integers(0, 30_000))
    chain = Chain(low, low + int(random.integers(3000, 40_000)), random.uniform(1e-3, 0.1))
    draw = [random.normal(0, 1, CHANNELS).astype(np.float32) for _ in range(4)]
    chain.add("BatchNormalization", draw[0], draw[1], 50 * draw[2], 900 * draw[3] ** 2)
    kinds = ("Relu", "LeakyRelu", "PRelu", "HardSigmoid", "none")
    kind = kinds[seed % len(kinds)]
    if kind == "PRelu":
        chain.add("PRelu", np.abs(draw[3]))
    elif kind != "none":
        chain.add(kind)
    scale = np.float32(random.uniform(0.01, 0.3))
    return chain.add("Div", scale).add("Min", 7).add("Max", -8).add("Round")


@pytest.mark.parametrize("seed", range(25))
def test_bisection_finds_every_step(seed, monkeypatch):
    chain = learnt(seed)
    assert monotone([op.node for op in chain.pending.ops], chain.model)
    found = chain.stairs(monkeypatch, rounded, 0)
    assert found == chain.stairs(monkeypatch, rounded, 1 << 20)
    assert len(found[0]) >= CHANNELS


@pytest.mark.parametrize("seed", range(6))
def test_bits_are_the_same(seed, monkeypatch):
    chain = learnt(seed).add("Greater", 0.5).add("Where", 2.0, -2.0)

    def bits(few):
        monkeypatch.setattr(steps, "FEW", few)
        scale, stairs = bipolar(chain.pending, chain.model)
        return scale, stairs.start.tolist(), stairs.value.tolist()

    assert bits(0) == bits(1 << 20)
    assert bits(0)[0] == 2


def test_a_range_of_2_to_the_40_takes_few_evaluations(monkeypatch):
    chain = Chain(-(1 << 40), 1 << 40, 2.0**-36)
    chain.add("Min", 7).add("Max", -8).add("Round")
    evaluated = []
    entry = PendingOps.entry

    def counted(self, integers, offset=0.0):
        evaluated.append(integers.size)
        return entry(self, integers, offset)

    monkeypatch.setattr(PendingOps, "entry", counted)
    found = steps.staircase(chain.pending, chain.model, rounded)
    assert found.runs.tolist() == [16] * CHANNELS
    assert sum(evaluated) < CHANNELS * 16 * 41


@pytest.mark.parametrize("kind", ["Abs", "Tanh", "Sigmoid", "Exp", "HardSwish"])
def test_other_operators_are_evaluated_on_the_whole_range(kind, monkeypatch):
    chain = Chain(-500, 600).add(kind)
    assert not monotone([op.node for op in chain.pending.ops], chain.model)
    monkeypatch.setattr(steps, "CHUNK", 64)  # many slices
    found = chain.stairs(monkeypatch, lambda values: rounded(8 * values), 0)
    whole = steps.evaluate(chain.pending, chain.model)(np.arange(-500, 601)[:, None])
    expected = rounded(8 * whole)
    changes = np.count_nonzero(np.diff(expected, axis=0)) + CHANNELS
    assert len(found[0]) == changes


@pytest.mark.parametrize(
    ("kind", "constants"),
    [
        ("Mul", [np.inf]),
        ("Div", [0.0]),
        ("PRelu", [-0.5]),
        ("Clip", [0.0, np.nan]),
        ("BatchNormalization", [[1] * 4, [0] * 4, [0] * 4, [-1] * 4]),
    ],
)
def test_constants_that_break_the_order(kind, constants):
    chain = Chain(-5, 5)
    nodes = chain.add(kind, *constants).pending.ops
    assert not monotone([op.node for op in nodes], chain.model)


def test_one_divided_by_the_sum_is_not_monotone():
    chain = Chain(-5, 5).add("Div", 1.0, first=False)
    assert not monotone([op.node for op in chain.pending.ops], chain.model)


def test_a_range_that_is_too_large_is_refused_with_its_number():
    chain = Chain(0, 1 << 26).add("Tanh")
    with pytest.raises(UnsupportedModel) as error:
        steps.staircase(chain.pending, chain.model, rounded)
    assert str(error.value) == (
        "Tanh_0: the sums before it take 67108865 values, and it is evaluated for each; at most "
        "67108864 are supported: use fewer bits or fewer inputs"
    )


def test_too_many_evaluations_are_refused_with_their_number(monkeypatch):
    monkeypatch.setattr(pending_ops, "LARGEST_WORK", 1000)
    chain = Chain(0, 250).add("Tanh")
    with pytest.raises(UnsupportedModel) as error:
        steps.staircase(chain.pending, chain.model, rounded)
    assert str(error.value) == (
        "Tanh_0: the sums before it take 251 values in each of 4 channels, and it is evaluated "
        "for each; at most 1000 evaluations are supported: use fewer bits, fewer inputs or fewer "
        "channels"
    )


def test_too_many_steps_are_refused(monkeypatch):
    monkeypatch.setattr(steps, "LARGEST_STAIRCASE", 1000)
    chain = Chain(0, 1 << 20, 1.0).add("Relu")
    with pytest.raises(UnsupportedModel) as error:
        steps.staircase(chain.pending, chain.model, rounded)
    assert str(error.value) == (
        "Relu_0: its values take more than 1000 steps over all sums and channels; use fewer bits "
        "or fewer channels"
    )


@pytest.mark.parametrize("factor", [1.0, 0.37, -2.5])
def test_multiples_of_the_integers(factor):
    chain = Chain(-3000, 70_000, 1.0).add("Mul", factor)
    assert integer_scale(chain.pending, chain.model) == np.float32(factor)
    assert integer_scale(chain.add("Min", 20).pending, chain.model) is None


def test_a_24_bit_sum_is_lowered_in_little_memory(tmp_path):
    """A layer of 24-bit inputs: its sums take 2 ** 30 values."""
    sketch = Sketch(64, seed=3).quant(24, scale=2.0**-20)
    sketch.few_bit_dense(64, 5, "fc1", scale=0.25).quant(4, scale=3.0)
    assert lowered(sketch.few_bit_dense(5, 3, "last", scale=0.5), tmp_path)
