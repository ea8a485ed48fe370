# SPDX-License-Identifier: BSD-3-Clause
"""What is mutated, and which tests look at it first. A path is relative to the repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Area:
    """Files and the tests that must notice.

    Attributes
    ----------
    files : tuple of str
        Patterns.
    tests : tuple of str
        Arguments of pytest. Where there are none, proofs decide (tests/formal).
    """

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...] = ()

    def paths(self) -> list[Path]:
        """The files, sorted."""
        return sorted({path for pattern in self.files for path in ROOT.glob(pattern)})


AREAS = {
    area.name: area
    for area in (
        Area("kernels", ("hw_templates/*.sv",)),
        Area("cells", ("hw_templates/cells/*.sv",)),
        Area("shell", ("hw_templates/shell/*.sv",), ("tests/shell/test_shell.py",)),
        Area("serial", ("hw_templates/serial/*.sv",), ("tests/driver/test_serial_line.py",)),
        Area("packing", ("bonn_hw/ir/stream.py", "bonn_hw/ir/tensor.py"), ("tests/ir",)),
        Area("frontend", ("bonn_hw/frontend/*.py", "bonn_hw/frontend/operators/*.py"),
             ("tests/frontend", "-k", "not hypothesis")),
        Area("fifo", ("bonn_hw/passes/fifo_*.py",), ("tests/passes/test_fifo_sizing.py",)),
        Area("folding", ("bonn_hw/passes/folding*.py", "bonn_hw/passes/elimination.py"),
             ("tests/passes",)),
        Area("goals", ("bonn_hw/passes/objectives.py",), ("tests/passes/test_objectives.py",)),
        Area("emit", ("bonn_hw/emit/*.py",), ("tests/emit",)),
        Area("report", ("bonn_hw/report/*.py",), ("tests/report",)),
        Area("timing", ("bonn_hw/timing/*.py",), ("tests/timing",)),
        Area("harness", ("bonn_hw/sim/*.py",), ("tests/sim",)),
    )
}  # fmt: skip
