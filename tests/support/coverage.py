# SPDX-License-Identifier: BSD-3-Clause
"""A grid of small networks: each layer, over its parameters, in the precisions of the field.

Every case is an input quantiser, the layer, an activation and a classifier. The integer graph must
equal the reference with ``==``, or be refused for a reason that docs/models.md names (`REFUSED`).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from bonn_hw import frontend
from bonn_hw.errors import UserError
from tests.support.sketch import Sketch

FRAMES = 12
# Of messages, for what is out of scope.
REFUSED = (
    r"use count_include_pad=1 \(in PyTorch count_include_pad=True\)$",
    r"only monotone operators are supported between this layer and its quantiser$",
    r"pad bits with zero or with the value of -1 or \+1, and integers with one of their values$",
    r"averages windows that ceil_mode adds, which have fewer pixels than the others; use",
)


@dataclass(frozen=True)
class Mode:
    """Bits of weights and of activations, 1 for −1 and +1; and of the input.

    Attributes
    ----------
    signed : int
        Whether activations of several bits have a sign.
    """

    weights: int
    activations: int
    signed: int = 1
    input: int = 0


MODES = {
    "w1a1": Mode(1, 1),
    "w1a2": Mode(1, 2, signed=0),
    "w2a2": Mode(2, 2),
    "w4a4u": Mode(4, 4, signed=0),
    "w4a4s": Mode(4, 4),
    "w1i8": Mode(1, 1, input=8),
}


class Net(Sketch):
    """A sketch in a mode; `wide` and `extents` follow from what is appended."""

    def __init__(self, mode: Mode, *shape: int, seed: int = 0, opset: int = 17) -> None:
        super().__init__(*shape, seed=seed, opset=opset)
        self.mode = mode
        if mode.input:
            self.quant(mode.input, scale=0.5)
        else:
            self.activated(norm=0)

    def weights(self, *shape: int) -> str:
        if self.mode.weights > 1:
            return self.few_bit(*shape, bits=self.mode.weights)
        return self.constant(self.signs(*shape) * np.float32(0.5))

    def activated(self, norm: int = 0, scale: float = 0.5) -> Net:
        """A batch norm of so many channels, if any, and the activation of the mode."""
        if norm:
            self.norm(norm, 2.0)
        if self.mode.activations == 1:
            return self.sign(scale)
        if not self.mode.signed:
            self.add("Relu")
        return self.quant(self.mode.activations, self.mode.signed, scale)

    def matrix(self, kind: str, shape: tuple[int, ...], bias: int = 0, **given) -> Net:
        operands = [self.last, self.weights(*shape)]
        if bias:
            operands.append(self.constant(self.random.normal(0, 2, bias).astype(np.float32)))
        return self._behind(kind, operands, "layer" if "layer" not in self.names else "", **given)

    @property
    def names(self) -> set[str]:
        return {node.name for node in self.nodes}

    def convolved(self, outputs: int, inputs: int, kernel=(3, 3), **given) -> Net:
        return self.matrix("Conv", (outputs, inputs, *kernel), kernel_shape=kernel, **given)

    def on(self, tensor: str) -> Net:
        self.last = tensor
        return self

    def two(self, channels: int) -> tuple[str, str]:
        """Two branches of one activation each."""
        entry, axes = self.last, len(self.shape) - 2
        ends = [
            self.on(entry).convolved(channels, channels, (1,) * axes).activated(channels).last
            for _ in range(2)
        ]
        return ends[0], ends[1]

    def joined(self, kind: str, *tensors: str, **given) -> Net:
        return self._behind(kind, list(tensors), "", **given)

    def classified(self) -> Net:
        """A global maximum and a product, of any number of channels."""
        from onnx import shape_inference

        proto = shape_inference.infer_shapes(self.plain())
        shape = next(one for one in proto.graph.output if one.name == self.last)
        extents = [axis.dim_value for axis in shape.type.tensor_type.shape.dim][1:]
        if len(extents) > 1:
            self.flatten()
        return self.matrix("MatMul", (int(np.prod(extents)), 3))

    def plain(self):
        """The model with a quantiser's place taken by an Identity, whose shape ONNX infers."""
        proto = self.proto()
        for node in proto.graph.node:
            if node.domain == self.domain:
                node.domain, node.op_type = "", "Identity"
                del node.input[1:], node.attribute[:]
        return proto


Build = Callable[[Mode, int], Net]


@dataclass(frozen=True, eq=False)
class Case:
    """One network of the grid."""

    name: str
    mode: str
    build: Build

    def network(self) -> Net:
        return self.build(MODES[self.mode], zlib.crc32(self.name.encode()))


def layer(shape: tuple[int, ...], append: Callable[[Net], object], norm: int = 0) -> Build:
    """A network with one layer, which the activation follows if it gives ``norm`` channels."""

    def build(mode: Mode, seed: int) -> Net:
        net = Net(mode, *shape, seed=seed)
        append(net)
        if norm:
            net.activated(norm)
        return net.classified()

    return build


def cases() -> Iterator[Case]:
    """All cases: every layer in every mode."""
    for name, build in (*convolutions(), *pools(), *joins(), *moves(), *products(), *staircases()):
        for mode in MODES:
            yield Case(f"{name}-{mode}", mode, build)


def _added(net: Net, kind: str, given: Mapping[str, Any]) -> Net:
    return net.add(kind, **given)


def _text(**given: object) -> str:
    return " ".join(
        f"{key}={'x'.join(map(str, value)) if isinstance(value, tuple) else value}"
        for key, value in given.items()
    )


def convolutions() -> Iterator[tuple[str, Build]]:
    kernels = ((1, 1), (2, 2), (3, 3), (1, 5), (5, 1), (4, 3))
    for kernel, strides, pad in product(kernels, ((1, 1), (2, 2), (2, 1)), (0, 1)):
        given = {"strides": strides, "pads": (pad,) * 4}
        yield (
            f"conv {_text(kernel=kernel, **given)}",
            layer((3, 7, 8), lambda n, k=kernel, g=given: n.convolved(4, 3, k, **g), 4),
        )
    for kernel, steps, pad in product(((2, 2), (3, 2)), ((2, 1), (2, 2), (1, 3)), (0, 2)):
        given = {"dilations": steps, "pads": (pad,) * 4}
        yield (
            f"dilated conv {_text(kernel=kernel, **given)}",
            layer((3, 7, 8), lambda n, k=kernel, g=given: n.convolved(4, 3, k, **g), 4),
        )
    for kernel, stride, pad, many in product(((3, 3), (2, 1), (5, 5)), (1, 2), (0, 1), (1, 2)):
        given = {"strides": (stride,) * 2, "pads": (pad,) * 4, "group": 4}
        yield (
            f"depthwise {_text(kernel=kernel, multiplier=many, **given)}",
            layer(
                (4, 6, 7),
                lambda n, k=kernel, m=many, g=given: n.convolved(4 * m, 1, k, **g),
                4 * many,
            ),
        )
    for groups, pad, kernel in product((2, 3), (0, 1), ((1, 1), (3, 3))):
        given = {"group": groups, "pads": (pad,) * 4}
        yield (
            f"grouped conv {_text(kernel=kernel, **given)}",
            layer(
                (6, 5, 5), lambda n, k=kernel, g=given: n.convolved(6, 6 // g["group"], k, **g), 6
            ),
        )
    for taps, stride, pads, step in product((1, 3, 4), (1, 2), ((0, 0), (1, 2)), (1, 2)):
        given = {"strides": (stride,), "pads": pads, "dilations": (step,)}
        yield (
            f"conv 1d {_text(kernel=(taps,), **given)}",
            layer((3, 12), lambda n, k=(taps,), g=given: n.convolved(4, 3, k, **g), 4),
        )
    for size, stride in ((9, 1), (11, 4), (7, 2)):
        given = {"strides": (stride, stride), "pads": (size // 2,) * 4}
        yield (
            f"large conv {_text(kernel=(size, size), **given)}",
            layer((1, 12, 12), lambda n, k=(size, size), g=given: n.convolved(3, 1, k, **g), 3),
        )
    for pads in ((1, 1, 2, 2), (1, 3, 2, 3), (3, 0, 4, 0), (0, 0, 1, 0)):
        yield (
            f"padded conv {_text(pads=pads)}",
            layer((2, 5, 6), lambda n, p=pads: n.convolved(4, 2, (4, 4), pads=p), 4),
        )
    for auto, stride in product(("SAME_UPPER", "SAME_LOWER", "VALID"), (1, 2)):
        given = {"auto_pad": auto, "strides": (stride, stride)}
        yield (
            f"auto conv {_text(**given)}",
            layer((2, 5, 6), lambda n, g=given: n.convolved(4, 2, (2, 3), **g), 4),
        )
    yield "conv with bias", layer((2, 5, 6), lambda n: n.convolved(4, 2, bias=4, pads=(1,) * 4), 4)
    yield (
        "conv, two norms and a relu",
        layer((2, 5, 6), lambda n: n.convolved(4, 2).norm(4, 1.0).add("Relu"), 4),
    )
    yield (
        "two convs without an activation between scales",
        layer((2, 5, 6), lambda n: n.convolved(3, 2).activated(3, 0.3).convolved(4, 3), 4),
    )
    for size, stride, pad in product((1, 2, 3, 4), (1, 2, 3), (0, 1)):
        if pad < size:
            given = {"strides": (stride,) * 2, "pads": (pad,) * 4, "kernel_shape": (size,) * 2}
            yield (
                f"transposed conv {_text(**given)}",
                layer(
                    (2, 3, 4),
                    lambda n, s=size, g=given: n.matrix("ConvTranspose", (2, 3, s, s), **g),
                    3,
                ),
            )
    for name, given, own in (
        ("output padding", {"strides": (2, 2), "pads": (1,) * 4, "output_padding": (1, 1)}, 3),
        ("dilation", {"strides": (2, 1), "dilations": (1, 2)}, 3),
        ("groups", {"strides": (2, 2), "group": 2}, 2),
    ):
        yield (
            f"transposed conv with {name}",
            layer(
                (2, 3, 4),
                lambda n, g=given, o=own: n.matrix("ConvTranspose", (2, o, 3, 3), **g),
                own * given.get("group", 1),
            ),
        )
    yield (
        "transposed conv 1d",
        layer((2, 5), lambda n: n.matrix("ConvTranspose", (2, 3, 4), strides=(2,), pads=(1, 1)), 3),
    )


def pools() -> Iterator[tuple[str, Build]]:
    for kind, given in (
        *(
            ("MaxPool", {"kernel_shape": (k, k), "strides": (s, s)})
            for k, s in ((2, 2), (3, 2), (3, 1), (2, 3))
        ),
        ("MaxPool", {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1,) * 4}),
        ("MaxPool", {"kernel_shape": (2, 2), "strides": (2, 2), "ceil_mode": 1}),
        (
            "MaxPool",
            {"kernel_shape": (3, 2), "strides": (3, 2), "ceil_mode": 1, "pads": (1, 0, 1, 0)},
        ),
        ("MaxPool", {"kernel_shape": (2, 2), "dilations": (2, 2)}),
        ("MaxPool", {"kernel_shape": (2, 3), "dilations": (3, 1), "strides": (1, 2)}),
        *(
            ("AveragePool", {"kernel_shape": (k, k), "strides": (s, s)})
            for k, s in ((2, 2), (3, 1), (3, 2))
        ),
        *(
            (
                "AveragePool",
                {
                    "kernel_shape": (3, 3),
                    "strides": (s, s),
                    "pads": (1,) * 4,
                    "count_include_pad": c,
                },
            )
            for s, c in product((1, 2), (0, 1))
        ),
        ("AveragePool", {"kernel_shape": (2, 2), "strides": (2, 2), "ceil_mode": 1}),
    ):
        text = f"{kind} {_text(**given)}"
        append = partial(_added, kind=kind, given=given)
        yield text, layer((3, 7, 6), append, 3)
        yield (
            f"{text} of sums",
            layer((3, 7, 6), lambda n, a=append: a(n.convolved(3, 3, (1, 1)).activated(3)), 3),
        )
    for kind, size, stride in product(("MaxPool", "AveragePool"), (2, 3), (1, 2)):
        given = {"kernel_shape": (size,), "strides": (stride,)}
        yield (
            f"{kind} 1d {_text(**given)}",
            layer((3, 9), lambda n, k=kind, g=given: n.add(k, **g), 3),
        )
    yield "GlobalAveragePool", layer((3, 4, 4), lambda n: n.add("GlobalAveragePool"), 3)
    yield "GlobalAveragePool of 35", layer((3, 5, 7), lambda n: n.add("GlobalAveragePool"), 3)
    yield "ReduceMean", layer((3, 4, 4), lambda n: n.add("ReduceMean", axes=[2, 3], keepdims=1), 3)
    for size, mode in product((2, 4), ("FLOOR", "ROUND")):

        def truncated(net: Net, size=size, mode=mode) -> None:
            net.add("AveragePool", kernel_shape=(size, size), strides=(size, size))
            net.add("Mul", np.float32(size * size)).trunc(0.5, 8, 4, rounding_mode=mode)

        yield f"Trunc of {size}x{size} {mode}", layer((3, 8, 8), truncated)


def joins() -> Iterator[tuple[str, Build]]:
    for kind, shape in product(("Add", "Sub", "Mul", "Max", "Min"), ((3, 4, 5), (3, 7))):

        def both(net: Net, kind=kind) -> None:
            net.joined(kind, *net.two(3))

        yield f"{kind} of two branches {_text(shape=shape)}", layer(shape, both, 3)

    def difference(net: Net) -> None:
        net.joined("Sub", *net.two(3)).add("Abs")

    def chained(net: Net) -> None:
        entry = net.last
        one, other = net.two(3)
        third = net.on(entry).convolved(3, 3, (1, 1)).activated(3).last
        net.joined("Add", one, other)
        net.joined("Add", net.last, third)

    def excited(net: Net) -> None:
        frame = net.convolved(3, 3, (1, 1)).activated(3).last
        net.add("GlobalAveragePool").quant(4, scale=0.125).convolved(3, 3, (1, 1))
        net.add("HardSigmoid", alpha=1 / 6).quant(3, signed=0, scale=0.125)
        net.joined("Mul", frame, net.last)

    def attended(net: Net) -> None:
        frame = net.last
        net.convolved(1, 3, (1, 1)).activated(1)
        net.joined("Mul", frame, net.last)

    def residual(net: Net) -> None:
        frame = net.convolved(3, 3, (1, 1)).activated(3).last
        net.convolved(3, 3, pads=(1,) * 4).activated(3)
        net.joined("Add", net.last, frame)

    for name, append in (
        ("absolute difference", difference),
        ("Add of three branches", chained),
        ("squeeze and excite", excited),
        ("a map of one channel", attended),
        ("residual", residual),
    ):
        yield name, layer((3, 4, 5), append, 3)

    def fire(net: Net, count: int = 2) -> None:
        entry, ends = net.last, []
        for size in range(count):
            net.on(entry).convolved(2, 3, (2 * size + 1,) * 2, pads=(size,) * 4)
            ends.append(net.activated(2).last)
        net.joined("Concat", *ends, axis=1)

    yield "Concat of 2", layer((3, 5, 5), fire, 4)
    yield "Concat of 3", layer((3, 5, 5), lambda n: fire(n, 3), 6)
    yield "Concat, then a conv", layer((3, 5, 5), lambda n: (fire(n), n.convolved(3, 4)), 3)


def moves() -> Iterator[tuple[str, Build]]:
    def shuffled(net: Net, groups: int) -> None:
        for shape, perm in (
            ((0, groups, 6 // groups, 4, 5), (0, 2, 1, 3, 4)),
            ((0, 6, 4, 5), None),
        ):
            net.add("Reshape", np.array(shape, np.int64))
            if perm:
                net.add("Transpose", perm=perm)
        net.convolved(4, 6)

    def sliced(net: Net, start: int, end: int, step: int) -> None:
        net.add("Slice", *(np.array([one], np.int64) for one in (start, end, 1, step)))
        net.convolved(4, len(range(start, end, step)))

    for groups in (2, 3):
        yield f"shuffle of {groups}", layer((6, 4, 5), lambda n, g=groups: shuffled(n, g), 4)
    for ends in ((0, 3, 1), (2, 6, 1), (1, 6, 2)):
        yield f"Slice {_text(ends=ends)}", layer((6, 4, 5), lambda n, e=ends: sliced(n, *e), 4)
    for factors in ((2, 2), (1, 3), (3, 1)):
        given = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        scales = [np.zeros(0, np.float32), np.array([1, 1, *factors], np.float32)]
        yield (
            f"Resize {_text(factors=factors)}",
            layer(
                (3, 3, 4), lambda n, s=scales, g=given: n.add("Resize", *s, **g).convolved(4, 3), 4
            ),
        )
    for mode, size in product(("DCR", "CRD"), (2, 3)):
        given = {"blocksize": size, "mode": mode}
        yield (
            f"DepthToSpace {_text(**given)}",
            layer(
                (2 * size * size, 2, 3),
                lambda n, g=given: n.add("DepthToSpace", **g).convolved(4, 2, (2, 2)),
                4,
            ),
        )
    for size in (2, 3):
        yield (
            f"SpaceToDepth {size}",
            layer(
                (2, 6, 6),
                lambda n, s=size: n.add("SpaceToDepth", blocksize=s).convolved(
                    4, 2 * s * s, (2, 1)
                ),
                4,
            ),
        )
    for value, name in ((-0.5, "-1"), (0.5, "+1"), (0.0, "0")):
        yield (
            f"Pad with {name}",
            layer((2, 4, 5), lambda n, v=value: n.pad((1, 0, 2, 1), v).convolved(4, 2), 4),
        )


def products() -> Iterator[tuple[str, Build]]:
    for wide, high in ((16, 16), (128, 64), (7, 1)):
        yield (
            f"MatMul {wide}x{high}",
            layer((wide,), lambda n, s=(wide, high): n.matrix("MatMul", s), high),
        )
    yield "Gemm", layer((12,), lambda n: n.matrix("Gemm", (8, 12), transB=1, bias=8), 8)

    def sequence(net: Net, again: bool) -> None:
        """Tokens (T, C): a product for each; again with the same weights."""
        weights = net.weights(6, 6)
        for _ in range(1 + again):
            net._behind("MatMul", [net.last, weights], "").activated()

    def shared(net: Net) -> None:
        weights = net.weights(3, 3, 3, 3)
        for _ in range(2):
            net._behind("Conv", [net.last, weights], "", pads=(1,) * 4).activated(3)

    def shared_by_branches(net: Net) -> None:
        weights, entry = net.weights(3, 3, 1, 1), net.last
        one = net._behind("Conv", [entry, weights], "").activated(3).last
        other = net.on(entry).add("MaxPool", kernel_shape=(3, 3), pads=(1,) * 4).last
        other = net._behind("Conv", [other, weights], "").activated(3).last
        net.joined("Add", one, other)

    yield "MatMul of tokens", layer((4, 6), lambda n: sequence(n, False))
    yield "MatMul of tokens, shared", layer((4, 6), lambda n: sequence(n, True))
    yield "shared conv", layer((3, 4, 4), shared)
    yield "conv shared by branches", layer((3, 4, 4), shared_by_branches, 3)


def staircases() -> Iterator[tuple[str, Build]]:
    for bits in range(2, 9):
        yield (
            f"Quant to {bits} bits",
            layer((3, 4, 4), lambda n, b=bits: n.convolved(4, 3).norm(4, 2.0).quant(b, scale=0.25)),
        )
    modes = ("ROUND", "FLOOR", "CEIL", "ROUND_TO_ZERO", "HALF_UP", "HALF_DOWN", "UP", "DOWN")
    for mode in modes:
        yield (
            f"Quant {mode}",
            layer(
                (3, 4, 4), lambda n, m=mode: n.convolved(4, 3).quant(3, scale=0.75, rounding_mode=m)
            ),
        )
    for kind in ("LeakyRelu", "Elu", "Tanh", "HardSwish", "Sigmoid", "Abs"):
        yield (
            f"{kind} and Quant",
            layer((3, 4, 4), lambda n, k=kind: n.convolved(4, 3).add(k).quant(4, scale=0.25)),
        )
    limits = np.sort(np.random.default_rng(0).integers(-12, 12, (4, 3)) * 0.25, axis=1)
    for rows in (1, 4):
        yield (
            f"MultiThreshold of {rows}",
            layer((3, 4, 4), lambda n, r=rows: n.convolved(4, 3).thresholds(limits[:r], 0.5)),
        )


@dataclass(frozen=True)
class Verdict:
    """What became of a case: "exact", "refused" as docs/models.md says, or "wrong"."""

    name: str
    outcome: str
    reason: str = ""


def judge(case: Case, folder: Path) -> Verdict:
    """Lower a case, and compare the integer graph with the reference on random frames."""
    sketch = case.network()
    try:
        model = frontend.read(sketch.write(folder))
        result = frontend.lower(model)
    except UserError as error:
        named = any(re.search(one, str(error)) for one in REFUSED)
        return Verdict(case.name, "refused" if named else "wrong", str(error))
    except Exception as error:
        return Verdict(case.name, "wrong", f"{type(error).__name__}: {error}")
    images = sketch.images(FRAMES, -9, 9, 0.5)
    graph, host = result.graph.check(), result.host
    ours, expected = host.decode(graph.run(host.encode(images))), result.reference.run(images)
    if not np.array_equal(ours, expected):
        return Verdict(case.name, "wrong", f"{int((ours != expected).sum())} values differ")
    return Verdict(case.name, "exact")
