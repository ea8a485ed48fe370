# SPDX-License-Identifier: BSD-3-Clause
"""ConvTranspose: a convolution without the zeros between pixels, and depth to space.

Output pixel ``s * q + r`` is the sum of ``x[q + u] * w[r + p - s * u]`` over all u, for a stride s,
padding p, and phase r. So all ``s * s`` phases are outputs of one convolution over x, whose kernel
has the K/s taps that meet pixels; the zeros that are put between pixels are never computed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.frontend.attributes import Malformed, has, integer, integers, text
from bonn_hw.frontend.branch import Branch
from bonn_hw.frontend.context import Probe
from bonn_hw.frontend.graph_builder import Matrix
from bonn_hw.frontend.operator import Kind, Operator
from bonn_hw.frontend.operators.convolution import LARGEST_KERNEL
from bonn_hw.frontend.padding import Geometry
from bonn_hw.frontend.weights import Weights, bias, constant_weights, quantised
from bonn_hw.frontend.windows import both, image_in_order, ordered
from bonn_hw.kernels.depth_to_space import DepthToSpace
from bonn_hw.kernels.sliding_window import SlidingWindow


@dataclass(frozen=True)
class Axis:
    """A transposed convolution along one axis.

    Attributes
    ----------
    before, after : int
        Pixels of the input and of the output.
    taps, stride, pad : int
        Taps with their dilation, and the padding at the beginning.
    """

    before: int
    after: int
    taps: int
    stride: int
    pad: int

    @property
    def pixels(self) -> int:
        """Blocks of ``stride`` output pixels; the last one may be cut."""
        return -(-self.after // self.stride)

    @property
    def first(self) -> int:
        """The lowest u."""
        return min(0, -((self.taps - 1 - self.pad) // self.stride))

    @property
    def last(self) -> int:
        """The highest u; beyond the last tap where the output ends before the input."""
        return max((self.stride - 1 + self.pad) // self.stride, self.before - self.pixels)

    @property
    def pads(self) -> tuple[int, int]:
        """Zeros before and after the input."""
        return -self.first, self.pixels + self.last - self.before

    def places(self) -> NDArray[np.int64]:
        """The tap at each phase and each u ``(stride, last - first + 1)``; -1: there is none."""
        phases, offsets = np.arange(self.stride), np.arange(self.first, self.last + 1)
        taps = np.add.outer(phases + self.pad, -self.stride * offsets)
        return np.where((taps >= 0) & (taps < self.taps), taps, -1)


def transposed(branch: Branch, node: NodeProto) -> None:
    """Lower a transposed convolution."""
    values = constant_weights(node, branch.model)
    if values.ndim not in (3, 4):
        raise UnsupportedModel(
            f"{node.name}: only transposed convolutions over images (2 dimensions) and sequences "
            "(1) are supported"
        )
    branch.materialise(node)
    frame, element = image_in_order(branch, node), branch.builder.kind.element
    weights = quantised(node, _outputs_first(values, integer(node, "group", 1)), branch.model)
    given, filters = weights.values, _filters(node, weights.values, branch.pending.channels)
    down, right = axes = _axes(node, branch, frame, filters.shape[2:])
    phases = _phases(filters, axes)
    pads = (down.pads[0], right.pads[0], down.pads[1], right.pads[1])
    zero = -1 if element.bipolar else 0
    geometry = Geometry(frame, (phases.shape[2], phases.shape[3]), (1, 1), pads)
    outputs = (down.after, right.after)
    _state(branch, node, weights, filters, outputs, _inputs_first(given, values.shape))
    _append(branch, node, geometry, phases, axes, zero)
    branch.matrix = None
    (tensor, order), scale = branch.sums, branch.pending.scale
    branch.context.probes.append(
        Probe(node.name, tensor, branch.builder.tensor, order, scale, sums=True)
    )


def _outputs_first(values: NDArray[np.float32], groups: int) -> NDArray[np.float32]:
    """Weights (C, M/G, ...) of a file as (M, C/G, ...)."""
    inputs, own, *taps = values.shape
    if groups < 1 or inputs % groups:
        raise Malformed(f"{groups} groups of {inputs} channels")
    grouped = values.reshape(groups, inputs // groups, own, *taps).swapaxes(1, 2)
    return grouped.reshape(groups * own, inputs // groups, *taps)


def _inputs_first(values: NDArray[np.int16], shape: tuple[int, ...]) -> NDArray[np.int16]:
    """The reverse, to the shape of the file."""
    own, (high, inputs, *taps) = shape[1], values.shape
    grouped = values.reshape(high // own, own, inputs, *taps).swapaxes(1, 2)
    return grouped.reshape(shape)


def _filters(node: NodeProto, values: NDArray[np.int16], channels: int) -> NDArray[np.int16]:
    """Filters ``(M, C, KH, KW)`` with zeros between dilated taps and for the other groups."""
    steps = integers(node, "dilations", (1,) * (values.ndim - 2), values.ndim - 2)
    if values.ndim == 3:
        values, steps = values[..., None], (*steps, 1)
    high, own, *taps = values.shape
    sizes = [(count - 1) * step + 1 for count, step in zip(taps, steps, strict=True)]
    if max(sizes) > LARGEST_KERNEL:
        raise UnsupportedModel(
            f"{node.name}: a kernel of {'x'.join(map(str, sizes))}, dilation included, is too "
            f"large; at most {'x'.join([str(LARGEST_KERNEL)] * len(sizes))}"
        )
    filters = np.zeros((high, channels, *sizes), values.dtype)
    groups = channels // own
    for group, part in enumerate(np.split(np.arange(high), groups)):
        mine = slice(group * own, (group + 1) * own)
        filters[part, mine, :: steps[0], :: steps[1]] = values[part]
    return filters


def _axes(
    node: NodeProto, branch: Branch, frame: tuple[int, int], taps: tuple[int, ...]
) -> tuple[Axis, Axis]:
    """Read strides and pads; raises UnsupportedModel."""
    count = branch.pending.order.ndim - 1
    if has(node, "output_shape") or text(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise UnsupportedModel(
            f"{node.name}: a ConvTranspose with output_shape or auto_pad is not supported; give "
            "pads and output_padding"
        )
    strides = both(integers(node, "strides", (1,) * count, count), 1, "strides")
    pads = integers(node, "pads", (0,) * 2 * count, 2 * count)
    begins = both(pads[:count], 0, "pads")
    shape = branch.model.shapes.get(node.output[0], (0,) * (1 + count))
    after = both(shape[1:], 1, "an output")
    if min(strides) < 1 or min(pads) < 0 or min(after) < 1:
        raise Malformed(f"strides {strides} and pads {pads}, for an output of {after}")
    down, right = (Axis(*one) for one in zip(frame, after, taps, strides, begins, strict=True))
    return down, right


def _phases(filters: NDArray[np.int16], axes: tuple[Axis, Axis]) -> NDArray[np.int16]:
    """Filters of all phases ``(SY * SX * M, C, UY, UX)``, with zeros where there is no tap."""
    rows, columns = (axis.places() for axis in axes)
    padded = np.pad(filters, ((0, 0), (0, 0), (0, 1), (0, 1)))  # place -1 is zero
    chosen = padded[:, :, rows[:, None, :, None], columns[None, :, None, :]]
    each = chosen.transpose(2, 3, 0, 1, 4, 5)
    return each.reshape(-1, filters.shape[1], rows.shape[1], columns.shape[1])


def _state(
    branch: Branch,
    node: NodeProto,
    weights: Weights,
    filters: NDArray[np.int16],
    pixels: tuple[int, int],
    given: NDArray[np.int16],
) -> None:
    """State the layer's sums, as those of a matrix of all taps that a pixel may meet."""
    high, element = len(filters), branch.builder.kind.element
    flat, (rows, columns) = filters.reshape(high, -1), pixels
    border = (np.zeros((1, high), np.int64), (0,) * rows, (0,) * columns)
    whole = Matrix(pixels, element, flat, *border, origin=node.name)
    order = ordered(branch, pixels, high)
    one_a_channel = replace(weights, values=flat)
    branch.add_matrix(node, whole, one_a_channel, given, order, bias(node, branch.model))


def _append(
    branch: Branch,
    node: NodeProto,
    geometry: Geometry,
    phases: NDArray[np.int16],
    axes: tuple[Axis, Axis],
    zero: int,
) -> None:
    """Append the convolution of all phases, and move them to their pixels."""
    builder, count = branch.builder, len(phases)
    element = builder.kind.element
    rows, columns = (0,) * geometry.pixels[0], (0,) * geometry.pixels[1]
    corrections = np.zeros((1, count), np.int64)
    if element.bipolar and any(geometry.pads):  # as in a convolution
        rows, columns, padded = geometry.classes()
        by_tap = phases.sum(axis=1, dtype=np.int64)
        corrections = np.einsum("kyx,myx->km", padded.astype(np.int64), by_tap)
    builder.windows(geometry, zero, node.name)
    element = builder.kind.element  # with the border
    flat = phases.transpose(0, 2, 3, 1).reshape(count, -1)
    unit = Matrix(geometry.pixels, element, flat, corrections, rows, columns, node.name)
    builder.add(unit.sums(builder.kind), node.name)
    low, high = (ends.reshape(-1, branch.pending.channels) for ends in unit.bounds())
    branch.pending = replace(branch.pending, low=low.min(axis=0), high=high.max(axis=0))
    block = (axes[0].stride, axes[1].stride)
    blocks = (geometry.pixels[0] * block[0], geometry.pixels[1] * block[1])
    if block[0] > 1:
        builder.add(DepthToSpace(builder.kind, block), node.name)
    builder.kind = builder.framed(blocks)
    after = (axes[0].after, axes[1].after)
    if after != blocks:  # one window, which leaves out the last rows and columns
        builder.add(SlidingWindow(builder.kind, after, blocks), node.name)
        builder.kind = builder.framed(after)


OPERATORS = (
    Operator(
        ("ConvTranspose",),
        Kind.MATRIX,
        "as `Conv`: any kernel, stride, pads, output_padding, dilation and groups. The zeros "
        "between pixels are not computed: a convolution computes all phases, and their channels "
        "become pixels. Not with `output_shape` or `auto_pad`",
        transposed,
    ),
)
