# SPDX-License-Identifier: BSD-3-Clause
"""Model -> DataflowGraph: exact by evaluation over the whole range of every accumulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from bonn_hw.errors import Refused, UserError
from bonn_hw.frontend import activation as activations
from bonn_hw.frontend import chain as chains
from bonn_hw.frontend import execute, layers
from bonn_hw.frontend.activation import OTHER_MODEL, Activation
from bonn_hw.frontend.chain import ELEMENTWISE, SHAPE, Chain
from bonn_hw.frontend.emission import Emission, Matrix
from bonn_hw.frontend.host import Host
from bonn_hw.frontend.load import Model
from bonn_hw.frontend.padding import Geometry, Pads
from bonn_hw.frontend.path import split, start
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.ir.tensor import BIPOLAR
from bonn_hw.kernels.threshold import Threshold

NO_PADS: Pads = (0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Lowered:
    """The accelerator's graph, the host's part, and what there is to say about rounding."""

    graph: DataflowGraph
    host: Host
    findings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _EarlyPad:
    """A Pad of float values: its value takes part in the operators from `place` on."""

    name: str
    frame: tuple[int, int]
    pads: Pads
    value: np.float32
    place: int


def lower(model: Model, pytorch: Sequence[Activation] | None = None) -> Lowered:
    """Lower a model.

    Parameters
    ----------
    pytorch : sequence or None
        PyTorch's view of the activations after matrix layers, in the network's order. Where it
        differs from ONNX Runtime's (a tie within float rounding), that is reported and PyTorch's
        is taken.

    Raises
    ------
    Refused
        If a layer is outside the supported set; the message names it and the remedy.
    """
    head, body, tail = split(model)
    host, chain, kind = start(model, head)
    lowering = _Lowering(model, chain, Emission(kind), pytorch)
    for node in body:
        try:
            lowering.take(node)
        except UserError:
            raise
        except Exception as error:  # what the libraries say to attributes that make no sense
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise Refused(
                f"{node.name}: this {node.op_type} cannot be understood ({reason}): export the "
                "model again"
            ) from error
    return lowering.finish(host, tail)


class _Lowering:
    """The walk over the layers: what was emitted, and the value on its way."""

    def __init__(
        self, model: Model, chain: Chain, emission: Emission, pytorch: Sequence[Activation] | None
    ) -> None:
        self.model, self.chain, self.emission = model, chain, emission
        self.pytorch = None if pytorch is None else list(pytorch)
        self.findings: list[str] = []
        self.matrix: Matrix | None = None
        self.zeros = NO_PADS  # an explicit Pad with the true zero, for the next convolution
        self.zeros_frame = (0, 0)  # what it goes round
        self.early: _EarlyPad | None = None

    def take(self, node: NodeProto) -> None:
        """Go one node on."""
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
        else:
            raise Refused(
                f"{node.name}: operator {node.op_type} is not supported here; the supported layers "
                "are Conv, MatMul, Gemm, MaxPool, Pad, and elementwise operators between them"
            )

    def finish(self, host: Host, tail: Sequence[NodeProto]) -> Lowered:
        """What still waits is computed on the host, from the integers that leave."""
        chain, model = self.chain, self.model
        if self.early or any(self.zeros):
            raise Refused("the model ends with padding; end it with a layer")
        if self.matrix is not None:
            self.emission.sums(self.matrix)
        if self.pytorch:
            raise UserError(
                f"the checkpoint has {len(self.pytorch)} more activations than the model: "
                f"{OTHER_MODEL}"
            )
        if (chain.error > 0).any():
            self.findings.append(
                f"{self.source}: the model's own sums are rounded (its scales are no powers of "
                "two), so its float answer may differ from ours in the last places"
            )
        nodes = [*chain.nodes, *tail]
        order = chain.orders[0] if chain.orders else chain.order
        proto = None
        if nodes:
            entry = next(name for name in nodes[0].input if name and name not in model.constants)
            kinds = {entry: (TensorProto.FLOAT, 1 + order.ndim)}
            proto = execute.assemble(nodes, kinds, [model.output], model.constants, model.opset)
        decoded = replace(host, tail=proto, decode_order=order, scale=chain.scale)
        return Lowered(self.emission.graph(), decoded, tuple(self.findings))

    @property
    def source(self) -> str:
        """The layer that the waiting value comes from."""
        if self.matrix is not None:
            return self.matrix.origin
        if self.emission.nodes:
            return self.emission.nodes[-1].origin
        return self.chain.nodes[0].name if self.chain.nodes else self.model.input

    # Layers.

    def _convolution(self, node: NodeProto) -> None:
        weights = layers.convolution(node, self.model)
        self._settle(node)
        kernel = (weights.signs.shape[2], weights.signs.shape[3])
        geometry = self._with_zeros(layers.windows(node, kernel, self.chain, self.model))
        element, (high, *_) = self.emission.kind.element, weights.signs.shape
        zero = -1 if element.bipolar else 0
        if any(geometry.pads) and not element.holds(np.array([zero])):
            raise Refused(
                f"{node.name}: pads with zero, which is outside of its input's range "
                f"[{element.low}, {element.high}]; widen the quantiser"
            )
        rows, columns = (0,) * geometry.pixels[0], (0,) * geometry.pixels[1]
        corrections = np.zeros((1, high), np.int64)
        if element.bipolar and any(geometry.pads):
            # The true zero: −1 is streamed, and the sum of the weights under it is added back.
            rows, columns, padded = geometry.classes()
            by_tap = weights.signs.sum(axis=1, dtype=np.int64)
            corrections = np.einsum("kyx,myx->km", padded.astype(np.int64), by_tap)
        self.emission.windows(geometry, zero, node.name)
        flat = weights.signs.transpose(0, 2, 3, 1).reshape(high, -1)
        border = (corrections, rows, columns)
        matrix = Matrix(geometry.pixels, element, flat, *border, origin=node.name)
        order = chains.canonical((*geometry.pixels, high))
        self._wait(node, matrix, weights.scale, order)

    def _dense(self, node: NodeProto) -> None:
        weights = layers.dense(node, self.model)
        self._settle(node)
        if self.chain.order.ndim != 1:
            raise Refused(
                f"{node.name}: multiplies a tensor of {self.chain.order.ndim + 1} axes; flatten it "
                "before"
            )
        streamed = np.empty_like(weights.signs)
        streamed[:, self.chain.order] = weights.signs
        none = (np.zeros((1, len(streamed)), np.int64), (0,), (0,))
        element = self.emission.kind.element
        matrix = Matrix((1, 1), element, streamed, *none, origin=node.name)
        self._wait(node, matrix, weights.scale, np.arange(len(streamed), dtype=np.int64))

    def _wait(
        self,
        node: NodeProto,
        matrix: Matrix,
        scale: NDArray[np.float32],
        order: NDArray[np.int64],
    ) -> None:
        """Let a matrix layer wait for its activation, its own bias being the first operator."""
        low, high = matrix.bounds()
        product = (scale * self.chain.scale[0]).astype(np.float32)
        exact = np.frexp(np.abs(product))[0] == 0.5  # a power of two: float sums are exact
        # Otherwise each of `wide` additions rounds a partial sum, which for random signs is of the
        # size of a few roots of `wide`.
        wide, largest = matrix.weights.shape[1], max(map(abs, (low.min(), high.max())))
        rounded = 4 * np.sqrt(wide) * float(largest) * 2.0**-24
        error = np.where(exact, 0.0, rounded)
        self.matrix = matrix
        self.chain = Chain(low, high, product, error, order)
        bias = layers.bias(node, self.model)
        if bias is not None:
            name = f"{node.name}/bias"
            shaped = bias.reshape(-1, *([1] * (order.ndim - 1)))
            self.model = replace(self.model, constants={**self.model.constants, name: shaped})
            add = helper.make_node("Add", [f"{name}/sum", name], [node.output[0]], name)
            self.chain = self.chain.then(add, self.model)

    def _pool(self, node: NodeProto) -> None:
        geometry = layers.windows(node, layers.pooling(node), self.chain, self.model)
        table = self.chain.table(self.model)
        step = activations.integer_step(self.chain, table)
        if step is not None and step < 0:
            self._rise(node, table)  # a falling multiple of the integers is no maximum of them
        if step is not None or activations.bipolar_size(self.chain, table) is not None:
            self._settle(node)
        else:
            self._rise(node, table)
        if self.matrix is not None:
            pools = (*self.matrix.pools, (geometry, node.name))
            self.matrix = replace(self.matrix, pools=pools)
        else:
            self.emission.pool(geometry, node.name)
        order = chains.canonical((*geometry.pixels, self.chain.channels))
        self.chain = self.chain.bridged(node, order, moved=True)

    def _rise(self, node: NodeProto, table: NDArray[np.float32]) -> None:
        """Turn falling channels round: a maximum commutes with rising operators only."""
        if self.early or any(self.zeros):
            raise Refused(
                f"{node.name}: pools values that were padded before; pad the pool instead"
            )
        falls = activations.falling_channels(node.name, self.chain, table)
        if not falls.any():
            return
        if self.matrix is None or self.matrix.pools:
            raise Refused(
                f"{node.name}: pools channel {int(np.argmax(falls))}, which falls with the "
                "integers before; use positive scales there"
            )
        self.matrix = self.matrix.flipped(falls)
        low, high, scale = self.chain.low, self.chain.high, self.chain.scale
        self.chain = replace(
            self.chain,
            low=np.where(falls, -high, low),
            high=np.where(falls, -low, high),
            scale=np.where(falls, -scale, scale),
        )

    # Explicit padding.

    def _pad(self, node: NodeProto) -> None:
        """Pad settled bits and integers now, other values together with their activation."""
        pads, value = layers.explicit_padding(node, self.model)
        pending = self.matrix is not None and self.matrix.pools
        if self.chain.order.ndim != 3 or self.early or pending or any(self.zeros):
            raise Refused(f"{node.name}: only one Pad of an image before a layer is supported")
        table = self.chain.table(self.model)
        _, height, width = self.chain.order.shape
        padded = Geometry((height, width), (1, 1), (1, 1), pads).padded
        if activations.integer_step(self.chain, table) is not None:
            self._settle(node)
            self._emit_pad(node.name, (height, width), pads, float(value))
        else:
            self.early = _EarlyPad(node.name, (height, width), pads, value, len(self.chain.nodes))
        order = chains.canonical((*padded, self.chain.channels))
        self.chain = self.chain.bridged(node, order)

    def _emit_pad(self, name: str, frame: tuple[int, int], pads: Pads, value: float) -> None:
        """Pad the settled tensor with one of the supported meanings."""
        element, integer = self.emission.kind.element, value / float(self.chain.scale[0])
        if element.bipolar and value == 0:
            self.zeros, self.zeros_frame = pads, frame
        elif integer % 1 or not element.holds(np.array([int(integer)])):
            raise Refused(
                f"{name}: pads with {value:g}, which is none of the supported meanings: of bits "
                "the true zero, the value of -1 or that of +1; of integers one of their values"
            )
        else:
            self.emission.pad(frame, pads, int(integer), name)

    def _with_zeros(self, geometry: Geometry) -> Geometry:
        """Add an explicit Pad with the true zero to a convolution's own."""
        zeros, self.zeros = self.zeros, NO_PADS
        top, left, bottom, right = (a + b for a, b in zip(geometry.pads, zeros, strict=True))
        height, width = geometry.frame
        frame = (height - zeros[0] - zeros[2], width - zeros[1] - zeros[3])
        return replace(geometry, frame=frame, pads=(top, left, bottom, right))

    # Values.

    def _settle(self, node: NodeProto) -> None:
        """Make the waiting value an integer tensor, because `node` needs one."""
        self._make_integers(node)
        if any(self.zeros) and node.op_type != "Conv":
            raise Refused(
                f"{node.name}: takes bits that were padded with zero; only a convolution can: pad "
                "with the value of -1 or +1"
            )

    def _make_integers(self, node: NodeProto) -> None:
        chain = self.chain
        table = chain.table(self.model)
        step = None if self.early else activations.integer_step(chain, table)
        if step is not None:
            if self.matrix is not None:
                self.emission.sums(self.matrix)
            self.matrix = None
            scale = np.full(chain.channels, step, np.float32)
            self.chain = replace(chain, scale=scale, nodes=(), orders=())
            if any(self.zeros) and chain.nodes:
                self._map_zeros(node, chain)
            return
        size = activations.bipolar_size(chain, table)
        source = self.source
        if size is None or chain.bipolar:
            raise activations.not_an_activation(node.name, source, chain, table)
        self._binarise(source, table > 0)
        self.chain = Chain.of(BIPOLAR, chain.channels, size, chain.order)
        if self.early is not None:
            self._pad_early(self.early, chain)

    def _binarise(self, source: str, bits: NDArray[np.bool_]) -> None:
        """Emit the activation: fused into its matrix unit, or by itself."""
        chain, matrix = self.chain, self.matrix
        if matrix is not None:
            self.findings += activations.rounding_findings(source, chain, bits, self.model)
            bits = self._as_pytorch(source, bits)
        falling, levels = activations.thresholds(source, chain, bits)
        self.matrix = None
        if matrix is not None and not matrix.pools:
            self.emission.add(matrix.flipped(falling).unit(levels), source)
            return
        if matrix is not None:
            self.emission.sums(matrix)
        # +1 where -x >= level is: not where x >= 1 - level.
        plain = np.where(falling, 1 - levels, levels)
        self.emission.add(Threshold(self.emission.kind, plain, falling), source)

    def _as_pytorch(self, source: str, bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if self.pytorch is None:
            return bits
        if not self.pytorch:
            raise UserError(f"the checkpoint has no activation for {source}: {OTHER_MODEL}")
        bits, found = activations.as_pytorch(source, self.chain, bits, self.pytorch.pop(0))
        self.findings += found
        return bits

    def _map_zeros(self, node: NodeProto, before: Chain) -> None:
        """See what the operators behind a Pad with the true zero make of it."""
        values = np.zeros((1, before.channels), np.float32)
        mapped = np.unique(before.apply(values, before.nodes, before.orders, self.model))
        if mapped.size != 1:
            raise Refused(
                f"{node.name}: the zero padding before it means {mapped.size} values in different "
                "channels; pad after the activation"
            )
        pads, self.zeros = self.zeros, NO_PADS
        self._emit_pad(node.name, self.zeros_frame, pads, float(mapped[0]))

    def _pad_early(self, early: _EarlyPad, before: Chain) -> None:
        """Emit a Pad that stood before its activation, with what the activation makes of it."""
        self.early = None
        values = np.full((1, before.channels), early.value, np.float32)
        rest = (before.nodes[early.place :], before.orders[early.place :])
        mapped = np.unique(before.apply(values, *rest, self.model))
        if mapped.size != 1:
            raise Refused(
                f"{early.name}: its padding means {mapped.size} values in different channels after "
                "the activation; pad after the activation"
            )
        self._emit_pad(early.name, early.frame, early.pads, float(mapped[0]))
