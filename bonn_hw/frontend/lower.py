# SPDX-License-Identifier: BSD-3-Clause
"""Model -> DataflowGraph: exact by evaluation over the whole range of every accumulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import Refused, UserError
from bonn_hw.frontend import chain as chains
from bonn_hw.frontend import execute
from bonn_hw.frontend.chain import ELEMENTWISE, SHAPE, Chain
from bonn_hw.frontend.host import Host
from bonn_hw.frontend.load import Model, attributes
from bonn_hw.frontend.padding import Geometry, Pads, explicit_pads
from bonn_hw.ir.graph import DataflowGraph, Node
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.kernel import Kernel
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.pad import Pad
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.kernels.threshold import Threshold

HOST_ONLY = frozenset(("Softmax", "LogSoftmax"))


class Activation(Protocol):
    """A 1-bit activation as PyTorch evaluates it (`nn.checkpoint.Activation`)."""

    name: str
    function: Callable[[NDArray[np.float32]], NDArray[np.int8]]


@dataclass(frozen=True, eq=False)
class Lowered:
    """The accelerator's graph, the host's part, and what there is to say about rounding."""

    graph: DataflowGraph
    host: Host
    findings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Matrix:
    """A matrix layer whose kernel is not made yet: its activation may still flip its weights.

    ``weights @ x + corrections`` is the model's sum; corrections make up for padding with −1.
    """

    pixels: tuple[int, int]
    element: Element
    weights: NDArray[np.int8]
    corrections: NDArray[np.int64]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    origin: str

    def flipped(self, which: NDArray[np.bool_]) -> _Matrix:
        """Turn the sign of some neurons' sums."""
        sign = np.where(which, -1, 1)
        return replace(
            self,
            weights=(self.weights * sign[:, None]).astype(np.int8),
            corrections=self.corrections * sign,
        )

    def kernel(self, thresholds: NDArray[np.int64] | None) -> Mvu:
        """Make the unit: with thresholds on the sum, or giving the sum itself."""
        levels = None if thresholds is None else thresholds - self.corrections
        offsets = self.corrections if thresholds is None else None
        return Mvu(
            self.pixels, self.element, self.weights, levels, offsets, self.rows, self.columns
        )


def lower(model: Model, activations: Sequence[Activation] | None = None) -> Lowered:
    """Lower a model.

    Parameters
    ----------
    activations : sequence or None
        PyTorch's view of the activations after matrix layers, in the network's order. Where it
        differs from ONNX Runtime's (a tie within float rounding), that is reported and PyTorch's
        is taken.

    Raises
    ------
    Refused
        If a layer is outside the supported set; the message names it and the remedy.
    """
    return _Lowering(model, activations).run()


class _Lowering:
    """The walk from the input to the output: what was emitted, and the value on its way."""

    def __init__(self, model: Model, activations: Sequence[Activation] | None) -> None:
        self.model = model
        self.activations = None if activations is None else list(activations)
        self.nodes: list[Node] = []
        self.tensors: dict[str, TensorType] = {}
        self.findings: list[str] = []
        self.matrix: _Matrix | None = None
        self.pools: list[tuple[NodeProto, Geometry]] = []  # on sums of `matrix`, not emitted yet
        self.zeros: Pads = (0, 0, 0, 0)  # an explicit Pad with the true zero, for the next layer
        self.early: tuple[NodeProto, Pads, np.float32, int] | None = None  # a Pad of float values
        self.tensor = "input"
        self.kind: TensorType
        self.chain: Chain

    def run(self) -> Lowered:
        path = self._path()
        head = self._head(path)
        ends = [i for i, node in enumerate(path) if node.op_type in ("Conv", "MatMul", "Gemm")]
        if not ends or ends[-1] < len(head):
            raise Refused("the model has no matrix layer (Conv, MatMul, Gemm) behind its input")
        host = self._start(path, head)
        rest = path[len(head) :]
        for place, node in enumerate(rest):
            if node.op_type in ELEMENTWISE | SHAPE:
                self.chain = self.chain.then(node, self.model)
            elif node.op_type == "Conv":
                self._convolution(node)
            elif node.op_type in ("MatMul", "Gemm"):
                self._dense(node)
            elif node.op_type == "MaxPool":
                self._pool(node)
            elif node.op_type == "Pad":
                self._pad(node)
            elif node.op_type in HOST_ONLY and place + len(head) > ends[-1]:
                return self._finish(host, list(rest[place:]))
            else:
                raise _unsupported(node)
        return self._finish(host, [])

    # The way through the model.

    def _path(self) -> list[NodeProto]:
        """Nodes from the input to the output; anything but a chain is refused."""
        path, tensor = [], self.model.input
        while tensor != self.model.output:
            takers = [node for node in self.model.nodes if tensor in node.input]
            if len(takers) != 1:
                names = ", ".join(f"{n.name} ({n.op_type})" for n in takers) or "nothing"
                raise Refused(
                    f"tensor {tensor!r} feeds {names}: branches and residual connections are not "
                    "supported; every layer must feed exactly one other"
                )
            node = takers[0]
            if list(node.input).count(tensor) > 1 or any(
                name and name != tensor and name not in self.model.constants for name in node.input
            ):
                raise Refused(
                    f"{node.name} ({node.op_type}) joins several computed tensors: residual "
                    "connections are not supported; every layer must have one input"
                )
            path.append(node)
            tensor = node.output[0]
        return path

    def _head(self, path: list[NodeProto]) -> list[NodeProto]:
        """The host's operators: up to the last quantiser before the first layer."""
        end = next(
            (i for i, n in enumerate(path) if n.op_type not in ELEMENTWISE | SHAPE), len(path)
        )
        quantised = [i for i in range(end) if path[i].output[0] in self.model.grids]
        if quantised:
            return path[: quantised[-1] + 1]
        if self.model.annotation is None:
            raise Refused(
                f"the input {self.model.input!r} is not quantised before {path[end].name if end < len(path) else 'the output'}: put a "
                "quantiser there (brevitas QuantIdentity), or annotate its integer type"
            )
        return []

    def _start(self, path: list[NodeProto], head: list[NodeProto]) -> Host:
        model = self.model
        last = head[-1].output[0] if head else model.input
        grid = model.grids[last] if head else model.annotation
        assert grid is not None
        if grid.scale.size != 1:
            raise Refused(
                f"{head[-1].name}: the input quantiser has a scale a channel; use one for all"
            )
        shape = model.shapes[last]
        if len(shape) == 3:
            kind_shape = (shape[1], shape[2], shape[0])
            order = chains.canonical(kind_shape)
        elif len(shape) == 1:
            kind_shape, order = (1, 1, shape[0]), np.arange(shape[0], dtype=np.int64)
        else:
            raise Refused(
                f"the quantised input has the shape {shape}: images (C, H, W) or vectors (F) are "
                "supported"
            )
        element = BIPOLAR if grid.bipolar else Element(grid.low, grid.high)
        step = np.float32(grid.scale.reshape(-1)[0])
        self.kind = TensorType(kind_shape, element)
        self.tensors["input"] = self.kind
        channels = kind_shape[2]
        self.chain = _integers(element, channels, step, order)
        opset = model.opset
        entry = {model.input: (1, 1 + len(model.shapes[model.input]))}
        proto = execute.assemble(head, entry, [last], model.constants, opset) if head else None
        return Host(
            input_shape=model.shapes[model.input],
            head=proto,
            tail=None,
            step=float(step),
            element=element,
            encode_order=order,
            decode_order=order,
            scale=np.ones(1, np.float32),
        )

    def _finish(self, host: Host, rest: list[NodeProto]) -> Lowered:
        """What still waits is computed on the host, from integers."""
        chain = self.chain
        if self.early or any(self.zeros):
            raise Refused("the model ends with padding; end it with a layer")
        if self.matrix is not None:
            self._emit_sums()
        nodes = [*chain.nodes, *rest]
        first = chain.orders[0] if chain.orders else chain.order
        proto = None
        if nodes:
            entry = next(n for n in nodes[0].input if n and n not in self.model.constants)
            kinds = {entry: (1, 1 + first.ndim)}
            output = [self.model.output]
            proto = execute.assemble(nodes, kinds, output, self.model.constants, self.model.opset)
        if self.activations:
            raise UserError(
                f"the checkpoint has {len(self.activations)} more activations than the model: "
                "compile the model that was exported from it"
            )
        graph = DataflowGraph(tuple(self.nodes), self.tensors, "input", self.tensor).check()
        decoded = replace(host, tail=proto, decode_order=first, scale=chain.scale)
        return Lowered(graph, decoded, tuple(self.findings))

    # Layers.

    def _convolution(self, node: NodeProto) -> None:
        given = attributes(node)
        weights = self._weights(node, 1)
        if weights.ndim != 4 or self.chain.order.ndim != 3:
            raise Refused(
                f"{node.name}: only convolutions over images (2 dimensions) are supported"
            )
        if given.get("group", 1) != 1:
            raise Refused(
                f"{node.name}: a convolution in {given['group']} groups is not supported; use 1"
            )
        if set(_ints(given, "dilations", (1, 1))) != {1}:
            raise Refused(f"{node.name}: dilated convolutions are not supported; use dilation 1")
        kernel = (weights.shape[2], weights.shape[3])
        if max(kernel) > 7:
            raise Refused(
                f"{node.name}: a kernel of {kernel[0]}x{kernel[1]} is too large; at most 7x7"
            )
        self._settle(node)
        geometry = self._geometry(node, kernel)
        if any(self.zeros):
            top, left, bottom, right = self.zeros
            height, width = geometry.frame
            pads = tuple(a + b for a, b in zip(geometry.pads, self.zeros, strict=True))
            frame = (height - top - bottom, width - left - right)
            geometry = replace(geometry, frame=frame, pads=pads)
            self.zeros = (0, 0, 0, 0)
        step = self._step()
        bits = self.kind.element.bipolar
        zero = -1 if bits else 0
        if any(geometry.pads) and not self.kind.element.holds(np.array([zero])):
            raise Refused(
                f"{node.name}: pads with zero, which is outside of the input's range "
                f"[{self.kind.element.low}, {self.kind.element.high}]; widen the quantiser"
            )
        rows, columns = (0,) * geometry.pixels[0], (0,) * geometry.pixels[1]
        corrections = np.zeros((1, len(weights)), np.int64)
        ints, scale = self._signs(node, weights)
        if bits and any(geometry.pads):
            # The true zero: −1 is streamed, and the sum of the weights under it is added back.
            rows, columns, padded = geometry.classes()
            by_tap = ints.sum(axis=1, dtype=np.int64)
            corrections = np.einsum("kyx,myx->km", padded.astype(np.int64), by_tap)
        self._emit_windows(geometry, zero, node.name)
        flat = ints.transpose(0, 2, 3, 1).reshape(len(ints), -1)
        self._matrix(node, flat, scale, step, geometry.pixels, (corrections, rows, columns))
        if len(node.input) > 2 and node.input[2]:
            self._bias(node, np.asarray(self.model.constants[node.input[2]]), 3)

    def _dense(self, node: NodeProto) -> None:
        given = attributes(node)
        constant = [i for i, name in enumerate(node.input[:2]) if name in self.model.constants]
        if constant != [1]:
            raise Refused(f"{node.name}: the weights must be the right operand of {node.op_type}")
        weights = self._weights(node, 1)
        if weights.ndim != 2:
            raise Refused(f"{node.name}: weights of shape {weights.shape} are no matrix")
        if given.get("transA", 0):
            raise Refused(f"{node.name}: transA is not supported; keep the batch axis first")
        weights = weights if given.get("transB", 0) else weights.T
        self._settle(node)
        order = self.chain.order.reshape(-1)
        if self.chain.order.ndim != 1:
            raise Refused(
                f"{node.name}: multiplies a tensor of {self.chain.order.ndim + 1} axes; flatten it first"
            )
        step = self._step()
        ints, scale = self._signs(node, weights)
        streamed = np.empty_like(ints)
        streamed[:, order] = ints
        scale = scale * np.float32(given.get("alpha", 1.0))  # type: ignore[arg-type]
        none = (np.zeros((1, len(ints)), np.int64), (0,), (0,))
        self._matrix(node, streamed, scale, step, (1, 1), none)
        if len(node.input) > 2 and node.input[2]:
            beta = np.float32(given.get("beta", 1.0))  # type: ignore[arg-type]
            self._bias(node, beta * np.asarray(self.model.constants[node.input[2]]).reshape(-1), 1)

    def _pool(self, node: NodeProto) -> None:
        given = attributes(node)
        kernel = _ints(given, "kernel_shape", (1, 1))
        if len(kernel) != 2 or self.chain.order.ndim != 3:
            raise Refused(f"{node.name}: only pooling over images (2 dimensions) is supported")
        if set(_ints(given, "dilations", (1, 1))) != {1} or len(node.output) > 1:
            raise Refused(f"{node.name}: dilated pooling and its indices are not supported")
        geometry = self._geometry(node, (kernel[0], kernel[1]))
        if self.matrix is not None or self.chain.nodes:
            table = self.chain.table(self.model)
            if self._two_valued(table) is not None or self._step_of(table) is not None:
                self._settle(node)
            else:
                self._make_rising(node, table)
        if self.matrix is not None:
            self.pools.append((node, geometry))
        else:
            self._emit_pool(geometry, node.name)
        pixels = geometry.pixels
        self.chain = replace(self.chain, order=chains.canonical((*pixels, self.chain.channels)))

    def _pad(self, node: NodeProto) -> None:
        """An explicit Pad: of settled bits and integers now, of other values with its activation."""
        pads, value = _explicit(node, self.model)
        order = self.chain.order
        if order.ndim != 3 or self.early or self.pools or any(self.zeros):
            raise Refused(f"{node.name}: only one Pad of an image before a layer is supported")
        table = self.chain.table(self.model)
        top, left, bottom, right = pads
        _, height, width = order.shape
        padded = (height + top + bottom, width + left + right)
        if self._step_of(table) is not None:
            self._settle(node)
            self._emit_pad(node, pads, value)
        else:
            self.early = (node, pads, np.float32(value), len(self.chain.nodes))
        self.chain = replace(self.chain, order=chains.canonical((*padded, self.chain.channels)))

    def _emit_pad(self, node: NodeProto, pads: Pads, value: float) -> None:
        """Pad the settled tensor with one of the three meanings."""
        integer = value / float(self._step())
        height, width = self.kind.shape[:2]
        kind = TensorType((height, width, self.chain.channels), self.kind.element)
        if kind.element.bipolar and value == 0:
            self.zeros = pads  # the next convolution makes up for it
        elif integer % 1 or not kind.element.holds(np.array([int(integer)])):
            raise Refused(
                f"{node.name}: pads with {value:g}, which is none of the supported meanings: of bits, "
                "the true zero, the value of -1 or that of +1; of integers, one of their values"
            )
        else:
            self._emit(Pad(kind, pads, int(integer)), node.name)

    # Values.

    def _settle(self, node: NodeProto) -> None:
        """Make the waiting value an integer tensor, as `node` needs it."""
        table = self.chain.table(self.model)
        if any(self.zeros) and node.op_type != "Conv":
            raise Refused(
                f"{node.name}: takes bits that were padded with zero; only a convolution can: pad "
                "with the value of -1 or +1 here"
            )
        step = None if self.early else self._step_of(table)
        if step is not None:
            if self.matrix is not None:
                self._emit_sums()
            self.chain = replace(
                self.chain, scale=np.full(self.chain.channels, step), nodes=(), orders=()
            )
            return
        step = self._two_valued(table)
        if step is None:
            raise self._not_an_activation(node, table)
        bits = table > 0
        source = self.matrix.origin if self.matrix is not None else node.name
        if self.matrix is not None:
            bits = self._compared(bits, source)
        falling, thresholds = self._thresholds(bits, source)
        order = self.chain.order
        if self.matrix is not None and not self.pools:
            matrix = self.matrix.flipped(falling)
            self.matrix = None
            self._emit(matrix.kernel(thresholds), matrix.origin)
        else:
            inverted = falling
            if self.matrix is not None:
                self._emit_sums()
            plain = np.where(falling, 1 - thresholds, thresholds)
            self._emit(Threshold(self.kind, plain, inverted), source)
        waiting = self.chain
        self.chain = _integers(BIPOLAR, waiting.channels, np.float32(step), order)
        if self.early:
            pad, pads, value, place = self.early
            self.early = None
            values = np.full((1, waiting.channels), value, np.float32)
            tail = (waiting.nodes[place:], waiting.orders[place:])
            mapped = np.unique(waiting.apply(values, *tail, self.model))
            if mapped.size != 1:
                raise Refused(
                    f"{pad.name}: its padding means {mapped.size} values in different channels after "
                    "the activation; pad after the activation"
                )
            self._emit_pad(pad, pads, float(mapped[0]))

    def _emit_sums(self) -> None:
        """Emit the matrix unit without thresholds, and the pools that wait behind it."""
        assert self.matrix is not None
        matrix, self.matrix = self.matrix, None
        self._emit(matrix.kernel(None), matrix.origin)
        pools, self.pools = self.pools, []
        for node, geometry in pools:
            self._emit_pool(geometry, node.name)

    def _make_rising(self, node: NodeProto, table: NDArray[np.float32]) -> None:
        """Turn falling channels round, because a maximum commutes with rising ones only."""
        inside = self.chain.inside()
        rises = np.diff(table, axis=0)
        both = inside[1:] & inside[:-1]
        falls = ((rises < 0) & both).any(axis=0)
        mixed = falls & ((rises > 0) & both).any(axis=0)
        if mixed.any() or (falls.any() and self.matrix is None):
            channel = int(np.flatnonzero(mixed if mixed.any() else falls)[0])
            raise Refused(
                f"{node.name}: pools channel {channel} before its activation, whose operators do "
                "not rise with the sum there; pool after the activation"
            )
        if falls.any():
            assert self.matrix is not None
            self.matrix = self.matrix.flipped(falls)
            low, high = self.chain.low, self.chain.high
            self.chain = replace(
                self.chain,
                low=np.where(falls, -high, low),
                high=np.where(falls, -low, high),
                scale=np.where(falls, -self.chain.scale, self.chain.scale),
            )

    def _step_of(self, table: NDArray[np.float32]) -> np.float32 | None:
        """The value of one integer, if the value is just that times the integer, everywhere."""
        grid, inside = self.chain.grid(), self.chain.inside()
        unit = int(np.argmin(np.where(grid == 0, np.inf, np.abs(grid - 1))))
        if grid[unit] == 0:
            return None
        channel = int(np.argmax(inside[unit]))
        step = np.float32(table[unit, channel] / np.float32(grid[unit]))
        same = table == (step * grid.astype(np.float32))[:, None]
        return step if step != 0 and bool((same | ~inside).all()) else None

    def _two_valued(self, table: NDArray[np.float32]) -> np.float32 | None:
        """The size of both values, if there are only two, of opposite sign."""
        values = table[self.chain.inside()]
        size = np.float32(np.abs(values).max())
        return size if size > 0 and bool((np.abs(values) == size).all()) else None

    def _not_an_activation(self, node: NodeProto, table: NDArray[np.float32]) -> Refused:
        inside = self.chain.inside()
        counts = [len(np.unique(table[inside[:, c], c])) for c in range(self.chain.channels)]
        origin = self.matrix.origin if self.matrix is not None else self.model.input
        return Refused(
            f"{node.name}: its input, the activation after {origin}, takes {max(counts)} values "
            f"in channel {int(np.argmax(counts))} (from {table[inside].min():g} to "
            f"{table[inside].max():g}); only two values of opposite sign and equal size are "
            "supported: use a bipolar quantiser before this layer"
        )

    def _compared(self, bits: NDArray[np.bool_], source: str) -> NDArray[np.bool_]:
        """Look for ties: within the model's own rounding, and against PyTorch."""
        inside, grid = self.chain.inside(), self.chain.grid()
        if (self.chain.error > 0).any():
            moved = [self.chain.table(self.model, offset) > 0 for offset in (-1.0, 1.0)]
            close = ((moved[0] != bits) | (moved[1] != bits)) & inside
            for channel in np.flatnonzero(close.any(axis=0)):
                value = grid[int(np.argmax(close[:, channel]))]
                self.findings.append(
                    f"{source}, channel {channel}: at the sum {value} the model's own rounding "
                    "(its scales are no powers of two) could decide the activation"
                )
        if self.activations is None:
            return bits
        if not self.activations:
            raise UserError(
                f"the checkpoint has no activation for {source}: compile the model that was "
                "exported from it"
            )
        activation = self.activations.pop(0)
        try:
            other = np.asarray(activation.function(self.chain.entry())) > 0
        except (ValueError, RuntimeError) as error:
            raise UserError(
                f"the checkpoint's activation {activation.name} does not fit {source}: compile the "
                "model that was exported from it"
            ) from error
        differs = (other != bits) & inside
        for channel in np.flatnonzero(differs.any(axis=0)):
            value = grid[int(np.argmax(differs[:, channel]))]
            self.findings.append(
                f"{source}, channel {channel}: at the sum {value} ONNX Runtime and PyTorch round "
                "to different sides of the threshold; PyTorch's is taken"
            )
        return np.where(inside, other, bits)

    def _thresholds(
        self, bits: NDArray[np.bool_], source: str
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Read thresholds off the table of an activation.

        Returns
        -------
        falling : bool ``(C,)``
            Channels that are +1 below; their thresholds are those of the negated sum.
        thresholds : int64 ``(C,)``
            +1 where the sum (negated where falling) is at least this.
        """
        chain, grid = self.chain, self.chain.grid()
        inside = chain.inside()
        rises = bits[1:] & ~bits[:-1] & inside[1:] & inside[:-1]
        falls = ~bits[1:] & bits[:-1] & inside[1:] & inside[:-1]
        changes = rises.sum(axis=0) + falls.sum(axis=0)
        if (changes > 1).any():
            channel = int(np.argmax(changes > 1))
            raise Refused(
                f"{source}: the activation of channel {channel} is not monotone in the sum (it "
                f"changes {changes[channel]} times); only operators that rise or fall throughout "
                "are supported between this layer and its quantiser"
            )
        falling = falls.any(axis=0)
        first = np.argmax(bits & inside, axis=0)
        ever = (bits & inside).any(axis=0)
        last = len(grid) - 1 - np.argmax((bits & inside)[::-1], axis=0)
        rising = np.where(ever, grid[first], chain.high + 1)
        return falling, np.where(falling, -grid[last], rising)

    def _step(self) -> np.float32:
        """Value of one integer of the settled tensor."""
        return np.float32(self.chain.scale[0])

    # Emission.

    def _emit(self, kernel: Kernel, origin: str) -> None:
        number = sum(node.kernel.stem == kernel.stem for node in self.nodes)
        name = f"{kernel.stem}_{number}"
        given = f"{name}_out"
        self.nodes.append(Node(name, kernel, (self.tensor,), (given,), origin))
        (self.kind,) = kernel.outputs
        self.tensors[given], self.tensor = self.kind, given

    def _emit_windows(self, geometry: Geometry, value: int, origin: str) -> None:
        kind = TensorType((*geometry.frame, self.chain.channels), self.kind.element)
        if any(geometry.pads):
            self._emit(Pad(kind, geometry.pads, value), origin)
            kind = self.kind
        if geometry.kernel != (1, 1) or geometry.stride != (1, 1):
            self._emit(SlidingWindow(kind, geometry.kernel, geometry.stride), origin)

    def _emit_pool(self, geometry: Geometry, origin: str) -> None:
        channels = self.kind.size // (geometry.frame[0] * geometry.frame[1])
        element = self.kind.element
        if geometry.kernel == geometry.stride:
            kind = TensorType((*geometry.frame, channels), element)
            if any(geometry.pads):
                self._emit(Pad(kind, geometry.pads, element.low), origin)
                kind = self.kind
            self._emit(MaxPool(kind, geometry.kernel), origin)
            return
        self._emit_windows(geometry, element.low, origin)
        (rows, columns), taps = geometry.pixels, geometry.kernel[0] * geometry.kernel[1]
        kind = TensorType((rows * columns * taps, 1, channels), element)
        self._emit(MaxPool(kind, (taps, 1)), origin)

    def _matrix(
        self,
        node: NodeProto,
        ints: NDArray[np.int8],
        scale: NDArray[np.float32],
        step: np.float32,
        pixels: tuple[int, int],
        border: tuple[NDArray[np.int64], tuple[int, ...], tuple[int, ...]],
    ) -> None:
        """Let a matrix layer wait for its activation."""
        corrections, rows, columns = border
        element, (high, wide) = self.kind.element, ints.shape
        self.matrix = _Matrix(pixels, element, ints, corrections, rows, columns, node.name)
        positive = (ints > 0).sum(axis=1, dtype=np.int64)
        most = positive * element.high - (wide - positive) * element.low
        least = positive * element.low - (wide - positive) * element.high
        product = (scale * step).astype(np.float32)
        exact = np.frexp(np.abs(product))[0] == 0.5
        # Rounding of a float sum of `wide` equal steps: each addition rounds a partial sum, which
        # for random signs is of the size of its root.
        rounded = wide * np.sqrt(wide) * 4 * max(abs(element.low), abs(element.high)) * 2.0**-24
        order = np.arange(high, dtype=np.int64)
        self.chain = Chain(
            low=least,
            high=most,
            scale=product,
            error=np.where(exact, 0.0, rounded),
            order=chains.canonical((*pixels, high)) if node.op_type == "Conv" else order,
        )

    def _bias(self, node: NodeProto, bias: NDArray[Any], ndim: int) -> None:
        """A layer's own bias is one more operator after it."""
        name = f"{node.name}/bias"
        values = bias.astype(np.float32).reshape(-1, *([1] * (ndim - 1)))
        constants = {**self.model.constants, name: values}
        self.model = replace(self.model, constants=constants)
        add = execute.helper.make_node("Add", [f"{name}/sum", name], [node.output[0]], name)
        self.chain = self.chain.then(add, self.model)

    # Parameters of nodes.

    def _weights(self, node: NodeProto, place: int) -> NDArray[np.float32]:
        name = node.input[place]
        if name not in self.model.constants:
            raise Refused(
                f"{node.name}: its weights {name!r} are computed from the data; weights must be "
                "constants"
            )
        return np.asarray(self.model.constants[name], np.float32)

    def _signs(
        self, node: NodeProto, weights: NDArray[np.float32]
    ) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Split weights into ±1 and one scale for each output channel (axis 0)."""
        flat = np.abs(weights.reshape(len(weights), -1))
        uneven = (flat != flat[:, :1]).any(axis=1) | ~(flat[:, 0] > 0) | ~np.isfinite(flat[:, 0])
        if uneven.any():
            channel = int(np.argmax(uneven))
            raise Refused(
                f"{node.name}: the weights of output channel {channel} take other values than plus "
                "and minus one size; only bipolar weights are supported: quantise them to 1 bit"
            )
        return np.where(weights > 0, 1, -1).astype(np.int8), flat[:, 0]

    def _geometry(self, node: NodeProto, kernel: tuple[int, int]) -> Geometry:
        given = attributes(node)
        _, height, width = self.chain.order.shape
        canonical = chains.canonical((height, width, self.chain.channels))
        if canonical.shape != self.chain.order.shape or (canonical != self.chain.order).any():
            raise Refused(
                f"{node.name}: its input was transposed or reshaped from another layout; images "
                "must be in the order (channels, height, width)"
            )
        down, right = _ints(given, "strides", (1, 1))
        top, left, bottom, below = _ints(given, "pads", (0, 0, 0, 0))
        auto = given.get("auto_pad", b"NOTSET")
        assert isinstance(auto, bytes)
        pads = explicit_pads(
            auto.decode(), (top, left, bottom, below), (height, width), kernel, (down, right)
        )
        if min(pads) < 0:
            raise Refused(f"{node.name}: negative pads are not supported; crop the images before")
        pixels = self.model.shapes.get(node.output[0], (0, 0, 0))[1:]
        geometry = Geometry((height, width), kernel, (down, right), pads)
        if min(geometry.pixels) < 1 or min(pixels) < 1:
            raise Refused(f"{node.name}: a {kernel[0]}x{kernel[1]} window does not fit its input")
        if given.get("ceil_mode", 0):
            extra = [
                (count - 1) * step + size - extent
                for count, step, size, extent in zip(
                    pixels, geometry.stride, kernel, geometry.padded, strict=True
                )
            ]
            top, left, bottom, below = pads
            pads = (top, left, bottom + max(0, extra[0]), below + max(0, extra[1]))
            geometry = replace(geometry, pads=pads)
        return geometry


def _explicit(node: NodeProto, model: Model) -> tuple[Pads, float]:
    """Pads and value of a Pad operator."""
    given = attributes(node)
    mode = given.get("mode", b"constant")
    if mode != b"constant":
        raise Refused(
            f"{node.name}: pads in mode {mode.decode()!r}, which is none of the supported "  # type: ignore[attr-defined]
            "meanings; pad with a constant"
        )
    if "pads" in given:
        amounts, value = _ints(given, "pads", ()), given.get("value", 0.0)
    else:
        parameters = [model.constants.get(name) for name in node.input[1:] if name]
        if len(node.input) > 3 or not parameters or any(item is None for item in parameters):
            raise Refused(f"{node.name}: pads and value of a Pad must be constants for all axes")
        amounts = tuple(int(item) for item in np.asarray(parameters[0]).reshape(-1))
        value = np.asarray(parameters[1]).reshape(-1)[0] if len(parameters) > 1 else 0.0
    if len(amounts) != 8 or any(amounts[i] for i in (0, 1, 4, 5)) or min(amounts) < 0:
        raise Refused(f"{node.name}: pads {list(amounts)} must add rows and columns only")
    return (amounts[2], amounts[3], amounts[6], amounts[7]), float(value)  # type: ignore[arg-type]


def _integers(element: Element, channels: int, step: np.float32, order: NDArray[np.int64]) -> Chain:
    return Chain(
        low=np.full(channels, element.low, np.int64),
        high=np.full(channels, element.high, np.int64),
        scale=np.full(channels, step, np.float32),
        error=np.zeros(channels),
        order=order,
        bipolar=element.bipolar,
    )


def _ints(given: dict[str, object], name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    value = given.get(name, default)
    return tuple(int(item) for item in value)  # type: ignore[attr-defined]


def _unsupported(node: NodeProto) -> Refused:
    return Refused(
        f"{node.name}: operator {node.op_type} is not supported here; the supported layers are Conv, "
        "MatMul, Gemm, MaxPool, Pad, and elementwise operators between them"
    )
