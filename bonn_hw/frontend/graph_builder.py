# SPDX-License-Identifier: BSD-3-Clause
"""Build the graph: append kernels to its branches; matrix layers stay pending at first."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bonn_hw.frontend.padding import Geometry, Pads
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.tensor import Element, TensorType
from bonn_hw.kernels.copy_channels import CopyChannels
from bonn_hw.kernels.depthwise import Depthwise
from bonn_hw.kernels.max_pool import MaxPool, Pool
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.kernels.stream_fork import StreamFork


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix layer before its kernel is made, since the activation may still flip its weights.

    ``weights @ x + corrections`` is the model's sum; corrections ``(classes, MH)`` compensate for
    true zeros of padding, which are streamed as −1. `pools` are max pools of the sums. With
    `copies` ``(C,)`` the layer has C channels: channel i is a copy of the sums of neuron
    ``copies[i]``. A `depthwise` layer has one channel a neuron; its weights are ``(MH, KH * KW)``.
    """

    pixels: tuple[int, int]
    element: Element
    weights: NDArray[np.int8 | np.int16]
    corrections: NDArray[np.int64]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    origin: str
    pools: tuple[tuple[Geometry, str], ...] = ()
    copies: NDArray[np.int64] | None = None
    depthwise: bool = False

    def selected(self, index: NDArray[np.int64]) -> Matrix:
        """Keep the neurons in `index`, in this order; those in it twice are copied, not computed.

        Parameters
        ----------
        index : int64 ``(C,)``
            For each channel its neuron.
        """
        kept, copies = np.unique(index, return_inverse=True)
        if len(kept) == len(index):
            return self._of(index, None)
        return self._of(kept, copies.astype(np.int64))

    def computed(self) -> Matrix:
        """The same layer without copies: a neuron for each channel."""
        if self.copies is None:
            return self
        return self._of(self.copies, None)

    def _of(self, neurons: NDArray[np.int64], copies: NDArray[np.int64] | None) -> Matrix:
        weights, corrections = self.weights[neurons], self.corrections[:, neurons]
        return replace(self, weights=weights, corrections=corrections, copies=copies)

    def flipped(self, which: NDArray[np.bool_]) -> Matrix:
        """Negate the sums of some neurons."""
        sign = np.where(which, -1, 1).astype(np.int32)  # int32: the smallest int16 has no negative
        return replace(
            self,
            weights=self.weights * sign[:, None],
            corrections=self.corrections * sign,
        )

    def bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Smallest and largest sum of each neuron, ``(MH,)``."""
        positive = np.maximum(self.weights, 0).sum(axis=1, dtype=np.int64)
        negative = positive - self.weights.sum(axis=1, dtype=np.int64)
        low, high = self.element.low, self.element.high
        return positive * low - negative * high, positive * high - negative * low

    def sums(self, kind: TensorType) -> Kernel:
        """Make the kernel whose output is the sum itself, for inputs of a type."""
        if self.depthwise:
            taps = self.weights.shape[1]
            weights = self.weights.reshape(kind.shape[2] // taps, -1, taps)
            return Depthwise(self.pixels, self.element, weights)
        return self.unit(None)

    def unit(self, thresholds: NDArray[np.int64] | None) -> Mvu:
        """Make the matrix unit, with thresholds on the sum; None: the output is the sum itself."""
        limits = None if thresholds is None else thresholds - self.corrections
        if limits is not None and self.element.bipolar and (np.abs(self.weights) == 1).all():
            # A sum of n values of ±1 has the parity of n: round the threshold up to that parity.
            limits = limits + (limits - self.weights.shape[1]) % 2
        offsets = self.corrections if thresholds is None else None
        return Mvu(
            self.pixels, self.element, self.weights, limits, offsets, self.rows, self.columns
        )


@dataclass
class GraphBuilder:
    """The end of one branch of the graph; all branches share `nodes` and `tensors`.

    ``origin`` is the model's layer that the last kernel of the branch computes.
    """

    kind: TensorType
    tensor: str = "input"
    origin: str = ""
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, TensorType] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tensors[self.tensor] = self.kind

    def add(self, kernel: Kernel, origin: str, *others: GraphBuilder) -> None:
        """Append a kernel whose inputs are this branch and the others."""
        (output,) = self._append(kernel, origin, *others)
        self.tensor, self.kind, self.origin = output, self.tensors[output], origin

    def copied(self) -> GraphBuilder:
        """A builder of a graph of its own, which starts with this one's kernels."""
        return replace(self, nodes=[*self.nodes], tensors={**self.tensors})

    def fork(self, copies: int, origin: str) -> list[GraphBuilder]:
        """Append a fork, and return one builder per copy."""
        ends = self._append(StreamFork(self.kind, copies), origin)
        return [replace(self, tensor=end, origin=origin) for end in ends]

    def _append(self, kernel: Kernel, origin: str, *others: GraphBuilder) -> tuple[str, ...]:
        number = sum(node.kernel.stem == kernel.stem for node in self.nodes)
        name, kinds = f"{kernel.stem}_{number}", kernel.outputs
        single = len(kinds) == 1
        outputs = tuple(f"{name}_out" if single else f"{name}_out{i}" for i in range(len(kinds)))
        inputs = (self.tensor, *(other.tensor for other in others))
        self.nodes.append(Node(name, kernel, inputs, outputs, origin))
        self.tensors.update(zip(outputs, kinds, strict=True))
        return outputs

    def pad(self, frame: tuple[int, int], pads: Pads, value: int, origin: str) -> None:
        """Append a border, if there is one."""
        if any(pads):
            self.add(Pad(self.framed(frame), pads, value), origin)

    def windows(self, geometry: Geometry, padding: int, origin: str) -> None:
        """Append the input of a convolution: the padding and the sliding window."""
        self.pad(geometry.frame, geometry.pads, padding, origin)
        if geometry.kernel != (1, 1) or geometry.stride != (1, 1):
            frame = self.framed(geometry.padded)
            self.add(SlidingWindow(frame, geometry.kernel, geometry.stride), origin)

    def pool(self, kind: type[Pool], geometry: Geometry, padding: int, origin: str) -> None:
        """Append a pool; windows that overlap or leave gaps need a sliding window before it."""
        if geometry.kernel == geometry.stride and geometry.dilation == (1, 1):
            self.pad(geometry.frame, geometry.pads, padding, origin)
            self.add(kind(self.framed(geometry.padded), geometry.kernel), origin)
            return
        self.windows(geometry, padding, origin)
        # The taps of a window follow each other in the stream, like rows of one pixel.
        taps, pixels = len(geometry.taps), geometry.pixels[0] * geometry.pixels[1]
        if geometry.dilation != (1, 1):
            all_taps = geometry.kernel[0] * geometry.kernel[1]
            self.kind = self.framed((pixels, 1))
            channels = self.kind.shape[2] // all_taps
            chosen = geometry.taps[:, None] * channels + np.arange(channels)
            self.copy(chosen.reshape(-1), origin)
        rows = pixels * taps
        self.add(kind(self.framed((rows, 1)), (taps, 1)), origin)

    def pools(self, matrix: Matrix) -> None:
        """Append the pools on the sums of a matrix layer, and their copies."""
        for geometry, origin in matrix.pools:
            self.pool(MaxPool, geometry, self.kind.element.low, origin)
        self.copy(matrix.copies, matrix.origin)

    def copy(self, copies: NDArray[np.int64] | None, origin: str) -> None:
        """Append copies of channels, if there are any."""
        if copies is not None:
            self.add(CopyChannels(self.kind, copies), origin)

    def framed(self, frame: tuple[int, int]) -> TensorType:
        """The branch's tensor as frames of (H, W) pixels."""
        channels = self.kind.size // (frame[0] * frame[1])
        return TensorType((*frame, channels), self.kind.element)

    def graph(self) -> DataflowGraph:
        """Return the finished graph."""
        return DataflowGraph(tuple(self.nodes), self.tensors, "input", self.tensor).check()
