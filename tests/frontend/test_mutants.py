# SPDX-License-Identifier: BSD-3-Clause
"""A wrong lowering is found when a model is lowered: the front end is changed at one place.

The changed code runs in the place of the real one: functions get its byte code.
"""

from functools import cached_property
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import FunctionType

import pytest

from bonn_hw.errors import InternalError, UnsupportedModel
from bonn_hw.frontend import operators
from tests.support.learnt import NETWORKS
from tests.support.sketch import lowered

# Module, what is there, what takes its place, and a network that shows it.
MUTANTS = [
    (
        "operators.add",
        "one.low + other.low, one.high + other.high",
        "one.low, one.high",
        "residual",
    ),
    ("operators.add", "low, high, one.scale, np", "low, high, 2 * one.scale, np", "residual"),
    ("operators.add", 'parts.add("Add", *', 'parts.add("Sub", *', "residual"),
    ("operators.combine", "scale * other.scale[0]", "scale", "combined"),
    ("operators.combine", '"Sub": "subtract"', '"Sub": "maximum"', "combined"),
    ("operators.combine", "parts.add(node.op_type, *", 'parts.add("Add", *', "combined"),
    ("broadcast", "factors = (shape[1], ", "factors = (shape[1] - 1, ", "combined"),
    (
        "operators.average_pool",
        "geometry.kernel[0] * geometry.kernel[1], branch",
        "geometry.kernel[0] + geometry.kernel[1], branch",
        "residual",
    ),
    ("operators.average_pool", "geometry.stride[:axes]", "(1, 1)", "residual"),
    ("operators.average_pool", "= [top, left, bottom", "= [left, top, bottom", "pools"),
    ("operators.average_pool", 'make_node("Div"', 'make_node("Mul"', "residual"),
    ("operators.convolution", "corrections = np.einsum", "corrections = -np.einsum", "bits"),
    ("operators.convolution", "transpose(0, 2, 3, 1)", "transpose(0, 3, 2, 1)", "few_bits"),
    ("operators.convolution", "geometry, -1 if", "geometry, 1 if", "bits"),
    ("operators.convolution", "(a + b for", "(a + 0 * b for", "moved"),
    ("operators.convolution", "given = weights.values", "given = -weights.values", "bits"),
    ("operators.dense", "streamed[:, order] = ", "streamed[:] = ", "bits"),
    ("operators.dense", "given = weights.values if", "given = -weights.values if", "bits"),
    ("operators.dense", '"alpha", 1.0', '"alpha", 2.0', "bits"),
    (
        "operators.elementwise",
        "branch.pending.then(node, branch.model)",
        "branch.pending",
        "few_bits",
    ),
    (
        "operators.elementwise",
        "branch.pending.then(node, branch.model, vectors=True)",
        "branch.pending",
        "bits",
    ),
    ("operators.depth_to_space", "size * size).T.reshape", "size * size).reshape", "enlarged"),
    ("operators.depth_to_space", "copy(index, ", "copy(index[::-1], ", "enlarged"),
    ("operators.depth_to_space", "height // size, width // size, c", "height, 1, c", "enlarged"),
    ("operators.transposed", "phases + self.pad,", "phases,", "enlarged"),
    ("operators.transposed", "return -self.first,", "return 1 - self.first,", "enlarged"),
    (
        "operators.transposed",
        "transpose(2, 3, 0, 1, 4, 5)",
        "transpose(3, 2, 0, 1, 4, 5)",
        "enlarged",
    ),
    ("operators.transposed", "corrections = np.einsum", "corrections = -np.einsum", "enlarged"),
    ("operators.gather", "selected(index)", "selected(index[::-1])", "selected"),
    ("operators.gather", "index % len", "(index + 1) % len", "selected"),
    ("operators.max_pool", "kind.element.low", "kind.element.high", "few_bits"),
    (
        "operators.max_pool",
        "ordered(branch, geometry.pixels",
        "ordered(branch, geometry.pixels[::-1]",
        "moved",
    ),
    ("operators.max_pool", "(*branch.matrix.pools, (geometry", "((geometry", "pooled_twice"),
    ("operators.max_pool", "dilation=dilation)", "dilation=dilation[::-1])", "pools"),
    ("graph_builder", "taps[:, None] * channels +", "taps[:, None] +", "pools"),
    ("operators.pad", "both(begins[2:]", "both(begins[:1:-1]", "moved"),
    ("operators.pad", "pads, float(value))", "pads, -float(value))", "moved"),
    ("operators.pad", "ordered(branch, padded", "ordered(branch, padded[::-1]", "moved"),
    ("operators.concat", "pixel * total + place + channel", "pixel * total + channel", "joined"),
    ("operators.split", "index = np.array(one, np.int64)", "index = 1 + np.array(one)", "joined"),
    ("operators.quantisers", "(width - 1)) + narrow,", "(width - 1)),", "quantisers"),
    ("operators.quantisers", "2**width - 1 - narrow", "2**width - 2 - narrow", "quantisers"),
    ("operators.quantisers", "(scale, low - offset", "(scale, low + offset", "quantisers"),
    ("operators.quantisers", '"Add", by_zero).clip', '"Sub", by_zero).clip', "quantisers"),
    ("operators.trunc", 'add("Sub", after)', 'add("Add", after)', "forms"),
    ("operators.trunc", "np.round(np.log2", "1 + np.round(np.log2", "forms"),
    ("operators.trunc", "zero_after = zero / divisor if", "zero_after = zero if", "forms"),
    ("operators.multi_threshold", "scale + bias", "scale", "forms"),
    ("operators.multi_threshold", "    if bias != 0:", "    if bias > 0:", "forms"),
    ("operators.multi_threshold", "* scale + bias", "* scale - bias", "forms"),
    ("operators.quantize_linear", "low - zero, high - zero).round", "low, high).round", "forms"),
    ("operators.quantize_linear", 'steps.add_constant("Sub"', 'steps.add_constant("Add"', "forms"),
    ("quantiser_steps", '"FLOOR": "Floor"', '"FLOOR": "Ceil"', "quantisers"),
    ("quantiser_steps", '"UP": "RoundAway', '"UP": "RoundHalfAway', "forms"),
    ("composites", 'add("GreaterOrEqual", each', 'add("Greater", each', "forms"),
    ("composites", '("Sub", below', '("Add", below', "forms"),
    ("integer_tensors", "(scale, low - zero, high", "(scale, low, high", "forms"),
    (
        "weights",
        "np.rint(values / _by_channel(scales",
        "1 + np.rint(values / _by_channel(scales",
        "forms",
    ),
    ("operators.quantisers", "np.array(-1.4e-45", "np.array(0.0", "bits"),
    ("operators.reshape", "for axis in axes[1:]", "for axis in axes[:0:-1]", "moved"),
    ("operators.reshape", "order.reshape(shape)", "order[::-1].reshape(shape)", "few_bits"),
    ("operators.resize", "Upsample(frame, factors)", "Upsample(frame, factors[::-1])", "moved"),
    (
        "operators.resize",
        "pixels = height * factors[0], width * factors[1]",
        "pixels = height * factors[1], width * factors[0]",
        "moved",
    ),
    ("activation", "pending.high + 1, change", "pending.high, change + 2", "bits"),
    ("activation", "-last_on, rising", "-last_on - 2, rising", "bits"),
    ("branch", "np.where(falls, -scale, scale)", "scale", "moved"),
    (
        "exact_sums",
        'self.add("Mul", tensor, np.asarray(by',
        'self.add("Div", tensor, np.asarray(by',
        "bits",
    ),
    ("exact_sums", 'self.rounded(self.add("Div"', 'self.rounded(self.add("Mul"', "few_bits"),
    ("graph_builder", "limits + (limits - self", "limits - (limits - self", "bits"),
    (
        "graph_builder",
        "corrections=self.corrections * sign",
        "corrections=self.corrections",
        "bits",
    ),
    ("host", "(flat * self.scale", "(-flat * self.scale", "bits"),
    ("padding", "(taps < 0) | (taps >= extent)", "(taps < 0)", "bits"),
    ("layout", "frame, index.reshape(shape)", "frame, index[::-1].reshape(shape)", "bits"),
    ("pending_ops", "transpose(2, 0, 1)", "transpose(2, 1, 0)", "bits"),
    ("weights", "np.where(values > 0, 1, -1)", "np.where(values > 0, -1, 1)", "bits"),
    (
        "weights",
        "(integers.astype(np.int16), scale)",
        "(-integers.astype(np.int16), scale)",
        "forms",
    ),
    ("weights", "= beta * np", "= -beta * np", "bits"),
    (
        "windows",
        "(top, left), (bottom, end) = both",
        "(left, top), (bottom, end) = both",
        "quantisers",
    ),
]


def functions(names):
    """Functions among the names of a module or a class, those of properties included."""
    for name, value in names.items():
        while isinstance(value, property | cached_property | classmethod | staticmethod):
            value = (
                value.fget
                if isinstance(value, property)
                else getattr(value, "func", getattr(value, "__func__", None))
            )
        if isinstance(value, FunctionType):
            yield name, value


def change(module, before, after, monkeypatch):
    text = Path(module.__file__).read_text()
    assert text.count(before) == 1, f"{before!r} is {text.count(before)} times in {module.__name__}"
    changed = {"__name__": module.__name__, "__file__": module.__file__}
    exec(compile(text.replace(before, after), module.__file__, "exec"), changed)
    pairs = [(vars(module), changed)]
    for name, value in vars(module).items():
        if isinstance(value, type) and value.__module__ == module.__name__:
            pairs.append((vars(value), vars(changed[name])))
        elif isinstance(value, dict) and name.isupper():
            monkeypatch.setattr(module, name, changed[name])
    for real, other in pairs:
        theirs = dict(functions(other))
        for name, function in functions(real):
            if function.__module__ == module.__name__ and name in theirs:
                monkeypatch.setattr(function, "__code__", theirs[name].__code__)


@pytest.mark.parametrize(("name", "before", "after", "network"), MUTANTS)
def test_a_wrong_lowering_is_found(name, before, after, network, tmp_path, monkeypatch):
    change(import_module(f"bonn_hw.frontend.{name}"), before, after, monkeypatch)
    # A network that cannot be lowered any more is found too; a wrong graph must not come out.
    with pytest.raises((InternalError, UnsupportedModel)):
        lowered(NETWORKS[network](), tmp_path)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_networks_are_lowered(name, tmp_path):
    lowered(NETWORKS[name](), tmp_path)


def test_every_operator_file_has_mutants():
    files = {f"operators.{module.name}" for module in iter_modules(operators.__path__)}
    without = {"operators.__main__", "operators.host_only"}  # the latter has no lowering
    assert files - without == {name for name, *_ in MUTANTS if name.startswith("operators.")}
