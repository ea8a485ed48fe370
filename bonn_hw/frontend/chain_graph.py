# SPDX-License-Identifier: BSD-3-Clause
"""The integer graph of a chain, straight from its shape: what the hardware of a candidate is.

The lowering reads it from a trained network; until then, thresholds are not known. Of everything
that hardware costs, only their memory and the accumulators depend on them. Here thresholds are
spread over the whole range of the sums, which takes the most bits. So a chain that fits will still
fit when it is trained; of the networks in the zoo, the trained ones take 3 to 6 % fewer LUT.

Kernels are made once for each shape, so that `explore.hardware` can keep their tables by identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from bonn_hw.errors import UserError
from bonn_hw.frontend.padding import Geometry
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.sliding_window import SlidingWindow

ELEMENTS = {"8-bit": Element(-128, 127), "1-bit": BIPOLAR}
"""Values of the image by the option ``input``, as `nn.models.chains.INPUTS` quantises it."""
POOL = (2, 2)
Shape3 = tuple[int, int, int]


@dataclass(frozen=True)
class Matrix:
    """The shape of a matrix layer.

    Attributes
    ----------
    name
        Of the layer in the network.
    source
        What it reads, ``(H, W, C)`` for a convolution or ``(1, 1, features)``.
    element
        Of its inputs.
    outputs
        Channels or neurons.
    geometry
        Windows of a convolution; None for a dense layer. A window of one pixel has one as well.
    compares
        Whether its outputs are bits; the head's are integers.
    """

    name: str
    source: Shape3
    element: Element
    outputs: int
    geometry: Geometry | None = None
    compares: bool = True


@dataclass(frozen=True)
class ChainShape:
    """The options of `nn.models.chains.chain` that decide the hardware, with the same defaults."""

    in_channels: int = 1
    classes: int = 10
    convs: tuple[int, ...] = (16, 32)
    pools: tuple[int, ...] = (2,)
    hidden: tuple[int, ...] = (64,)
    size: int = 28
    padded: bool = True
    kernels: tuple[int, ...] = (3,)
    strides: tuple[int, ...] = (1,)
    input: str = "8-bit"

    @property
    def windows(self) -> list[tuple[int, int, int]]:
        """Kernel size, stride and padding of each convolution; see `of_convolutions`."""
        return of_convolutions(len(self.convs), self.kernels, self.strides, self.padded)

    @property
    def plain(self) -> ChainShape:
        """The same hardware with a kernel and a stride for each convolution: equal if it is."""
        windows = self.windows
        kernels, strides = (tuple(one[place] for one in windows) for place in (0, 1))
        if all(kernel in (1, 2) for kernel in kernels):  # so small a window has no padding
            return replace(self, padded=True, kernels=kernels, strides=strides)
        return replace(self, kernels=kernels, strides=strides)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ChainShape:
        """The shape of a network with these options; ``method`` does not change it."""
        own: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in options.items()
            if key in cls.__dataclass_fields__
        }
        return cls(**own)


def of_convolutions(
    count: int, kernels: Sequence[int], strides: Sequence[int], padded: bool
) -> list[tuple[int, int, int]]:
    """Kernel size, stride and padding of each of `count` convolutions of a chain.

    The last kernel and stride hold for the convolutions that have none of their own. Padded
    convolutions of odd kernels and stride 1 keep height and width.

    Raises
    ------
    UserError
        If there are none, or more than convolutions.
    """
    sizes = []
    for name, values in (("kernels", kernels), ("strides", strides)):
        if not 0 < len(values) <= max(1, count):
            raise UserError(
                f"network: {name} {list(values)} must be one for all {count} convolutions, or at "
                "most one for each, of which the last holds for the rest"
            )
        sizes.append([*values, *[values[-1]] * (count - len(values))][:count])
    return [
        (kernel, stride, (kernel - 1) // 2 if padded else 0)
        for kernel, stride in zip(*sizes, strict=True)
    ]


def chain_graph(shape: ChainShape, unit: Callable[[Matrix], Mvu] | None = None) -> DataflowGraph:
    """The graph that the lowering makes of such a chain, names included.

    Parameters
    ----------
    unit : function or None
        Makes the kernel of a layer; None: `bound`.

    Raises
    ------
    UserError
        If the shape leaves no pixel, or names a pool behind a convolution that is not there.
    """
    build = _Builder(TensorType((shape.size, shape.size, shape.in_channels), ELEMENTS[shape.input]))
    make = unit or bound
    if any(place > len(shape.convs) for place in shape.pools):
        raise UserError(f"network: {len(shape.convs)} convolutions, and pools {list(shape.pools)}")
    for place, (outputs, window) in enumerate(zip(shape.convs, shape.windows, strict=True)):
        name = f"conv{place}"
        build.convolution(name, outputs, window, make)
        if place + 1 in shape.pools:
            height, width, _ = build.frame
            if min(height, width) < 2:
                raise _nothing_left(shape, name)
            build.add(f"{name}_pool", _kernel(MaxPool, build.kind, POOL))
        if min(build.frame[:2]) < 1:
            raise _nothing_left(shape, name)
    for place, outputs in enumerate(shape.hidden):
        build.dense(f"fc{place}", outputs, True, make)
    build.dense("head", shape.classes, False, make)
    return build.graph()


def _nothing_left(shape: ChainShape, name: str) -> UserError:
    return UserError(
        f"network: images of {shape.size}x{shape.size} pixels leave nothing behind {name}; every "
        "feature map must keep a pixel"
    )


@dataclass
class _Builder:
    """Appends kernels one behind the other, with the names that the lowering gives."""

    kind: TensorType
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, TensorType] = field(default_factory=dict)
    last: str = "input"

    def __post_init__(self) -> None:
        self.tensors[self.last] = self.kind

    @property
    def frame(self) -> Shape3:
        return self.kind.shape

    def add(self, origin: str, kernel: Kernel) -> None:
        place = sum(node.kernel.stem == kernel.stem for node in self.nodes)
        name = f"{kernel.stem}_{place}"
        out = f"{name}_out"
        self.nodes.append(Node(name, kernel, (self.last,), (out,), origin))
        self.kind = self.tensors[out] = kernel.outputs[0]
        self.last = out

    def convolution(
        self,
        name: str,
        outputs: int,
        window: tuple[int, int, int],
        make: Callable[[Matrix], Mvu],
    ) -> None:
        height, width, _ = self.frame
        size, step, pad = window
        kernel, stride, pads = (size, size), (step, step), (pad, pad, pad, pad)
        geometry = Geometry((height, width), kernel, stride, pads)
        if min(geometry.pixels) < 1:
            raise UserError(
                f"network: a {size}x{size} window of {name} does not fit {height}x{width} pixels; "
                "every feature map must keep a pixel"
            )
        source, element = self.frame, self.kind.element
        if pad:  # a bipolar tensor has no zero: it is streamed as -1, and thresholds correct it
            self.add(name, _kernel(Pad, self.kind, pads, -1 if element.bipolar else 0))
        if window[:2] != (1, 1):
            self.add(name, _kernel(SlidingWindow, self.kind, kernel, stride))
        self.add(name, make(Matrix(name, source, element, outputs, geometry)))

    def dense(self, name: str, outputs: int, compares: bool, make: Callable[[Matrix], Mvu]) -> None:
        source = (1, 1, self.kind.size)
        matrix = Matrix(name, source, self.kind.element, outputs, None, compares)
        self.add(name, make(matrix))

    def graph(self) -> DataflowGraph:
        return DataflowGraph(tuple(self.nodes), self.tensors, "input", self.last)


@cache
def _kernel(kind: type[Any], *arguments: Any) -> Kernel:
    """The kernel of these arguments: the same object each time."""
    made: Kernel = kind(*arguments)
    return made


def bound(layer: Matrix) -> Mvu:
    """A matrix unit with thresholds that take the most hardware; the same object for each shape."""
    return _bound(layer.source, layer.element, layer.outputs, layer.geometry, layer.compares)


@cache
def _bound(
    source: Shape3, element: Element, outputs: int, geometry: Geometry | None, compares: bool
) -> Mvu:
    pixels, rows, columns, wide, classes = borders(source, element, geometry)
    # One value seen from everywhere: the bounds of the sums do not depend on the signs.
    weights = np.broadcast_to(np.int8(1), (outputs, wide))
    if not compares:
        offsets = np.zeros((1, outputs), np.int64)
        return Mvu(pixels, element, weights, None, offsets, rows, columns)
    low, high = wide * element.low, wide * element.high + 1
    thresholds = np.random.default_rng(wide).integers(low, high + 1, (classes, outputs))
    thresholds[0, 0], thresholds[-1, -1] = low, high
    return Mvu(pixels, element, weights, thresholds, None, rows, columns)


def borders(
    source: Shape3, element: Element, geometry: Geometry | None
) -> tuple[tuple[int, int], tuple[int, ...], tuple[int, ...], int, int]:
    """Pixels (OH, OW), row and column classes, inputs MW, and number of classes of a layer."""
    if geometry is None:
        return (1, 1), (0,), (0,), source[2], 1
    pixels, wide = geometry.pixels, geometry.kernel[0] * geometry.kernel[1] * source[2]
    if not (element.bipolar and any(geometry.pads)):
        # Without pads, and with integers, whose zero is a zero, there is nothing to correct.
        return pixels, (0,) * pixels[0], (0,) * pixels[1], wide, 1
    rows, columns, _ = geometry.classes()
    return pixels, rows, columns, wide, (rows[-1] + 1) * (columns[-1] + 1)
