# SPDX-License-Identifier: BSD-3-Clause
"""Any small network either answers as its file does, bit for bit, or is refused by layer."""

import re
from itertools import chain

import numpy as np
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from bonn_hw.errors import UnsupportedModel
from tests.support.sketch import Sketch, agree

CHANNELS = st.integers(1, 5)
VALUES = st.sampled_from([-1.0, 1.0, 0.0, 0.5, -2.0])


@st.composite
def convolutions(draw):
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    attributes = {"strides": (draw(st.integers(1, 3)), draw(st.integers(1, 2)))}
    if draw(st.booleans()):
        attributes["pads"] = [draw(st.integers(0, 2)) for _ in range(4)]
    elif draw(st.booleans()):
        attributes["auto_pad"] = draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    return "conv", draw(CHANNELS), kernel, attributes


@st.composite
def pools(draw):
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    attributes = {}
    if draw(st.booleans()):
        attributes["pads"] = [draw(st.integers(0, extent - 1)) for extent in (*kernel, *kernel)]
    strides = kernel if draw(st.booleans()) else (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    return "pool", kernel, strides, attributes


ELEMENTWISE = st.one_of(
    st.tuples(st.just("norm"), st.sampled_from([1.0, 4.0, 20.0])),
    st.tuples(st.just("scale"), VALUES),
    st.tuples(st.just("shift"), VALUES),
    st.tuples(st.just("neg")),
    st.tuples(st.just("clip")),
    st.tuples(st.just("prelu"), VALUES),
    st.tuples(st.just("abs")),
)
SIGN = st.tuples(st.just("sign"), st.sampled_from([1.0, 0.5, 4.0]))
PAD = st.tuples(
    st.just("pad"), st.tuples(*[st.integers(0, 2)] * 4), st.sampled_from([0.0, 1.0, -1.0, 0.5, 0.3])
)
BLOCK = st.tuples(
    st.lists(st.one_of(pools(), PAD, ELEMENTWISE), max_size=1),
    convolutions().map(lambda layer: [layer]),
    st.lists(st.one_of(pools(), PAD, ELEMENTWISE), max_size=3),
    SIGN.map(lambda layer: [layer]),
).map(lambda parts: [*chain.from_iterable(parts)])


def extend(sketch, shape, layer):
    """Append a layer behind a tensor (C, H, W); return the shape after it or None if too small."""
    channels, height, width = shape
    kind, *given_ = layer
    if kind == "conv":
        outputs, kernel, attributes = given_
        extent = _extent((height, width), kernel, **attributes)
        if extent is None:
            return None
        sketch.conv(outputs, channels, kernel, **attributes)
        return outputs, *extent
    if kind == "pool":
        kernel, strides, attributes = given_
        extent = _extent((height, width), kernel, strides=strides, **attributes)
        if extent is None:
            return None
        sketch.pool(kernel, strides, **attributes)
        return channels, *extent
    if kind == "pad":
        (top, left, bottom, right), value = given_
        sketch.pad((top, left, bottom, right), value)
        return channels, height + top + bottom, width + left + right
    if kind == "norm":
        sketch.norm(channels, given_[0])
    elif kind == "sign":
        sketch.sign(given_[0])
    elif kind in ("scale", "shift"):
        sketch.add("Mul" if kind == "scale" else "Add", np.float32(given_[0]))
    elif kind == "clip":
        sketch.add("Clip", np.float32(-1), np.float32(1))
    elif kind == "prelu":
        sketch.add("PRelu", np.full((channels, 1, 1), given_[0], np.float32))
    else:
        sketch.add(kind.capitalize())
    return shape


def _extent(frame, kernel, strides, pads=(0, 0, 0, 0), auto_pad=""):
    if auto_pad.startswith("SAME"):
        return tuple(-(-n // s) for n, s in zip(frame, strides, strict=True))
    padded = frame[0] + pads[0] + pads[2], frame[1] + pads[1] + pads[3]
    extent = tuple((n - k) // s + 1 for n, k, s in zip(padded, kernel, strides, strict=True))
    return extent if min(n - k for n, k in zip(padded, kernel, strict=True)) >= 0 else None


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 2**16),
    shape=st.tuples(CHANNELS, st.integers(3, 7), st.integers(3, 7)),
    bits=st.sampled_from([0, 2, 4]),
    blocks=st.lists(BLOCK, min_size=1, max_size=3),
    dense=st.lists(st.one_of(ELEMENTWISE, SIGN), max_size=3),
)
def test_equal_or_refused(tmp_path, seed, shape, bits, blocks, dense):
    sketch = Sketch(*shape, seed=seed)
    if bits:
        sketch.quant(bits, scale=0.5)
    else:
        sketch.sign()
    for layer in chain.from_iterable(blocks):
        after = extend(sketch, shape, layer)
        shape = shape if after is None else after
    sketch.flatten().dense(int(np.prod(shape)), 3)
    for kind, *rest in dense:
        if kind != "prelu":
            extend(sketch, (3, 1, 1), (kind, *rest))
    names = [node.name for node in sketch.nodes]
    try:
        agree(sketch, tmp_path, sketch.images(3, -9, 9, 0.25))
        event("lowered")
    except UnsupportedModel as refusal:
        assert "cannot be understood" not in str(refusal), str(refusal)
        assert any(re.search(rf"\b{name}\b", str(refusal)) for name in names), str(refusal)
