# SPDX-License-Identifier: BSD-3-Clause
"""ONNX nodes that compute the sums of a layer exactly: on integers, rounded once to float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from bonn_hw.frontend.execute import Array

LARGEST_SUM = 1 << 24  # up to this size float32 adds integers exactly, in any order
ROUNDING = 2.0**-24  # largest relative error of one float32 operation
DIGIT = 8  # bits of a digit of the inputs, where sums are larger
MAGIC = 12582912.0  # 1.5 * 2 ** 23: adding it rounds half to even


class Nodes:
    """Nodes and constants that take the place of one node; they end in its output tensor."""

    def __init__(self, node: NodeProto, opset: int) -> None:
        self.node, self.opset = node, opset
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Array] = {}

    def add(self, kind: str, *operands: str | Array, **attributes: Any) -> str:
        """Append an operator on tensors and constants; returns the name of its output."""
        place, base = len(self.nodes), f"{self.node.output[0]}/exact"
        names = []
        for index, operand in enumerate(operands):
            if isinstance(operand, str):
                names.append(operand)
            else:
                names.append(f"{base}{place}/{index}")
                self.constants[names[-1]] = operand
        output = f"{base}{place}"
        label = f"{self.node.name}/exact{place}"
        self.nodes.append(helper.make_node(kind, names, [output], label, **attributes))
        return output

    def end(self, output: str) -> None:
        """Name the output of the last operator."""
        self.nodes[-1].output[0] = output

    def rounded(self, tensor: str) -> str:
        """Round to integers of less than 2 ** 22."""
        if self.opset >= 11:  # Round is new there
            return self.add("Round", tensor)
        magic = np.float32(MAGIC)
        return self.add("Sub", self.add("Add", tensor, np.asarray(magic)), np.asarray(magic))

    def integers(self, tensor: str, scale: np.float32) -> str:
        """The integers of a tensor whose values are integers times a scale."""
        if scale == 1:
            return tensor
        return self.rounded(self.add("Div", tensor, np.asarray(scale, np.float32)))

    def scaled(self, tensor: str, scale: NDArray[np.float32], axes: int, axis: int = 1) -> str:
        """Multiply by a scale per channel; one of ``axes`` axes is the channel."""
        places = [-1 if place == axis else 1 for place in range(axes)]
        by_channel = scale[0] if (scale == scale[0]).all() else scale.reshape(places)
        return self.add("Mul", tensor, np.asarray(by_channel, np.float32))

    def plain(self, tensor: str) -> str:
        """The node as it is, without its bias."""
        return self._without_bias([tensor, self.node.input[1]], ("beta",))

    def product(self, tensor: str, weights: Array) -> str:
        """The node's own product, of other inputs and weights, without its bias and factors."""
        return self._without_bias([tensor, weights.astype(np.float32)], ("alpha", "beta"))

    def _without_bias(self, operands: list[str | Array], dropped: tuple[str, ...]) -> str:
        if self.node.op_type == "Gemm" and self.opset < 11:  # C is not optional there
            operands.append(np.zeros(1, np.float32))
        output = self.add(self.node.op_type, *operands)
        kept = [item for item in self.node.attribute if item.name not in dropped]
        self.nodes[-1].attribute.extend(kept)
        return output

    def wide_product(
        self, tensor: str, weights: Array, inputs: int, largest: int, scale: NDArray[np.float32]
    ) -> str:
        """A scaled product whose sums are too large for float32: digits, added in float64.

        Parameters
        ----------
        inputs : int
            Number of products per sum.
        largest : int
            Largest absolute value of the inputs.
        """
        digits = [(tensor, 0)]
        if inputs * largest > LARGEST_SUM // 2:
            digits = self._digits(tensor, largest)
            largest = (1 << DIGIT) - 1
        width = (LARGEST_SUM // (inputs * largest)).bit_length()
        total = ""
        for shift, part in _weight_digits(weights, width):
            for digit, place in digits:
                wide = self.add("Cast", self.product(digit, part), to=TensorProto.DOUBLE)
                wide = self.add("Mul", wide, np.asarray(2.0 ** (shift + place)))
                total = wide if not total else self.add("Add", total, wide)
        ones = [1] * (weights.ndim - 2)
        wide = self.add("Mul", total, scale.astype(np.float64).reshape(-1, *ones))
        return self.add("Cast", wide, to=TensorProto.FLOAT)

    def _digits(self, tensor: str, largest: int) -> list[tuple[str, int]]:
        """Digits of integers, in float32, the lowest first; the highest has the sign."""
        base, digits = np.asarray(np.float32(1 << DIGIT)), []
        count = -(-largest.bit_length() // DIGIT)
        for place in range(count):
            high = self.add("Floor", self.add("Div", tensor, base))
            digits.append((self.add("Sub", tensor, self.add("Mul", high, base)), place * DIGIT))
            tensor = high
        return [*digits, (tensor, count * DIGIT)]


def _weight_digits(weights: Array, width: int) -> list[tuple[int, Array]]:
    """Split integers into digits of ``width`` bits, each at most ``2 ** (width - 1)``."""
    if width < 2:
        raise ValueError(f"digits of {width} bits have no sign")
    rest, shift, half = weights.astype(np.int64), 0, 1 << width - 1
    parts: list[tuple[int, Array]] = []
    while rest.any() or not parts:
        digit = (rest + half) % (1 << width) - half
        parts.append((shift, digit))
        rest, shift = (rest - digit) >> width, shift + width
    return parts


def power_of_two(values: NDArray[np.float32] | np.float32) -> NDArray[np.bool_]:
    """Which values are plus or minus a power of two."""
    return np.asarray(np.frexp(np.abs(values))[0] == 0.5)


def exactly_added(added: NDArray[np.float64], largest: float) -> NDArray[np.bool_]:
    """Which values float32 adds to integers up to ``largest`` without rounding, in any order."""
    exact = np.zeros(added.shape, np.bool_)
    for finer in range(24):  # on a grid of 2 ** -finer
        steps = 2.0**finer
        exact |= (added * steps % 1 == 0) & ((largest + added) * steps <= LARGEST_SUM)
    return exact


def usual_error(additions: int, largest: Array | float) -> Array:
    """Usual bound of the rounding error of a float32 sum.

    For random signs the errors add up to a few times sqrt(additions) roundings of the largest sum.
    """
    return np.asarray(4 * np.sqrt(additions) * largest * ROUNDING)


def largest_error(roundings: int, size: Array | float) -> Array:
    """Bound of the rounding error of a float32 sum that always holds.

    Parameters
    ----------
    roundings : int
        Roundings that a term passes: its own, and those of the additions.
    size : float64
        Sum of the absolute values of the terms.
    """
    return np.asarray(1.01 * roundings * ROUNDING * size)
