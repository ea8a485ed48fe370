# SPDX-License-Identifier: BSD-3-Clause
"""Chains of operations on the same pixels: ``engine.cpp`` takes each tile of pixels through all.

Only what other steps read is written to memory, as the narrowest integers that hold it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bonn_hw.engine.native import Kind, Operation, call
from bonn_hw.engine.products import Products
from bonn_hw.engine.tensors import Bits, Tensor, Work, empty, fits, frames_of, kind_of, narrow
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.operation import Compare, Copies, Line, Lookup, Sum
from bonn_hw.ir.tensor import Element

TILE = 512  # elements: some tiles and their constants fit into the cache nearest to a core
LARGEST_TABLE = 1 << 22  # entries

Repeated = tuple[NDArray[np.signedinteger], ...]


@dataclass(frozen=True, eq=False)
class Task:
    """What ``engine.cpp`` does for a kernel with a tile.

    Attributes
    ----------
    kind : Kind or None
        None: the tile stays as it is.
    repeated : tuple of int32 or int64 ``(C,)``
        Constants of each channel.
    fixed : array or None
        Other constants, which are passed behind these.
    numbers : dict
        Fields of `Operation`.
    products : Products or None
        The layer that fills the tile.
    """

    kind: Kind | None
    repeated: Repeated = ()
    fixed: NDArray[np.generic] | None = None
    numbers: dict[str, int] = field(default_factory=dict)
    products: Products | None = None


@dataclass(frozen=True, eq=False)
class Link:
    """A task of a chain, with the names and elements of its tensors."""

    task: Task
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    element: Element


def task(kernel: Kernel) -> Task | None:
    """What is done with each element alone; None for other kernels, and values of over 32 bits."""
    operation, kinds = kernel.operation(), (*kernel.inputs, *kernel.outputs)
    if not all(fits(kind.element, np.int32) for kind in kinds):
        return None
    match operation:
        case Compare():
            return _comparison(kernel, operation)
        case Line():
            return _line(kernel, operation)
        case Lookup():
            return _looked_up(kernel)
        case Sum():
            return Task(Kind.ADD)
        case Copies() if not kernel.inputs[0].element.bipolar:
            return Task(None)
    return None


def chain(links: Sequence[Link], shape: tuple[int, int, int], kept: Sequence[str]) -> Work:
    """The work of a chain of tasks.

    Parameters
    ----------
    shape : (H, W, C)
        Of all tensors.
    kept : sequence of str
        The tensors that the work returns, in this order. It takes those of `taken`, in that order.
    """
    return _Chain(links, shape, kept).run


def taken(links: Sequence[Link]) -> tuple[str, ...]:
    """The tensors that a chain reads and does not compute, each once."""
    own = {name for link in links for name in link.outputs}
    names = (name for link in links for name in link.inputs if name not in own)
    return tuple(dict.fromkeys(names))


class _Chain:
    """Operations of ``engine.cpp``, whose addresses of tensors are filled in for each run."""

    def __init__(
        self, links: Sequence[Link], shape: tuple[int, int, int], kept: Sequence[str]
    ) -> None:
        self._shape, self._pixels = shape, shape[0] * shape[1]
        self._step = max(1, TILE // shape[2])
        self._slots: dict[str, int] = {}
        self._arrays: list[NDArray[np.generic]] = []  # kept in memory
        self._operations: list[Operation] = []
        self._reads: list[tuple[int, Products | None]] = []  # operation of each input
        self._writes: dict[int, tuple[int, type[np.signedinteger] | None]] = {}  # of each slot
        self._memory: dict[str, NDArray[np.generic]] = {}
        names, products = taken(links), links[0].task.products
        loaded = names if products is None else names[1:]
        if products is not None:
            self._reads.append((len(loaded), products))  # the first operation behind all loads
        for name in loaded:
            self._reads.append((len(self._operations), None))
            self._add(Kind.LOAD, out=self._slot(name))
        for link in links:
            self._link(link, kept)
        self._kept = [self._slots[name] for name in kept]

    def run(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Execute it on the tensors that it takes."""
        frames = frames_of(tensors[0])
        operations = (Operation * len(self._operations))(*self._operations)
        arrays = []
        for (at, products), tensor in zip(self._reads, tensors, strict=True):
            arrays.append(narrow(tensor) if products is None else products.read(tensor))
            operations[at].memory = arrays[-1].ctypes.data
            operations[at].bytes = arrays[-1].itemsize
        results: dict[int, Tensor] = {}
        for slot, (at, kind) in self._writes.items():
            if kind is None:
                packed = Bits(empty(frames, self._shape), self._shape[2])
                results[slot], operations[at].memory = packed, packed.words.ctypes.data
            else:
                values = np.empty((frames, *self._shape), kind)
                results[slot], operations[at].memory = values, values.ctypes.data
                operations[at].bytes = values.itemsize
        extents = (len(self._slots), frames * self._pixels, self._shape[2], self._step)
        call("tiles", operations, len(operations), *extents)
        return tuple(results[slot] for slot in self._kept)

    def _link(self, link: Link, kept: Sequence[str]) -> None:
        one, (name, *more) = link.task, link.outputs
        sources = [] if one.products else [self._slots[name] for name in link.inputs]
        if one.kind is None:
            slot = sources[0]
        else:
            slot = self._slot(name)
            fields = dict(zip(("left", "right"), sources, strict=False))
            self._add(one.kind, out=slot, **self._constants(one), **fields, **one.numbers)
        self._slots |= dict.fromkeys(link.outputs, slot)
        if slot in self._writes or not {name, *more} & {*kept}:
            return
        if one.kind is Kind.COMPARE:
            self._writes[slot] = (len(self._operations) - 1, None)
        else:
            self._writes[slot] = (len(self._operations), kind_of(link.element))
            self._add(Kind.STORE, left=slot)

    def _constants(self, one: Task) -> dict[str, int]:
        """Fields with the addresses of constants."""
        if one.products is not None:
            return {"first": ctypes.addressof(one.products.layer)}
        arrays: list[NDArray[np.generic]] = [np.tile(values, self._step) for values in one.repeated]
        arrays += [] if one.fixed is None else [one.fixed]
        self._arrays += arrays
        addresses = (array.ctypes.data for array in arrays)
        return dict(zip(("first", "second"), addresses, strict=False))

    def _add(self, kind: Kind, **fields: int) -> None:
        self._operations.append(Operation(kind=kind, **fields))

    def _slot(self, name: str) -> int:
        return self._slots.setdefault(name, len({*self._slots.values()}))


def _comparison(kernel: Kernel, operation: Compare) -> Task | None:
    element = kernel.inputs[0].element
    if not fits(Element(element.low, element.high + 1), np.int32):
        return None
    thresholds = np.clip(operation.thresholds, element.low, element.high + 1).astype(np.int32)
    flips = Bits.of(operation.inverted.astype(np.int8)).words
    return Task(Kind.COMPARE, (thresholds,), flips)


def _line(kernel: Kernel, line: Line) -> Task:
    given, result = kernel.inputs[0].element, kernel.outputs[0].element
    largest = np.abs(line.slopes) * max(-given.low, given.high) + np.abs(line.offsets)
    narrow = largest.max() < np.iinfo(np.int32).max and line.shift < 31
    kind, sums = (Kind.LINE, np.int32) if narrow else (Kind.WIDE_LINE, np.int64)
    numbers = {"shift": line.shift, "even": int(line.ties_even)}
    numbers |= {"low": result.low, "high": result.high}
    return Task(kind, (line.slopes.astype(sums), line.offsets.astype(sums)), numbers=numbers)


def _looked_up(kernel: Kernel) -> Task | None:
    """A function of each value and its channel as a table, which the reference fills."""
    element, channels = kernel.inputs[0].element, kernel.inputs[0].shape[2]
    span = element.high - element.low + 1
    if span * channels > LARGEST_TABLE:
        return None
    every: NDArray[np.int64] = np.arange(element.low, element.high + 1, dtype=np.int64)
    (found,) = kernel.reference(every[:, None, None, None].repeat(channels, axis=3))
    table = np.ascontiguousarray(found.reshape(span, channels).T, np.int32)
    bases = np.arange(channels, dtype=np.int32) * span - element.low
    return Task(Kind.TABLE, (bases.astype(np.int32),), table)
