# SPDX-License-Identifier: BSD-3-Clause
"""How a value between two layers becomes an integer tensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from bonn_hw.errors import UnsupportedModel, UserError
from bonn_hw.frontend import activation as activations
from bonn_hw.frontend import bits_check, requantization, steps
from bonn_hw.frontend.activation import OTHER_MODEL
from bonn_hw.frontend.common_scale import MOST_LEVELS, common_scale
from bonn_hw.frontend.context import Expectation, Probe
from bonn_hw.frontend.notes import Note
from bonn_hw.frontend.padded_value import PaddedValue
from bonn_hw.frontend.padding import NO_PADS
from bonn_hw.frontend.pending_ops import PendingOps
from bonn_hw.frontend.staircase import Array, Staircase
from bonn_hw.frontend.ties import correct_ties
from bonn_hw.ir.tensor import BIPOLAR
from bonn_hw.kernels.threshold import Threshold


class Value(PaddedValue):
    """A value that can be made an integer tensor."""

    @property
    def source(self) -> str:
        """Name of the layer that computes the value."""
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
            Whether `node` supports bits that are padded with zeros.
        remedy : str
            The remedy in the message if the values are neither integers nor bits.

        Raises
        ------
        UnsupportedModel
            If the values are neither integers nor bits.
        """
        self._requantise()
        self._make_integers(node, remedy)
        self._probe()
        if any(self.zero_pads) and not zero_pads:
            raise UnsupportedModel(
                f"{node.name}: its input is bits padded with zero, which only a convolution "
                "supports: pad with the value of -1 or +1"
            )

    def _probe(self) -> None:
        if not any(self.zero_pads) and self.early_pad is None:
            pending = self.pending
            probe = Probe(
                self.source, self.tensor, self.builder.tensor, pending.order, pending.scale
            )
            self.context.probes.append(probe)

    def emit_sums(self) -> None:
        """Append a pending matrix layer with its sums as output; other operators stay pending."""
        if self.matrix is not None:
            self.builder.add(self.matrix.sums(self.builder.kind), self.matrix.origin)
            (tensor, order), copies, scale = self.sums, self.matrix.copies, self.pending.scale
            if copies is not None:  # the channels are not copied yet
                neurons = len(self.matrix.weights)
                order = order // len(copies) * neurons + copies[order % len(copies)]
                scale = scale[[int(np.argmax(copies == neuron)) for neuron in range(neurons)]]
            ends = self.source, tensor, self.builder.tensor
            if len(scale) == len(self.matrix.weights):  # otherwise, copied behind a quantiser
                self.context.probes.append(Probe(*ends, order, scale, sums=True))
            self.builder.pools(self.matrix)
        self.matrix = None

    def integer_scale(self) -> np.float32 | None:
        """Return the scale s, if the value is s times the integers; otherwise None."""
        pending = self.pending
        if self.early_pad is not None:
            return None
        if pending.ops:
            return activations.integer_scale(pending, self.model)
        return pending.scale[0] if bool((pending.scale == pending.scale[0]).all()) else None

    def quantised(self) -> bool:
        """Whether the last pending operator is a quantiser."""
        ops = self.pending.ops
        return bool(ops) and ops[-1].output in self.model.grids

    # Integers of several bits.

    def _requantise(self) -> None:
        """Append kernels for the operators up to the last quantiser, if it is a few-bit one."""
        grids = self.model.grids
        while True:
            names = [op.output for op in self.pending.ops]
            places = [place for place, name in enumerate(names) if name in grids]
            if not places or grids[names[places[-1]]].bipolar:
                return
            # One quantiser at a time: two roundings or clippings in a row are no straight line.
            place = next(place for place in places if not grids[names[place]].bipolar)
            if self._returns_bits(place):
                return
            self._requantise_to(place)

    def _returns_bits(self, place: int) -> bool:
        """Whether the last operator is a few-bit quantiser that only leaves bits as they are."""
        ops, grids = self.pending.ops, self.model.grids
        before = [grids[op.output] for op in ops[:place] if op.output in grids]
        if place < len(ops) - 1 or not before or self.pending.bipolar:
            return False
        grid = grids[ops[place].output]
        if self.context.pytorch is not None or not before[-1].bipolar or grid.scale.size != 1:
            return False
        return self._staircase(self.pending, grid.scale.reshape(-1)[0]).returns_bits

    def _requantise_to(self, place: int) -> None:
        pending, after = self.pending, place + 1
        quantiser = pending.ops[place].node
        scale = self.model.grids[quantiser.output[0]].scale
        if scale.size != 1:
            raise UnsupportedModel(
                f"{quantiser.name}: quantises with a scale per channel; use one scale for all "
                "channels"
            )
        self._to_multiples(quantiser.name, np.float32(scale.reshape(-1)[0]), after)

    def _to_multiples(self, name: str, unit: np.float32, after: int) -> None:
        """Append a kernel for the first pending operators, which return multiples of a scale."""
        pending = self.pending
        part = replace(pending, ops=pending.ops[:after])
        stairs = self._staircase(part, unit)
        self._report_rounding(part, stairs, unit)
        self._report_constant(stairs.constant(pending.channels))
        source, early = self.source, self.early_pad
        if early is not None and early.place > after:  # it pads a later tensor
            self.early_pad, early = replace(early, place=early.place - after), None
        copies = None
        if self.matrix is not None and len(stairs.low) == 1:  # copied later, in fewer bits
            copies, self.matrix = self.matrix.copies, replace(self.matrix, copies=None)
        self.emit_sums()
        # The value of true zeros around bits, which are no bits themselves.
        zero = self._mapped(name, np.float32(0), part, part.ops) if any(self.zero_pads) else 0.0
        keeps = stairs.keeps_bits and zero == 0 if pending.bipolar else stairs.identity
        if early is None and keeps:
            fresh = replace(pending, scale=np.full(pending.channels, unit))
        else:
            self._requantise_by(name, source, stairs)
            element = self.builder.kind.element
            fresh = PendingOps.of(element, pending.channels, unit, pending.order)
        self.builder.copy(copies, name)
        self.pending = replace(fresh, ops=pending.ops[after:])
        if early is not None:
            self._pad_early(early, part)
        elif any(self.zero_pads) and not keeps:
            pads, self.zero_pads = self.zero_pads, NO_PADS
            self.pad(name, self.zero_pads_frame, pads, zero)

    def _requantise_by(self, name: str, source: str, stairs: Staircase) -> None:
        kernel = requantization.fit_holding_zero(stairs, self.builder.kind, source)
        self.builder.add(kernel, name)
        self._expect(source, partial(requantization.wrong_channels, stairs))

    def widen(self, name: str) -> None:
        """Read materialised bits as integers, because layer `name` calculates with them."""
        pending = self.pending
        if not pending.bipolar:
            return
        signs = np.array([-1, 1], np.int64)
        ends = np.array([-1]), np.array([1])
        stairs = Staircase(*ends, np.zeros(2, np.int64), signs, signs)
        self._requantise_by(name, self.source, stairs)
        element, scale = self.builder.kind.element, pending.scale[0]
        self.pending = PendingOps.of(element, pending.channels, scale, pending.order)

    def _staircase(self, pending: PendingOps, scale: np.float32, offset: float = 0.0) -> Staircase:
        """Output of the last quantiser for every integer; one channel if all are the same."""
        if pending.same_in_every_channel(self.model):
            pending = pending.one_channel()

        def integers(values: NDArray[np.float32]) -> Array:
            rounded: Array = np.rint(values / scale).astype(np.int64)
            return rounded

        return steps.staircase(pending, self.model, integers, offset)

    def _report_constant(self, channels: NDArray[np.int64]) -> None:
        if channels.size:
            found = tuple(channels.tolist())
            self.context.notes.append(Note(self.source, "constant", found, self.pending.channels))

    def _report_rounding(self, pending: PendingOps, stairs: Staircase, scale: np.float32) -> None:
        """Note if the rounding of a float sum could change a value."""
        if not (pending.error > 0).any():
            return
        close: set[int] = set()
        for offset in (-1.0, 1.0):
            close |= stairs.differing(self._staircase(pending, scale, offset))
        if close:
            channels = tuple(sorted(close))
            self.context.notes.append(Note(self.source, "rounding", channels, pending.channels))

    # Integers without a quantiser, and bits.

    def _make_integers(self, node: NodeProto, remedy: str) -> None:
        pending = self.pending
        scale = self.integer_scale()
        if scale is not None:
            self.emit_sums()
            scales = np.full(pending.channels, scale, np.float32)
            self.pending = replace(pending, scale=scales, ops=())
            if any(self.zero_pads) and pending.ops:
                self._map_zeros(node, pending)
            return
        source = self.source
        found = None if pending.bipolar else activations.bipolar(pending, self.model)
        if found is None:
            levels = activations.distinct(pending, self.model, MOST_LEVELS)
            unit = None if levels is None else common_scale(levels)
            if unit is None and not pending.ops and self.matrix is None:
                raise activations.several_scales(node.name, source, pending.scale)
            if unit is None:
                raise activations.not_an_activation(node.name, source, pending, self.model, remedy)
            name = pending.ops[-1].node.name if pending.ops else source
            self._to_multiples(name, unit, len(pending.ops))
            return
        scale, bits = found
        if (bits.runs > 2).any() and not self.context.pytorch:
            # No threshold makes these bits; as integers -1 and +1 they are looked up.
            self._to_multiples(pending.ops[-1].node.name, scale, len(pending.ops))
            return
        self._binarise(source, bits)
        self.pending = PendingOps.of(BIPOLAR, pending.channels, scale, pending.order)
        if self.early_pad is not None:
            self._pad_early(self.early_pad, pending)

    def _binarise(self, source: str, bits: Staircase) -> None:
        """Append the 1-bit activation: as thresholds of its matrix unit, or as its own kernel."""
        pending, matrix = self.pending, self.matrix
        self.context.notes += activations.rounding_notes(source, pending, bits, self.model)
        if matrix is not None:
            bits = self._as_pytorch(source, bits)
        self._report_constant(bits.constant(pending.channels))
        falling, thresholds = activations.thresholds(source, pending, bits)
        if matrix is not None and not matrix.pools and matrix.copies is None:
            self.matrix = None
            unit = matrix.flipped(falling).unit(thresholds)
            self.builder.add(unit, source)
            table = bits_check.Bits(pending, bits, falling)
            self._expect(source, partial(bits_check.wrong_in_unit, table, matrix.corrections))
            return
        self.emit_sums()
        # -x >= threshold is the same as not (x >= 1 - threshold).
        plain = np.where(falling, 1 - thresholds, thresholds)
        self.builder.add(Threshold(self.builder.kind, plain, falling), source)
        table = bits_check.Bits(pending, bits, falling)
        self._expect(source, partial(bits_check.wrong_thresholds, table))

    def _expect(self, source: str, wrong: Callable[[Any], NDArray[np.bool_]]) -> None:
        self.context.expected.append(Expectation(source, self.builder.tensor, wrong))

    def _as_pytorch(self, source: str, bits: Staircase) -> Staircase:
        pytorch = self.context.pytorch
        if pytorch is None:
            return bits
        if not pytorch:
            raise UserError(f"the checkpoint has no activation for {source}: {OTHER_MODEL}")
        other, notes = activations.as_pytorch(source, self.pending, bits, pytorch.pop(0))
        differs = other.differences(bits)
        if differs[0].size:
            if not self.pending.in_order(self.model):
                raise UserError(
                    f"the checkpoint rounds the activation {source} to another side of its "
                    "threshold, which is not supported where a pool is between the two: compile "
                    "without --checkpoint"
                )
            correct_ties(self.context.parts, self.pending, differs, self.tensor, self.model)
        self.context.notes += notes
        return other
