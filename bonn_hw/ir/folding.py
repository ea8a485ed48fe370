# SPDX-License-Identifier: BSD-3-Clause
"""Folding: how many elements a stage handles at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Folding:
    """Parallelism of one stage: ``pe`` output lanes and ``simd`` input lanes."""

    pe: int
    simd: int

    @property
    def parallelism(self) -> int:
        """Operations a cycle of a matrix unit, and a measure of size for any other."""
        return self.pe * self.simd
