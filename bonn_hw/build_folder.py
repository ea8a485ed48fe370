# SPDX-License-Identifier: BSD-3-Clause
"""The folder that `compile` or `fold` writes, and that the later commands read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bonn_hw import files, frontend
from bonn_hw.boards import keep
from bonn_hw.errors import UserError
from bonn_hw.interop import finn_folding
from bonn_hw.ir import store
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.target import Target
from bonn_hw.kernels import kernels
from bonn_hw.passes.folding_file import constraints_from
from bonn_hw.passes.plan import Plan
from bonn_hw.report import sections
from bonn_hw.report.store import NAME
from bonn_hw.report.values import Report

REFERENCE = "reference.onnx"


@dataclass(frozen=True)
class Build:
    """A build folder, loaded.

    Attributes
    ----------
    identity : str or None
        `report.sections.identity` of the folder when it was loaded.
    """

    folder: Path
    design: FoldedDesign
    host: frontend.Host
    report: Report
    identity: str | None

    @classmethod
    def load(cls, folder: Path) -> Build:
        """Read what `pipeline.compile_model` wrote, or raise UserError."""
        with files.reading(folder):
            return cls._read(folder)

    @classmethod
    def _read(cls, folder: Path) -> Build:
        if not (folder / NAME).is_file():
            raise UserError(f"{folder} is not a build: make one with 'bonn-hw compile MODEL --out'")
        if not (folder / "rtl").is_dir():
            raise UserError(
                f"{folder} has foldings and no RTL: make it with 'bonn-hw compile MODEL --folding "
                f"{folder / 'folding.json'} --out'"
            )
        design = store.load(FoldedDesign, folder, "design", kernels()).check()
        host = frontend.Host.load(folder / "host")
        identity = sections.identity(folder)
        return cls(folder, design, host, sections.merged(folder), identity)

    @cached_property
    def reference(self) -> frontend.Reference:
        """The reference of the model; raises UserError if the build has none."""
        try:
            content = (self.folder / REFERENCE).read_bytes()
        except OSError as error:
            raise UserError(
                f"{self.folder} has no {REFERENCE}: it is from an earlier version, or was changed; "
                "compile the model again"
            ) from error
        return frontend.Reference.from_bytes(content)

    @cached_property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the model's output for one frame."""
        graph = self.design.graph
        nothing = np.zeros((1, *graph.tensors[graph.output].shape), np.int64)
        shape: tuple[int, ...] = self.host.decode(nothing).shape[1:]
        return shape

    def random_frames(self, count: int) -> NDArray[np.float32]:
        """Random inputs, the same each time: over the whole range of the accelerator's input.

        Where the host computes before the accelerator, every other frame is within ±1, the usual
        range of such inputs.
        """
        shape = (count, *self.host.input_shape)
        frames = self.host.integer_frames(np.random.default_rng(0), shape)
        if self.host.head is not None:
            frames[::2] = self.host.random_frames(count)[::2]
        return frames

    @property
    def rtl(self) -> Path:
        """The folder of the RTL, absolute."""
        return (self.folder / "rtl").resolve()


def write_design(planned: Plan, target: Target, report: Report, folder: Path) -> None:
    """Write the folded design, its folding files, the report, and the file of a user's board."""
    keep(target.board, folder)
    store.save(planned.design, folder, "design")
    own, finns = constraints_from(planned.design), finn_folding.from_own(planned.design)
    for name, document in (("folding.json", own), ("finn_folding.json", finns)):
        entries = ",\n".join(
            f"  {json.dumps(key)}: {json.dumps(document[key])}" for key in document
        )
        (folder / name).write_text(f"{{\n{entries}\n}}\n")
    sections.begin(folder, report)
