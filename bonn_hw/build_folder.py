# SPDX-License-Identifier: BSD-3-Clause
"""The folder that `compile` or `fold` writes, and that the later commands read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bonn_hw import files, frontend, manifest
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
    trusted : bool
        Whether the user trusts the folder: then its RTL is simulated even if bonn_hw would write
        other RTL for the design.
    """

    folder: Path
    design: FoldedDesign
    host: frontend.Host
    report: Report
    identity: str | None
    trusted: bool = False

    @classmethod
    def load(cls, folder: Path, trust: bool = False) -> Build:
        """Read what `pipeline.compile_model` wrote.

        Parameters
        ----------
        trust : bool
            Use the folder even if its files do not match its manifest.

        Raises
        ------
        UserError
            If it is not a build, or one that is damaged or was changed.
        """
        with files.reading(folder):
            return cls._read(folder, trust)

    @classmethod
    def _read(cls, folder: Path, trust: bool) -> Build:
        if not (folder / NAME).is_file():
            raise UserError(f"{folder} is not a build: make one with 'bonn-hw compile MODEL --out'")
        if not (folder / "rtl").is_dir():
            raise UserError(
                f"{folder} has foldings and no RTL: make it with 'bonn-hw compile MODEL --folding "
                f"{folder / 'folding.json'} --out'"
            )
        for path in folder.rglob("*"):
            if not (path.is_file() or path.is_dir()):  # a device or a pipe may never end
                raise UserError(f"{path} is not a regular file: compile the model again")
        if not trust:
            manifest.check(folder)
        with _readable(folder, "its design"):
            design = store.load(FoldedDesign, folder, "design", kernels()).check()
        with _readable(folder, "its folder 'host'"):
            host = frontend.Host.load(folder / "host")
            tensors, ends = design.graph.tensors, (design.graph.input, design.graph.output)
            host.check(tensors[ends[0]].size, tensors[ends[1]].shape)
        identity = sections.identity(folder)
        return cls(folder, design, host, sections.merged(folder), identity, trust)

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
        with _readable(self.folder, REFERENCE):
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

        Where the model states the values of its input, of those. Where the host computes before
        the accelerator, every other frame is within ±1, the usual range of such inputs.
        """
        if self.host.stated is not None:
            return self.host.random_frames(count)
        shape = (count, *self.host.input_shape)
        frames = self.host.integer_frames(np.random.default_rng(0), shape)
        if self.host.head is not None:
            frames[::2] = self.host.random_frames(count)[::2]
        return frames

    @property
    def rtl(self) -> Path:
        """The folder of the RTL, absolute."""
        return (self.folder / "rtl").resolve()


@contextmanager
def _readable(folder: Path, part: str) -> Iterator[None]:
    """Turn any failure to read a damaged file into one message."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # what zip, NumPy, protobuf, JSON and the checks of values raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"{folder}: {part} cannot be read ({reason}): compile the model again"
        ) from error


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
