# SPDX-License-Identifier: BSD-3-Clause
"""A value on its way between two layers, and how it becomes an integer tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel, UserError
from bonn_hw.frontend import activation as activations
from bonn_hw.frontend import requantization
from bonn_hw.frontend.activation import OTHER_MODEL, Activation
from bonn_hw.frontend.graph_builder import GraphBuilder, Matrix
from bonn_hw.frontend.load import Model
from bonn_hw.frontend.padding import Pads
from bonn_hw.frontend.pending_ops import Chain
from bonn_hw.frontend.requantization import Staircase
from bonn_hw.ir.tensor import BIPOLAR, Element
from bonn_hw.kernels.threshold import Threshold

NO_PADS: Pads = (0, 0, 0, 0)


@dataclass
class Context:
    """What all values of a model share.

    Attributes
    ----------
    pytorch : list or None
        PyTorch's view of the activations after matrix layers that are still to come.
    findings : list of str
        What there is to say about rounding.
    """

    model: Model
    pytorch: list[Activation] | None
    findings: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class EarlyPad:
    """A Pad of float values: its value takes part in the operators from `place` on."""

    name: str
    frame: tuple[int, int]
    pads: Pads
    value: np.float32
    place: int


class Value:
    """Integers at the end of a branch, and what waits to be applied to them.

    Attributes
    ----------
    chain : Chain
        The integers' range and the operators that wait.
    emission : GraphBuilder
        Where the integers are in the graph; with `matrix`, what that layer takes.
    matrix : Matrix or None
        A matrix layer that waits for its activation.
    zeros, zeros_frame : Pads, (H, W)
        An explicit Pad with the true zero, for the next convolution, and what it goes round.
    early : EarlyPad or None
    """

    def __init__(self, context: Context, chain: Chain, emission: GraphBuilder) -> None:
        self.context, self.chain, self.emission = context, chain, emission
        self.matrix: Matrix | None = None
        self.zeros, self.zeros_frame = NO_PADS, (0, 0)
        self.early: EarlyPad | None = None

    @property
    def model(self) -> Model:
        """The model."""
        return self.context.model

    @property
    def source(self) -> str:
        """The layer that the value comes from."""
        if self.matrix is not None:
            return self.matrix.origin
        if self.emission.origin:
            return self.emission.origin
        return self.chain.nodes[0].name if self.chain.nodes else self.model.input

    def settle(self, node: NodeProto) -> None:
        """Make it an integer tensor, because `node` needs one.

        Raises
        ------
        UnsupportedModel
            If the values are neither integers nor bits.
        """
        self._requantise()
        self._make_integers(node)
        if any(self.zeros) and node.op_type != "Conv":
            raise UnsupportedModel(
                f"{node.name}: takes bits that were padded with zero; only a convolution can: pad "
                "with the value of -1 or +1"
            )

    def emit_sums(self) -> None:
        """Let a waiting matrix layer give its sums; operators may go on waiting."""
        if self.matrix is not None:
            self.emission.sums(self.matrix)
        self.matrix = None

    def integer_step(self) -> np.float32 | None:
        """What one integer counts for, if the value is that times the integers."""
        chain = self.chain
        if self.early is not None:
            return None
        if chain.nodes or chain.values is not None:
            return activations.integer_step(chain, chain.table(self.model))
        return chain.scale[0] if bool((chain.scale == chain.scale[0]).all()) else None

    def quantised(self) -> bool:
        """Whether the last operator that waits is a quantiser."""
        nodes = self.chain.nodes
        return bool(nodes) and nodes[-1].output[0] in self.model.grids

    # Integers of several bits.

    def _requantise(self) -> None:
        """Emit what waits up to the last quantiser, if that is one of several bits."""
        grids = self.model.grids
        while True:
            names = [waiting.output[0] for waiting in self.chain.nodes]
            places = [place for place, name in enumerate(names) if name in grids]
            if not places or grids[names[places[-1]]].bipolar:
                return
            # One after the other: two roundings, or clippings, in a row are no straight line.
            self._requantise_to(next(p for p in places if not grids[names[p]].bipolar))

    def _requantise_to(self, place: int) -> None:
        chain, after = self.chain, place + 1
        quantiser = chain.nodes[place]
        scale = self.model.grids[quantiser.output[0]].scale
        if scale.size != 1:
            raise UnsupportedModel(
                f"{quantiser.name}: quantises with a scale for each channel; use one for all"
            )
        step = np.float32(scale.reshape(-1)[0])
        part = replace(chain, nodes=chain.nodes[:after], orders=chain.orders[:after])
        stairs = self._staircase(part, step)
        self._report_rounding(part, stairs, step, quantiser.name)
        source, early = self.source, self.early
        if early is not None and early.place > after:  # it goes round what comes later
            self.early, early = replace(early, place=early.place - after), None
        self.emit_sums()
        if early is None and stairs.identity:
            fresh = replace(chain, scale=np.full(chain.channels, step), values=None)
        else:
            if chain.bipolar:
                raise UnsupportedModel(
                    f"{quantiser.name}: quantises the bits of {source} to several bits; leave one "
                    "of the two quantisers out"
                )
            element = Element(int(stairs.value.min()), int(stairs.value.max()))
            kernel = requantization.fit(stairs, self.emission.kind, element, source)
            self.emission.add(kernel, quantiser.name)
            fresh = Chain.of(element, chain.channels, step, chain.order)
        self.chain = replace(fresh, nodes=chain.nodes[after:], orders=chain.orders[after:])
        if early is not None:
            self._pad_early(early, part)

    def _staircase(self, chain: Chain, step: np.float32, offset: float = 0.0) -> Staircase:
        """What a quantiser gives for every integer; of channels that are alike, for one."""
        if chain.alike(self.model):
            chain = chain.first()
        rows = ((grid, np.rint(values / step)) for grid, values in chain.rows(self.model, offset))
        integers = ((grid, values.astype(np.int64)) for grid, values in rows)
        return requantization.gather(integers, chain.low, chain.high)

    def _report_rounding(
        self, chain: Chain, stairs: Staircase, step: np.float32, name: str
    ) -> None:
        """Name channels where the rounding of the model's own float sums could decide."""
        if not (chain.error > 0).any():
            return
        close: set[int] = set()
        for offset in (-1.0, 1.0):
            close |= stairs.differing(self._staircase(chain, step, offset))
        self.context.findings += [
            f"{name}, channel {channel}: the model's own rounding (its scales are no powers of "
            "two) could decide a value"
            for channel in sorted(close)
        ]

    # Integers as they are, and bits.

    def _make_integers(self, node: NodeProto) -> None:
        chain = self.chain
        step = self.integer_step()
        if step is not None:
            self.emit_sums()
            scale = np.full(chain.channels, step, np.float32)
            self.chain = replace(chain, scale=scale, values=None, nodes=(), orders=())
            if any(self.zeros) and chain.nodes:
                self._map_zeros(node, chain)
            return
        table, source = chain.table(self.model), self.source
        size = activations.bipolar_size(chain, table)
        if size is None or chain.bipolar:
            raise activations.not_an_activation(node, source, chain, table)
        self._binarise(source, table > 0)
        self.chain = Chain.of(BIPOLAR, chain.channels, size, chain.order)
        if self.early is not None:
            self._pad_early(self.early, chain)

    def _binarise(self, source: str, bits: NDArray[np.bool_]) -> None:
        """Emit the activation: fused into its matrix unit, or by itself."""
        chain, matrix = self.chain, self.matrix
        if matrix is not None:
            self.context.findings += activations.rounding_findings(source, chain, bits, self.model)
            bits = self._as_pytorch(source, bits)
        falling, levels = activations.thresholds(source, chain, bits)
        if matrix is not None and not matrix.pools:
            self.matrix = None
            self.emission.add(matrix.flipped(falling).unit(levels), source)
            return
        self.emit_sums()
        # +1 where -x >= level is: not where x >= 1 - level.
        plain = np.where(falling, 1 - levels, levels)
        self.emission.add(Threshold(self.emission.kind, plain, falling), source)

    def _as_pytorch(self, source: str, bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
        pytorch = self.context.pytorch
        if pytorch is None:
            return bits
        if not pytorch:
            raise UserError(f"the checkpoint has no activation for {source}: {OTHER_MODEL}")
        bits, found = activations.as_pytorch(source, self.chain, bits, pytorch.pop(0))
        self.context.findings += found
        return bits

    # Padding.

    def emit_pad(self, name: str, frame: tuple[int, int], pads: Pads, value: float) -> None:
        """Pad the settled tensor with one of the supported meanings."""
        element, integer = self.emission.kind.element, value / float(self.chain.scale[0])
        if element.bipolar and value == 0:
            self.zeros, self.zeros_frame = pads, frame
        elif integer % 1 or not element.holds(np.array([int(integer)])):
            raise UnsupportedModel(
                f"{name}: pads with {value:g}, which is none of the supported meanings: of bits "
                "the true zero, the value of -1 or that of +1; of integers one of their values"
            )
        else:
            self.emission.pad(frame, pads, int(integer), name)

    def _map_zeros(self, node: NodeProto, before: Chain) -> None:
        """See what the operators behind a Pad with the true zero make of it."""
        pads, self.zeros = self.zeros, NO_PADS
        value = self._mapped(node.name, np.float32(0), before, (before.nodes, before.orders))
        self.emit_pad(node.name, self.zeros_frame, pads, value)

    def _pad_early(self, early: EarlyPad, before: Chain) -> None:
        """Emit a Pad that stood before its activation, with what the activation makes of it."""
        self.early = None
        rest = (before.nodes[early.place :], before.orders[early.place :])
        value = self._mapped(early.name, early.value, before, rest)
        self.emit_pad(early.name, early.frame, early.pads, value)

    def _mapped(
        self,
        name: str,
        value: np.float32,
        chain: Chain,
        operators: tuple[Sequence[NodeProto], Sequence[NDArray[np.int64]]],
    ) -> float:
        """What operators make of a padding's value, the same in every channel."""
        values = np.full((1, chain.channels), value, np.float32)
        mapped = np.unique(chain.apply(values, *operators, self.model))
        if mapped.size != 1:
            raise UnsupportedModel(
                f"{name}: its padding means {mapped.size} values in different channels after the "
                "activation; pad after the activation"
            )
        return float(mapped[0])
