# SPDX-License-Identifier: BSD-3-Clause
"""The layers of random networks (`strangers`), as models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from onnx import helper

from tests.support.sketch import Sketch
from tests.support.strangers import STEPS, Layer, Plan

Random = np.random.Generator


class Drawn:
    """A plan on its way to a model: the sketch, the shape of the last tensor and its values."""

    def __init__(self, given: Plan) -> None:
        self.sketch = Sketch(*given.shape, seed=given.seed)
        self.channels, self.height, self.width = given.shape
        self.flat = False
        self.scale, self.bits = 1.0, 8  # of the last quantiser
        self.count = 0

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"


def build(given: Plan) -> Sketch:
    """The model of a plan."""
    drawn = Drawn(given)
    for layer in given.layers:
        LAYERS[layer.kind](drawn, layer, np.random.default_rng(layer.options["seed"]))
    return drawn.sketch


def _input(drawn: Drawn, layer: Layer, random: Random) -> None:
    if layer.odd == "no input quantiser":
        return
    if layer.options["form"] < 0.15:
        drawn.sketch.sign()
        drawn.scale = 1.0
        return
    _few_bits(drawn, random, signed=bool(random.integers(2)))


def _few_bits(drawn: Drawn, random: Random, signed: bool, scale: float | None = None) -> None:
    """A quantiser of several bits, in one of its forms."""
    if scale is None:
        scale = float(random.choice([0.125, 0.25, 0.5, 0.21, 0.37, 0.093]))
    bits, form = int(random.choice([2, 3, 4, 4, 8])), random.random()
    if form < 0.7:
        mode = str(random.choice(["ROUND", "ROUND", "ROUND", "FLOOR", "CEIL", "HALF_UP"]))
        narrow = int(signed and random.random() < 0.3)
        drawn.sketch.quant(bits, int(signed), scale, narrow=narrow, rounding_mode=mode)
    elif form < 0.85:
        kind = np.int8 if signed else np.uint8
        drawn.sketch.qdq(scale, kind(0))
    else:
        steps = (1 << min(bits, 4)) - 1
        scale = float(random.choice([1.0, 0.5, 0.125]))  # its multiples are exact
        _thresholds(drawn, random, steps, scale)
    drawn.scale, drawn.bits = scale, bits


def _thresholds(drawn: Drawn, random: Random, steps: int, scale: float) -> None:
    limits = np.sort(random.normal(0, 2, (1, steps)).round(1), axis=1)
    drawn.sketch.thresholds(limits, scale=scale, bias=-scale * (steps // 2), kind="INT8")


def _weights(drawn: Drawn, random: Random, layer: Layer, *shape: int, outputs: int = 0) -> Any:
    """Weights in one of their forms: a constant, or the name of a quantised one."""
    sketch, form = drawn.sketch, layer.options["weights"]
    if layer.odd == "float weights":
        return random.normal(0, 1, shape).astype(np.float32)
    if layer.odd == "NaN in weights":
        values = random.choice([-1.0, 1.0], shape).astype(np.float32)
        values.flat[int(random.integers(values.size))] = np.nan
        return values
    along = [1] * len(shape)
    along[outputs] = shape[outputs]
    if layer.odd == "infinite weight scale" or form < 0.25:
        infinite = layer.odd == "infinite weight scale"
        scale = np.inf if infinite else float(random.choice([1.0, 0.5, 0.3]))
        names = [sketch.constant(random.normal(0, 1, shape).astype(np.float32))]
        names.append(sketch.constant(np.float32(scale)))
        sketch.nodes.append(
            helper.make_node("BipolarQuant", names, [f"{names[0]}/w"], domain=sketch.domain)
        )
        return f"{names[0]}/w"
    if form < 0.45:  # bits without a quantiser, with a scale by channel now and then
        scale = random.uniform(0.2, 0.9, along) if form < 0.35 else random.choice([1.0, 0.3])
        return (random.choice([-1.0, 1.0], shape) * scale).astype(np.float32)
    if form < 0.6:  # ternary
        values = random.integers(-1, 2, shape)
        values.flat[:2] = 1, 0
        return (values * float(random.choice([1.0, 0.4]))).astype(np.float32)
    bits = int(random.choice([2, 3, 4, 8]))
    scale = random.uniform(0.05, 0.3, along) if form < 0.8 else np.float64(0.125)
    integers = random.integers(-(1 << bits - 1) + 1, 1 << bits - 1, shape)
    parameters = [integers * scale, scale, np.zeros(()), np.array(float(bits))]
    names = [sketch.constant(np.asarray(value, np.float32)) for value in parameters]
    given = {"signed": 1, "narrow": int(random.integers(2)), "rounding_mode": "ROUND"}
    node = helper.make_node("Quant", names, [f"{names[0]}/w"], domain=sketch.domain, **given)
    sketch.nodes.append(node)
    return f"{names[0]}/w"


def _norm(drawn: Drawn, random: Random, spread: float) -> None:
    count = drawn.channels
    gamma = random.normal(0, 1, count) + np.sign(random.normal(0, 1, count)) * 0.1
    mean, variance = random.normal(0, spread / 2, count), random.uniform(0.3, 2, count) * spread**2
    parameters = [gamma, random.normal(0, 0.5, count), mean, variance]
    drawn.sketch.add("BatchNormalization", *(one.astype(np.float32) for one in parameters))


def _activation(drawn: Drawn, layer: Layer, random: Random, inputs: int) -> None:
    """What stands between a matrix layer and the next: norm, steps, quantiser, pool."""
    sketch, options = drawn.sketch, layer.options
    spread = max(0.2, drawn.scale * drawn.bits * 0.3 * np.sqrt(inputs) * 0.4)
    if layer.odd == "LRN":
        sketch.add("LRN", name=drawn.name("lrn"), size=3)
    if options["norm"] < 0.6:
        _norm(drawn, random, spread)
    if layer.odd == "constant by pixel" and not drawn.flat:
        shape = (1, drawn.channels, drawn.height, drawn.width)
        sketch.add("Mul", random.uniform(0.5, 2, shape).astype(np.float32))
    if options["steps"] < STEPS:
        kind = str(random.choice(["Mul", "Add", "Neg", "PRelu", "Tanh", "HardSwish", "Clip"]))
        shape = (drawn.channels,) if drawn.flat else (drawn.channels, 1, 1)
        if kind in ("Mul", "Add", "PRelu"):
            sketch.add(kind, random.normal(0.3, 1, shape).astype(np.float32))
        elif kind == "Clip":
            sketch.add("Clip", np.float32(-3), np.float32(2.5))
        elif kind != "HardSwish" or sketch.opset >= 14:
            sketch.add(kind)
    if layer.odd == "pool before Abs" and not drawn.flat and min(drawn.height, drawn.width) > 1:
        sketch.add("Abs")
        _pool(drawn, random)
        sketch.add("Sub", np.float32(spread)).sign(0.5)
        drawn.scale, drawn.bits = 0.5, 1
        return
    if layer.odd == "no quantiser":
        sketch.add("Sigmoid")
        return
    off = "thresholds off their grid"
    if off in (layer.odd, options.get("was")):
        drawn.scale, drawn.bits = 0.093, 4
        _thresholds(drawn, random, 15, drawn.scale)  # 0.093 * 15 - 0.651 is no multiple of 0.093
        if not layer.odd:
            sketch.quant(8, 1, drawn.scale)
        return
    if options["quantiser"] < 0.35:
        drawn.scale, drawn.bits = float(random.choice([1.0, 0.5, 0.3])), 1
        sketch.sign(drawn.scale)
    else:
        signed = options["quantiser"] < 0.6
        if not signed:
            sketch.add("Relu")
        if layer.odd == "scale by channel" and drawn.channels > 1:
            scales = random.uniform(0.1, 0.4, drawn.channels).astype(np.float32)
            shape = (drawn.channels,) if drawn.flat else (drawn.channels, 1, 1)
            parameters = [scales.reshape(shape), np.float32(0), np.float32(4)]
            sketch.add("Quant", *parameters, signed=1, narrow=0, rounding_mode="ROUND")
        else:
            _few_bits(drawn, random, signed)
    if options["pool"] < 0.25 and not drawn.flat and min(drawn.height, drawn.width) > 1:
        _pool(drawn, random)


def _pool(drawn: Drawn, random: Random) -> None:
    size, stride = int(random.integers(1, 3)), int(random.integers(1, 3))
    drawn.sketch.pool((size, size), (stride, stride), name=drawn.name("pool"))
    drawn.height, drawn.width = (
        (extent - size) // stride + 1 for extent in (drawn.height, drawn.width)
    )


def _matrix(drawn: Drawn, layer: Layer, random: Random, outputs: int, group: int = 1) -> int:
    """A convolution; returns its inputs per output."""
    sketch, options = drawn.sketch, layer.options
    rows, columns = (int(random.integers(1, min(3, n) + 1)) for n in (drawn.height, drawn.width))
    dilation = 2 if options["form"] < 0.1 and 2 * max(rows, columns) < drawn.height else 1
    if 2 * (columns - 1) + 1 > drawn.width or 2 * (rows - 1) + 1 > drawn.height:
        dilation = 1
    stride = 2 if options["form"] > 0.8 else 1
    pads = [int(n) for n in random.integers(0, 2, 4)] if options["shape"] < 0.5 else [0] * 4
    weights = _weights(drawn, random, layer, outputs, drawn.channels // group, rows, columns)
    name = drawn.name("conv")
    operands = [weights]
    if options["bias"] < 0.3:
        operands.append(random.normal(0, 0.5, outputs).astype(np.float32))
    names = [one if isinstance(one, str) else sketch.constant(one) for one in operands]
    given = {"dilations": [dilation] * 2} if dilation > 1 else {}
    sketch._behind(
        *("Conv", [sketch.last, *names], name),
        **{"kernel_shape": [rows, columns], "strides": [stride] * 2, "pads": pads, "group": group},
        **given,
    )
    inputs = drawn.channels // group * rows * columns
    extents = [(drawn.height, rows, pads[0] + pads[2]), (drawn.width, columns, pads[1] + pads[3])]
    drawn.height, drawn.width = (
        (extent + added - dilation * (size - 1) - 1) // stride + 1
        for extent, size, added in extents
    )
    drawn.channels = outputs
    return inputs


def _conv(drawn: Drawn, layer: Layer, random: Random) -> None:
    outputs = int(random.integers(1, 7))
    if layer.odd == "ConvTranspose":
        weights = random.choice([-1.0, 1.0], (drawn.channels, outputs, 1, 1)).astype(np.float32)
        drawn.sketch.add("ConvTranspose", weights, name=drawn.name("up"))
        drawn.channels = outputs
        return _activation(drawn, layer, random, outputs)
    return _activation(drawn, layer, random, _matrix(drawn, layer, random, outputs))


def _depthwise(drawn: Drawn, layer: Layer, random: Random) -> None:
    outputs = drawn.channels * int(random.integers(1, 3))
    _activation(drawn, layer, random, _matrix(drawn, layer, random, outputs, drawn.channels))


def _grouped(drawn: Drawn, layer: Layer, random: Random) -> None:
    group = 2 if drawn.channels % 2 == 0 else 1
    outputs = group * int(random.integers(1, 4))
    _activation(drawn, layer, random, _matrix(drawn, layer, random, outputs, group))


def _same_size(drawn: Drawn, layer: Layer, random: Random, outputs: int) -> None:
    """A convolution that keeps height and width."""
    size = int(random.choice([1, 3]))
    weights = _weights(drawn, random, replace(layer, odd=""), outputs, drawn.channels, size, size)
    name = weights if isinstance(weights, str) else drawn.sketch.constant(weights)
    given = {"kernel_shape": [size] * 2, "pads": [size // 2] * 4}
    drawn.sketch._behind("Conv", [drawn.sketch.last, name], drawn.name("conv"), **given)
    drawn.channels = outputs


def _residual(drawn: Drawn, layer: Layer, random: Random) -> None:
    sketch, scale = drawn.sketch, float(random.choice([0.25, 0.21]))
    _quantised(sketch, scale)
    entry, channels = sketch.last, drawn.channels
    _same_size(drawn, layer, random, channels)
    _norm(drawn, random, scale * 3)
    _quantised(sketch, scale * 1.07 if layer.odd else scale)
    sketch.join(entry, drawn.name("sum"))
    if layer.options["form"] < 0.5:
        sketch.add("Relu")
    sketch.quant(4, 1, scale)
    drawn.scale, drawn.bits = scale, 4


def _quantised(sketch: Sketch, scale: float) -> None:
    sketch.quant(4, 1, scale)


def _concat(drawn: Drawn, layer: Layer, random: Random) -> None:
    sketch, scale = drawn.sketch, float(random.choice([0.25, 0.21]))
    quantise = "use a quantiser before this layer" in layer.options.get("said", "")
    _quantised(sketch, scale)
    entry, ends, total, channels = sketch.last, [], 0, drawn.channels
    for place in range(int(random.integers(2, 4))):
        sketch.last, drawn.channels = entry, channels
        if place < 2 or random.random() < 0.5:
            _same_size(drawn, layer, random, int(random.integers(1, 4)))
            _norm(drawn, random, scale * 3)
            _quantised(sketch, scale * 1.07 if place and (layer.odd or quantise) else scale)
        ends.append(sketch.last)
        total += drawn.channels
    sketch._behind("Concat", ends, drawn.name("concat"), axis=1)
    if quantise:
        sketch.quant(4, 1, scale)
    drawn.channels, drawn.scale, drawn.bits = total, scale, 4


def _upsample(drawn: Drawn, layer: Layer, random: Random) -> None:
    factor = (1, 2) if random.random() < 0.3 else (2, 2)
    scales = np.array([1, 1, *factor], np.float32)
    modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    empty, name = np.zeros(0, np.float32), drawn.name("upsample")
    drawn.sketch.add("Resize", empty, scales, name=name, mode="nearest", **modes)
    drawn.height, drawn.width = drawn.height * factor[0], drawn.width * factor[1]


def _average(drawn: Drawn, layer: Layer, random: Random) -> None:
    sketch = drawn.sketch
    if (layer.odd or layer.options.get("was")) and min(drawn.height, drawn.width) > 1:
        sketch.add(
            "AveragePool",
            name=drawn.name("average"),
            kernel_shape=[2, 2],
            pads=[1, 1, 1, 1],
            count_include_pad=int(not layer.odd),  # as the refusal says
        )
        drawn.height, drawn.width = drawn.height + 1, drawn.width + 1
    else:
        size = [int(random.integers(1, n + 1)) for n in (drawn.height, drawn.width)]
        sketch.add("AveragePool", name=drawn.name("average"), kernel_shape=size, strides=size)
        drawn.height, drawn.width = drawn.height // size[0], drawn.width // size[1]
    _few_bits(drawn, random, signed=True)


def _shuffle(drawn: Drawn, layer: Layer, random: Random) -> None:
    """Channels are shuffled as in ShuffleNet, or sliced."""
    sketch, count = drawn.sketch, drawn.channels
    if count % 2 == 0 and random.random() < 0.6:
        size = [drawn.height, drawn.width]
        sketch.add("Reshape", np.array([-1, 2, count // 2, *size], np.int64))
        sketch.add("Transpose", perm=[0, 2, 1, 3, 4])
        sketch.add("Reshape", np.array([-1, count, *size], np.int64))
    elif count > 1:
        ends = [np.array([n], np.int64) for n in (0, count - 1, 1)]
        sketch.add("Slice", *ends, name=drawn.name("slice"))
        drawn.channels = count - 1


def _flatten(drawn: Drawn, layer: Layer, random: Random) -> None:
    drawn.sketch.flatten()
    drawn.channels *= drawn.height * drawn.width
    several = drawn.height * drawn.width > 1
    drawn.flat, drawn.height, drawn.width = True, 1, 1
    if layer.odd and several:
        _norm(drawn, random, 1.0)
        drawn.sketch.sign()


def _dense(drawn: Drawn, layer: Layer, random: Random) -> None:
    outputs, inputs = int(random.integers(1, 9)), drawn.channels
    _product(drawn, layer, random, outputs, drawn.name("fc"))
    _activation(drawn, layer, random, inputs)


def _product(drawn: Drawn, layer: Layer, random: Random, outputs: int, name: str) -> None:
    sketch = drawn.sketch
    if layer.options["bias"] < 0.4:
        weights = _weights(drawn, random, layer, outputs, drawn.channels)
        bias = sketch.constant(random.normal(0, 0.5, outputs).astype(np.float32))
        first = weights if isinstance(weights, str) else sketch.constant(weights)
        sketch._behind("Gemm", [sketch.last, first, bias], name, transB=1)
    else:
        weights = _weights(drawn, random, layer, drawn.channels, outputs, outputs=1)
        first = weights if isinstance(weights, str) else sketch.constant(weights)
        sketch._behind("MatMul", [sketch.last, first], name)
    drawn.channels = outputs


def _last(drawn: Drawn, layer: Layer, random: Random) -> None:
    sketch, form = drawn.sketch, layer.options["form"]
    if form > 0.88 and not layer.odd:
        return _heads(drawn, layer, random)
    outputs = int(random.integers(1, 5))
    _product(drawn, layer, random, outputs, drawn.name("last"))
    if layer.odd == "NaN in the last scale":
        sketch.add("Mul", np.float32(np.nan if form < 0.5 else np.inf), name="scale")
    elif form < 0.2:
        sketch.add("Mul", np.float32(0.3)).add("Add", random.normal(0, 1, outputs))
        sketch.constants = {k: _float32(v) for k, v in sketch.constants.items()}
    elif form < 0.35:
        sketch.add("Softmax", axis=1)
    elif form < 0.45:
        sketch.add("ArgMax", axis=1, keepdims=0)
    elif form < 0.6:
        _few_bits(drawn, random, signed=True)


def _float32(value: Any) -> Any:
    return value.astype(np.float32) if value.dtype == np.float64 else value


def _heads(drawn: Drawn, layer: Layer, random: Random) -> None:
    """Two outputs: of two layers on one tensor, or of a layer and of one behind it."""
    sketch, trunk, wide = drawn.sketch, drawn.sketch.last, drawn.channels
    plain = replace(layer, odd="", options={**layer.options, "bias": 1.0})
    _product(drawn, plain, random, int(random.integers(1, 5)), drawn.name("head"))
    first, drawn.channels = sketch.last, wide
    sketch.last = trunk
    if layer.options["quantiser"] < 0.5:
        _dense(drawn, replace(plain, options={**plain.options, "pool": 1.0}), random)
    _product(drawn, plain, random, int(random.integers(1, 5)), drawn.name("head"))
    sketch.outputs = [first, sketch.last]


def _transposed(drawn: Drawn, layer: Layer, random: Random) -> None:
    """A transposed convolution with any stride, pads and output_padding."""
    rows, columns = (int(n) for n in random.integers(1, 4, 2))
    stride, outputs = int(random.integers(1, 3)), int(random.integers(1, 4))
    pad = int(random.integers(0, 2)) if min(rows, columns) > 1 else 0
    more = int(random.integers(0, 2)) if stride > 1 else 0
    weights = _weights(drawn, random, layer, drawn.channels, outputs, rows, columns, outputs=1)
    name = weights if isinstance(weights, str) else drawn.sketch.constant(weights)
    given = {"strides": [stride] * 2, "pads": [pad] * 4, "output_padding": [more] * 2}
    drawn.sketch._behind("ConvTranspose", [drawn.sketch.last, name], drawn.name("up"), **given)
    inputs = drawn.channels * rows * columns
    drawn.channels = outputs
    drawn.height, drawn.width = (
        (extent - 1) * stride + size - 2 * pad + more
        for extent, size in ((drawn.height, rows), (drawn.width, columns))
    )
    _activation(drawn, layer, random, inputs)


def _moved(drawn: Drawn, layer: Layer, random: Random) -> None:
    """Channels become pixels, or pixels channels."""
    if drawn.channels % 4 == 0 and random.random() < 0.6:
        mode = str(random.choice(["DCR", "CRD"]))
        drawn.sketch.add("DepthToSpace", name=drawn.name("pixels"), blocksize=2, mode=mode)
        drawn.channels //= 4
        drawn.height, drawn.width = 2 * drawn.height, 2 * drawn.width
    elif drawn.height % 2 == drawn.width % 2 == 0:
        drawn.sketch.add("SpaceToDepth", name=drawn.name("channels"), blocksize=2)
        drawn.channels *= 4
        drawn.height, drawn.width = drawn.height // 2, drawn.width // 2


def _combined(drawn: Drawn, layer: Layer, random: Random) -> None:
    """A difference, product, maximum or minimum of two branches, of unequal depth now and then."""
    sketch, scale = drawn.sketch, float(random.choice([0.25, 0.5]))
    _quantised(sketch, scale)
    entry, channels, ends = sketch.last, drawn.channels, []
    for place in range(2):
        sketch.last = entry
        if place == 0 or random.random() < 0.6:
            _same_size(drawn, layer, random, channels)
            _norm(drawn, random, scale * 3)
            _quantised(sketch, scale)
        ends.append(sketch.last)
    kind = str(random.choice(["Sub", "Mul", "Max", "Min"]))
    sketch._behind(kind, ends, drawn.name(kind.lower()))
    sketch.quant(4, 1, scale)
    drawn.scale, drawn.bits = scale, 4


def _gated(drawn: Drawn, layer: Layer, random: Random) -> None:
    """Squeeze and excite: a factor for each channel, from its mean."""
    sketch, channels = drawn.sketch, drawn.channels
    _quantised(sketch, 0.25)
    frame, extents = sketch.last, (drawn.height, drawn.width)
    sketch.add("GlobalAveragePool").quant(4, 1, 0.125)
    drawn.height = drawn.width = 1
    _same_size(drawn, replace(layer, odd=""), random, channels)
    drawn.height, drawn.width = extents
    sketch.add("HardSigmoid", alpha=0.125, beta=0.5).quant(3, 0, 0.125)
    sketch._behind("Mul", [frame, sketch.last], drawn.name("gate"))
    sketch.quant(4, 1, 0.25)
    drawn.scale, drawn.bits = 0.25, 4


def _windows(drawn: Drawn, layer: Layer, random: Random) -> None:
    """A dilated maximum, or an average that counts its pads."""
    if min(drawn.height, drawn.width) < 3:
        return
    if random.random() < 0.5:
        given = {"kernel_shape": [2, 2], "dilations": [2, 2]}
        drawn.sketch.add("MaxPool", name=drawn.name("pool"), **given)
        drawn.height, drawn.width = drawn.height - 2, drawn.width - 2
        return
    given = {"kernel_shape": [3, 3], "pads": [1] * 4, "count_include_pad": 1}
    drawn.sketch.add("AveragePool", name=drawn.name("average"), **given)
    _few_bits(drawn, random, signed=True)


def _shared(drawn: Drawn, layer: Layer, random: Random) -> None:
    """Two convolutions with the same weights."""
    sketch, channels = drawn.sketch, drawn.channels
    weights = _weights(drawn, random, replace(layer, odd=""), channels, channels, 1, 1)
    name = weights if isinstance(weights, str) else sketch.constant(weights)
    for _ in range(2):
        sketch._behind("Conv", [sketch.last, name], drawn.name("conv"), kernel_shape=[1, 1])
        _norm(drawn, random, max(0.5, drawn.scale * 2))
        _few_bits(drawn, random, signed=True)


LAYERS = {
    **{"input": _input, "none": lambda *_: None, "conv": _conv, "depthwise": _depthwise},
    **{"grouped": _grouped, "residual": _residual, "concat": _concat, "upsample": _upsample},
    **{"average": _average, "shuffle": _shuffle, "flatten": _flatten, "dense": _dense},
    **{"last": _last, "transposed": _transposed, "moved": _moved, "combined": _combined},
    **{"gated": _gated, "windows": _windows, "shared": _shared},
}
