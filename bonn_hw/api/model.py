# SPDX-License-Identifier: BSD-3-Clause
"""`Model`: a QONNX file that is checked, folded and compiled."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bonn_hw import files, pipeline
from bonn_hw.api.build import Build
from bonn_hw.api.check import Check
from bonn_hw.api.exporting import export, torch_needed
from bonn_hw.api.progress import Shown, shown
from bonn_hw.api.target import check_rate, folding_of, target_of
from bonn_hw.emit.names import check_top, default_top
from bonn_hw.errors import UserError
from bonn_hw.frontend import StatedGrid
from bonn_hw.ir.rtl import Interface
from bonn_hw.progress import Progress
from bonn_hw.report.values import Front, Report

if TYPE_CHECKING:
    from torch import nn

    from bonn_hw.nn.brevitas_export.module import Exported

Told = TypeVar("Told")


class Model:
    """A network: a QONNX file, or a PyTorch module by `from_torch`.

    Attributes
    ----------
    path : Path
        The QONNX file.
    torch : torch.nn.Module, Path or None
        What it was exported from; `Build.compare` compares with it.
    exported : Exported or None
        How the file compares with PyTorch, and the bits and scales of its layers.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        input: str | None = None,
        external_data: str | Path | None = None,
    ) -> None:
        """Name a file; it is read when it is used.

        Parameters
        ----------
        path : str or Path
        input : str or None
            Values of the input, of a model without a quantiser there: an integer type and a scale,
            such as ``uint8/255``, ``int8`` or ``int4*0.125``.
        external_data : str, Path or None
            The folder in which tensors may be that are not in the file.
        """
        self.path = Path(path)
        self._grid = None if input is None else StatedGrid.parse(input)
        self._external_data = None if external_data is None else Path(external_data)
        self.torch: nn.Module | Path | None = None
        self.exported: Exported | None = None
        if not self.path.is_file():
            raise UserError(f"model {self.path} cannot be read: there is no such file")

    @classmethod
    def from_torch(cls, net: nn.Module, example: Any, path: str | Path | None = None) -> Model:
        """Export a PyTorch network with Brevitas' quantisers (see `export`).

        Parameters
        ----------
        net : torch.nn.Module
        example : tensor or array ``(N, ...)``
            One or more inputs, batch first.
        path : str, Path or None
            The file to write; None: a temporary one, which lives as long as the model.
        """
        name = re.sub(r"[^A-Za-z0-9]+", "_", type(net).__name__).lower() or "model"
        model, exported = cls._written(lambda place: export(net, example, place), name, path)
        model.torch, model.exported = net, exported
        return model

    @classmethod
    def from_run(cls, run: str | Path, path: str | Path | None = None) -> Model:
        """Export a run folder of ``bonn-hw train``, or of the zoo."""
        with torch_needed("from_run"):
            from bonn_hw.nn.export_run import export_run

            write = partial(export_run, Path(run))
            model, _ = cls._written(write, Path(run).resolve().name, path)
        model.torch = Path(run)
        return model

    @classmethod
    def _written(
        cls, write: Callable[[Path], Told], name: str, path: str | Path | None
    ) -> tuple[Model, Told]:
        """The model of a file that is written first; a temporary one lives as long as the model."""
        with ExitStack() as stack:
            if path is None:
                path = stack.enter_context(files.scratch()) / f"{name}.onnx"
            told = write(Path(path))
            model = cls(path)
            weakref.finalize(model, stack.pop_all().close)
        return model, told

    @property
    def name(self) -> str:
        """Name of the file without its ending."""
        return self.path.stem

    def __repr__(self) -> str:
        return f"<Model {self.path}>"

    def check(
        self,
        board: str | Path | None = None,
        fps: float | None = None,
        clock_mhz: float | None = None,
        progress: Shown = None,
    ) -> Check:
        """Find out whether the model can be compiled, and what a board can reach.

        Raises
        ------
        UserError
            If it cannot be compiled; the message names the layer and the remedy.
        """
        target = None
        if board is not None:
            target = target_of(board, clock_mhz, fps)
        elif fps is not None or clock_mhz is not None:
            raise UserError("check: fps and clock_mhz need a board")
        with shown("check", progress) as step:
            return Check(
                pipeline.check_model(self.path, target, step, self._grid, self._external_data)
            )

    def fold(
        self,
        board: str | Path = "pynq-z2",
        fps: float | None = None,
        *,
        max_fps: bool = False,
        latency_ms: float | None = None,
        lut_fraction: float = 0.7,
        prefer: str = "lut",
        dsp: bool = True,
        clock_mhz: float | None = None,
        folding: str | Path | None = None,
        out: str | Path | None = None,
        progress: Shown = None,
    ) -> Report:
        """Choose foldings and FIFO depths, without RTL; returns the report.

        Parameters are those of `compile`. With ``out``, the folder gets the folding files, the
        report and pictures.
        """
        target = target_of(board, clock_mhz, fps, max_fps, latency_ms, lut_fraction, prefer, dsp)
        check_rate("fold", target, folding)
        place = None if out is None else Path(out)
        with shown("fold", progress) as step:
            return pipeline.fold_model(
                self.path, target, place, folding_of(folding), *self._reading(step)
            )

    def front(
        self,
        board: str | Path = "pynq-z2",
        *,
        clock_mhz: float | None = None,
        folding: str | Path | None = None,
        out: str | Path | None = None,
        progress: Shown = None,
    ) -> Front:
        """All trade-offs of frame rate and resources, FIFOs not counted; the slowest first."""
        target = target_of(board, clock_mhz)
        place = None if out is None else Path(out)
        with shown("front", progress) as step:
            return pipeline.fold_front(
                self.path, target, place, folding_of(folding), *self._reading(step)
            )

    def compile(
        self,
        board: str | Path = "pynq-z2",
        fps: float | None = None,
        *,
        out: str | Path | None = None,
        max_fps: bool = False,
        latency_ms: float | None = None,
        lut_fraction: float = 0.7,
        prefer: str = "lut",
        dsp: bool = True,
        clock_mhz: float | None = None,
        folding: str | Path | None = None,
        top: str | None = None,
        labels_on_chip: int | None = None,
        tlast: bool = False,
        byte_aligned: bool = False,
        aresetn: bool = False,
        progress: Shown = None,
    ) -> Build:
        """Write the accelerator.

        Parameters
        ----------
        board : str or Path
            Name of a board, or the file of your own.
        fps : float or None
            Frames per second to reach with the fewest resources.
        out : str, Path or None
            The build folder; None: ``build/NAME``. An earlier build there is replaced.
        max_fps : bool
            Instead of ``fps``: the highest frame rate that fits the board.
        latency_ms : float or None
            Maximum latency of a frame.
        lut_fraction : float
            Share of the board's LUTs that ``max_fps`` may use.
        prefer : str
            Resource to save: "lut", "bram" or "dsp".
        dsp : bool
            False: no DSP slices, as ``bitstream("open")`` builds it.
        clock_mhz : float or None
            None: the board's.
        folding : str, Path or None
            Instead of ``fps``: a JSON file with PE and SIMD of the layers; "model" keeps those of a
            hardware graph of FINN.
        top : str or None
            Name of the top module in ``rtl/``; None: the name of the file and ``_top``.
        labels_on_chip : int or None
            How many of the best classes the accelerator sends instead of their scores.
        tlast, byte_aligned, aresetn : bool
            Ports of the top module in ``rtl/``: ``tlast`` with the last beat of a frame, widths of
            ``tdata`` that are multiples of 8, ``aresetn`` instead of ``rst``.
        progress
            None: a line on a terminal; False: nothing; a function: called with each step.

        Raises
        ------
        UserError
            For every input that cannot be compiled; nothing is written then.
        """
        target = target_of(board, clock_mhz, fps, max_fps, latency_ms, lut_fraction, prefer, dsp)
        check_rate("compile", target, folding)
        name = default_top(Path(self.name)) if top is None else check_top(top)
        place = Path(out) if out is not None else Path("build") / self.name
        with shown("compile", progress) as step:
            pipeline.compile_model(
                *(self.path, target, place, folding_of(folding), *self._reading(step)),
                top=name,
                labels=labels_on_chip,
                interface=Interface(tlast, byte_aligned, aresetn),
            )
        build = Build(place)
        build.torch = self.torch
        return build

    def _reading(
        self, step: Progress
    ) -> tuple[Path | None, Progress, StatedGrid | None, Path | None]:
        """How the file is read; a run folder is one whose rounding the lowering follows."""
        run = self.torch if isinstance(self.torch, Path) else None
        return run, step, self._grid, self._external_data
