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


def _tests(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/{folder}/test_{name}.py" for name in names)


AREAS = {
    area.name: area
    for area in (
        Area("kernels", ("hw_templates/*.sv",)),
        Area("cells", ("hw_templates/cells/*.sv",)),
        Area("shell", ("hw_templates/shell/*.sv",), _tests("shell", "shell_alone")),
        Area("serial", ("hw_templates/serial/*.sv",), _tests("driver", "serial_front")),
        Area("packing", ("bonn_hw/ir/stream.py", "bonn_hw/ir/tensor.py"), ("tests/ir",)),
        Area("frontend", ("bonn_hw/frontend/*.py", "bonn_hw/frontend/operators/*.py"),
             _tests("frontend", "lower", "operators", "border", "check", "common_scale",
                    "composites", "host_tail", "input_grid", "integer_tensors", "layer_names",
                    "layouts", "load", "plain", "pools", "requantization", "self_check",
                    "sequences", "staircase_thresholds", "steps", "without_quantisers",
                    "external_data", "quantiser_forms", "remedies", "inputs", "labels",
                    "groups", "enlarged", "layer_orders", "resize", "edges", "channels",
                    "chain_graph", "reference", "combine")),
        Area("host", ("bonn_hw/frontend/host.py", "bonn_hw/frontend/numpy_*.py",
                      "bonn_hw/driver/steps.py", "bonn_hw/driver/layout.py"),
             (*_tests("frontend", "host", "numpy_steps", "host_tail", "input_grid"),
              *_tests("driver", "steps", "driver"))),
        Area("fifo", ("bonn_hw/passes/fifo_*.py", "bonn_hw/passes/ready_chains.py"),
             _tests("passes", "fifo_sizing", "ready_chains")),
        Area("folding", ("bonn_hw/passes/folding*.py", "bonn_hw/passes/elimination.py",
                         "bonn_hw/passes/optimum.py", "bonn_hw/passes/width_conversion.py"),
             _tests("passes", "folding", "folding_file", "elimination", "width_conversion",
                    "objectives")),
        Area("goals", ("bonn_hw/passes/objectives.py", "bonn_hw/passes/prices.py",
                       "bonn_hw/passes/options.py"),
             _tests("passes", "objectives", "prices")),
        Area("emit", ("bonn_hw/emit/*.py",),
             _tests("emit", "names", "top", "stored", "systems", "standalone", "interface")),
        Area("report", ("bonn_hw/report/*.py",),
             _tests("report", "assemble", "expected", "figures", "first_difference", "junit",
                    "schema", "sections", "pictures", "simulation", "store", "tables", "values",
                    "verdicts")),
        Area("timing", ("bonn_hw/timing/*.py",), ("tests/timing",)),
        Area("timing_cpp", ("bonn_hw/timing/*.cpp",),
             ("tests/timing", *_tests("passes", "fifo_sizing"))),
        Area("harness", ("bonn_hw/sim/*.py",),
             _tests("sim", "batches", "failures", "parts", "recorded", "run")),
        Area("harness_cpp", ("bonn_hw/sim/*.cpp", "bonn_hw/sim/*.h"),
             _tests("sim", "harness", "failures", "run")),
        Area("sliced", ("bonn_hw/sliced/*.py", "bonn_hw/sliced/*.cpp", "bonn_hw/sliced/*.h"),
             ("tests/sliced",)),
        Area("engine", ("bonn_hw/engine/*.py", "bonn_hw/engine/*.cpp"), ("tests/engine",)),
        Area("interop", ("bonn_hw/interop/*.py",),
             _tests("interop", "finn_folding", "finn_onnx", "finn_reader", "finn_ties",
                    "finn_writer", "witness")),
    )
}  # fmt: skip
