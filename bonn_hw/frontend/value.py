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
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.graph_builder import GraphBuilder, Matrix
from bonn_hw.frontend.model import Model
from bonn_hw.frontend.padding import NO_PADS, Pads
from bonn_hw.frontend.pending_ops import PendingOp, PendingOps
from bonn_hw.frontend.requantization import Staircase
from bonn_hw.ir.tensor import BIPOLAR, Element
from bonn_hw.kernels.threshold import Threshold


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

    def add_constant(self, name: str, value: Array) -> None:
        """Add a constant that the file states within a layer."""
        self.model = replace(self.model, constants={**self.model.constants, name: value})


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
    pending : PendingOps
        The integers' range and the operators that wait.
    builder : GraphBuilder
        Where the integers are in the graph; with `matrix`, what that layer takes.
    matrix : Matrix or None
        A matrix layer that waits for its activation.
    zero_pads, zero_pads_frame : Pads, (H, W)
        An explicit Pad with the true zero, for the next convolution, and the frame inside it.
    early_pad : EarlyPad or None
    """

    def __init__(self, context: Context, pending: PendingOps, builder: GraphBuilder) -> None:
        self.context, self.pending, self.builder = context, pending, builder
        self.matrix: Matrix | None = None
        self.zero_pads, self.zero_pads_frame = NO_PADS, (0, 0)
        self.early_pad: EarlyPad | None = None

    @property
    def model(self) -> Model:
        """The model."""
        return self.context.model

    @property
    def source(self) -> str:
        """The layer that the value comes from."""
        if self.matrix is not None:
            return self.matrix.origin
        if self.builder.origin:
            return self.builder.origin
        return self.pending.ops[0].node.name if self.pending.ops else self.model.input

    def materialise(
        self, node: NodeProto, *, zero_pads: bool = False, remedy: str = activations.REMEDY
    ) -> None:
        """Make it an integer tensor, because `node` needs one.

        Parameters
        ----------
        zero_pads : bool
            Whether `node` takes bits that are padded with the true zero.
        remedy : str
            What to do where the values are neither integers nor bits.

        Raises
        ------
        UnsupportedModel
            If the values are neither integers nor bits.
        """
        self._requantise()
        self._make_integers(node, remedy)
        if any(self.zero_pads) and not zero_pads:
            raise UnsupportedModel(
                f"{node.name}: takes bits that were padded with zero; only a convolution can: pad "
                "with the value of -1 or +1"
            )

    def emit_sums(self) -> None:
        """Let a waiting matrix layer give its sums; operators may go on waiting."""
        if self.matrix is not None:
            self.builder.sums(self.matrix)
        self.matrix = None

    def integer_scale(self) -> np.float32 | None:
        """What one integer counts for, if the value is that times the integers."""
        pending = self.pending
        if self.early_pad is not None:
            return None
        if pending.ops or pending.values is not None:
            return activations.integer_scale(pending, pending.table(self.model))
        return pending.scale[0] if bool((pending.scale == pending.scale[0]).all()) else None

    def quantised(self) -> bool:
        """Whether the last operator that waits is a quantiser."""
        ops = self.pending.ops
        return bool(ops) and ops[-1].output in self.model.grids

    # Integers of several bits.

    def _requantise(self) -> None:
        """Emit what waits up to the last quantiser, if that is one of several bits."""
        grids = self.model.grids
        while True:
            names = [waiting.output for waiting in self.pending.ops]
            places = [place for place, name in enumerate(names) if name in grids]
            if not places or grids[names[places[-1]]].bipolar:
                return
            # One after the other: two roundings, or clippings, in a row are no straight line.
            self._requantise_to(next(p for p in places if not grids[names[p]].bipolar))

    def _requantise_to(self, place: int) -> None:
        pending, after = self.pending, place + 1
        quantiser = pending.ops[place].node
        scale = self.model.grids[quantiser.output[0]].scale
        if scale.size != 1:
            raise UnsupportedModel(
                f"{quantiser.name}: quantises with a scale for each channel; use one for all"
            )
        step = np.float32(scale.reshape(-1)[0])
        part = replace(pending, ops=pending.ops[:after])
        stairs = self._staircase(part, step)
        self._report_rounding(part, stairs, step, quantiser.name)
        source, early = self.source, self.early_pad
        if early is not None and early.place > after:  # it pads what comes later
            self.early_pad, early = replace(early, place=early.place - after), None
        self.emit_sums()
        if early is None and stairs.identity:
            fresh = replace(pending, scale=np.full(pending.channels, step), values=None)
        else:
            if pending.bipolar:
                raise UnsupportedModel(
                    f"{quantiser.name}: quantises the bits of {source} to several bits; leave one "
                    "of the two quantisers out"
                )
            element = Element(int(stairs.value.min()), int(stairs.value.max()))
            kernel = requantization.fit(stairs, self.builder.kind, element, source)
            self.builder.add(kernel, quantiser.name)
            fresh = PendingOps.of(element, pending.channels, step, pending.order)
        self.pending = replace(fresh, ops=pending.ops[after:])
        if early is not None:
            self._pad_early(early, part)

    def _staircase(self, pending: PendingOps, step: np.float32, offset: float = 0.0) -> Staircase:
        """What a quantiser gives for every integer; of channels that are alike, for one."""
        if pending.same_in_every_channel(self.model):
            pending = pending.one_channel()
        rows = ((grid, np.rint(values / step)) for grid, values in pending.rows(self.model, offset))
        integers = ((grid, values.astype(np.int64)) for grid, values in rows)
        return requantization.gather(integers, pending.low, pending.high)

    def _report_rounding(
        self, pending: PendingOps, stairs: Staircase, step: np.float32, name: str
    ) -> None:
        """Name channels where the rounding of the model's own float sums could decide."""
        if not (pending.error > 0).any():
            return
        close: set[int] = set()
        for offset in (-1.0, 1.0):
            close |= stairs.differing(self._staircase(pending, step, offset))
        self.context.findings += [
            f"{name}, channel {channel}: the model's own rounding (its scales are no powers of "
            "two) could decide a value"
            for channel in sorted(close)
        ]

    # Integers as they are, and bits.

    def _make_integers(self, node: NodeProto, remedy: str) -> None:
        pending = self.pending
        step = self.integer_scale()
        if step is not None:
            self.emit_sums()
            scale = np.full(pending.channels, step, np.float32)
            self.pending = replace(pending, scale=scale, values=None, ops=())
            if any(self.zero_pads) and pending.ops:
                self._map_zeros(node, pending)
            return
        table, source = pending.table(self.model), self.source
        size = activations.bipolar_size(pending, table)
        if size is None or pending.bipolar:
            raise activations.not_an_activation(node.name, source, pending, table, remedy)
        self._binarise(source, table > 0)
        self.pending = PendingOps.of(BIPOLAR, pending.channels, size, pending.order)
        if self.early_pad is not None:
            self._pad_early(self.early_pad, pending)

    def _binarise(self, source: str, bits: NDArray[np.bool_]) -> None:
        """Emit the activation: fused into its matrix unit, or by itself."""
        pending, matrix = self.pending, self.matrix
        if matrix is not None:
            self.context.findings += activations.rounding_findings(
                source, pending, bits, self.model
            )
            bits = self._as_pytorch(source, bits)
        falling, thresholds = activations.thresholds(source, pending, bits)
        if matrix is not None and not matrix.pools:
            self.matrix = None
            self.builder.add(matrix.flipped(falling).unit(thresholds), source)
            return
        self.emit_sums()
        # +1 where -x >= threshold is: not where x >= 1 - threshold.
        plain = np.where(falling, 1 - thresholds, thresholds)
        self.builder.add(Threshold(self.builder.kind, plain, falling), source)

    def _as_pytorch(self, source: str, bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
        pytorch = self.context.pytorch
        if pytorch is None:
            return bits
        if not pytorch:
            raise UserError(f"the checkpoint has no activation for {source}: {OTHER_MODEL}")
        bits, found = activations.as_pytorch(source, self.pending, bits, pytorch.pop(0))
        self.context.findings += found
        return bits

    # Padding.

    def pad(self, name: str, frame: tuple[int, int], pads: Pads, value: float) -> None:
        """Pad the materialised tensor with one of the supported meanings."""
        element, integer = self.builder.kind.element, value / float(self.pending.scale[0])
        if element.bipolar and value == 0:
            self.zero_pads, self.zero_pads_frame = pads, frame
        elif integer % 1 or not element.holds(np.array([int(integer)])):
            raise UnsupportedModel(
                f"{name}: pads with {value:g}, which is none of the supported meanings: of bits "
                "the true zero, the value of -1 or that of +1; of integers one of their values"
            )
        else:
            self.builder.pad(frame, pads, int(integer), name)

    def _map_zeros(self, node: NodeProto, before: PendingOps) -> None:
        """See what the operators behind a Pad with the true zero make of it."""
        pads, self.zero_pads = self.zero_pads, NO_PADS
        value = self._mapped(node.name, np.float32(0), before, before.ops)
        self.pad(node.name, self.zero_pads_frame, pads, value)

    def _pad_early(self, early: EarlyPad, before: PendingOps) -> None:
        """Emit a Pad that stood before its activation, with what the activation makes of it."""
        self.early_pad = None
        value = self._mapped(early.name, early.value, before, before.ops[early.place :])
        self.pad(early.name, early.frame, early.pads, value)

    def _mapped(
        self, name: str, value: np.float32, pending: PendingOps, ops: Sequence[PendingOp]
    ) -> float:
        """What operators make of a padding's value, the same in every channel."""
        values = np.full((1, pending.channels), value, np.float32)
        mapped = np.unique(pending.apply(values, ops, self.model))
        if mapped.size != 1:
            raise UnsupportedModel(
                f"{name}: its padding means {mapped.size} values in different channels after the "
                "activation; pad after the activation"
            )
        return float(mapped[0])
