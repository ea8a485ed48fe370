# SPDX-License-Identifier: BSD-3-Clause
"""The options of one node: its foldings, of each kernel that it may have, and their cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Kernel

Uses = NDArray[np.float64]  # resources as the last axis, in the order of `Resources`


@dataclass(frozen=True, eq=False)
class Sides:
    """The lanes that a node may have under a bound of cycles, and the best folding of each pair.

    Attributes
    ----------
    inputs, outputs : int arrays
        Indices into the lanes of `Options`.
    costs : float ``(inputs, outputs)``
        Infinite where no folding has these lanes.
    option : int ``(inputs, outputs)``
        Index of the cheapest folding.
    """

    inputs: NDArray[np.intp]
    outputs: NDArray[np.intp]
    costs: NDArray[np.float64]
    option: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Options:
    """A node's foldings, of each of its kernels: lanes, cycles and resources.

    Attributes
    ----------
    foldings, kernels : lists
        Of each option.
    inputs : list of tuples, ascending
        Lanes of each input, of all foldings.
    outputs : list of int, ascending
        Output lanes of all foldings.
    input, output : int ``(foldings,)``
        Indices into these, for each folding.
    """

    foldings: list[Folding]
    kernels: list[Kernel]
    cycles: NDArray[np.int64]
    uses: Uses
    inputs: list[tuple[int, ...]]
    outputs: list[int]
    input: NDArray[np.intp]
    output: NDArray[np.intp]

    @classmethod
    def of(
        cls, kernels: Iterable[Kernel], fixed: Folding | None, most: int | None = None
    ) -> Options:
        """All foldings of some kernels, or only one folding.

        Those of more than `most` cycles are left out, or if there are no others, all but the
        fastest.
        """
        options = [
            (folding, kernel)
            for kernel in kernels
            for folding in ([fixed] if fixed is not None else _fast(kernel, most))
        ]
        each = [kernel.input_lanes(folding) for folding, kernel in options]
        inputs = sorted(set(each))
        places = {lanes: place for place, lanes in enumerate(inputs)}
        given = np.array([kernel.lanes(folding)[1] for folding, kernel in options])
        outputs, output = np.unique(given, return_inverse=True)
        return cls(
            [folding for folding, _ in options],
            [kernel for _, kernel in options],
            np.array([kernel.cycles(folding) for folding, kernel in options], np.int64),
            np.array([kernel.resources(folding).astuple() for folding, kernel in options]),
            inputs,
            outputs.tolist(),
            np.array([places[lanes] for lanes in each], np.intp),
            output,
        )

    @property
    def fastest(self) -> int:
        """Fewest cycles per frame of any option."""
        return int(self.cycles.min())

    def best(
        self, cycles: int, weights: NDArray[np.float64], per_cycle: float, *, fixed: bool
    ) -> Sides:
        """The cheapest option of each pair of lanes, within ``cycles`` unless ``fixed``."""
        (allowed,) = np.nonzero((self.cycles <= cycles) | fixed)
        costs = self.uses[allowed] @ weights + per_cycle * self.cycles[allowed]
        order = np.argsort(-costs, kind="stable")  # the cheapest is written last
        inputs, rows = np.unique(self.input[allowed], return_inverse=True)
        outputs, columns = np.unique(self.output[allowed], return_inverse=True)
        table = np.full((inputs.size, outputs.size), np.inf)
        option = np.zeros(table.shape, np.intp)
        table[rows[order], columns[order]] = costs[order]
        option[rows[order], columns[order]] = allowed[order]
        return Sides(inputs, outputs, table, option)


def _fast(kernel: Kernel, most: int | None) -> list[Folding]:
    """The foldings of a kernel within `most` cycles; if there are none, the fastest."""
    every = list(kernel.foldings())
    if most is None:
        return every
    cycles = [kernel.cycles(one) for one in every]
    most = max(most, min(cycles))
    return [one for one, needs in zip(every, cycles, strict=True) if needs <= most]
