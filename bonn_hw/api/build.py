# SPDX-License-Identifier: BSD-3-Clause
"""`Build`: a compiled accelerator that is run, simulated, compared and synthesised."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw import after_build, build_folder, engine, files, locate, verification
from bonn_hw.api.display import html_of, text_of
from bonn_hw.api.frames import as_float32, as_labels
from bonn_hw.api.layers import Layer, expected_layers, layers, tensor_behind
from bonn_hw.api.picture import Picture, layers_of
from bonn_hw.api.progress import Shown, shown
from bonn_hw.api.pytorch import PyTorchSide, pytorch_side
from bonn_hw.api.simulation import Simulation, simulation_of
from bonn_hw.errors import UserError
from bonn_hw.images import Images
from bonn_hw.report import store, tables
from bonn_hw.report.values import Front, Report

if TYPE_CHECKING:
    from torch import nn


class Build:
    """A build folder, from `Model.compile` or ``bonn-hw compile``.

    Attributes
    ----------
    folder : Path
    torch : torch.nn.Module, Path or None
        The network that it was compiled from, if `Model` knows it.
    """

    def __init__(self, folder: str | Path, *, trust: bool = False) -> None:
        """Open a build folder; raises UserError if it is none, or was changed.

        With ``trust``, a folder that was changed is used as it is; see docs/files.md.
        """
        self.folder = Path(folder)
        self.torch: nn.Module | Path | None = None
        self._loaded = build_folder.Build.load(self.folder, trust)

    @property
    def report(self) -> Report:
        """All figures that are known by now: predicted, simulated, synthesised, implemented."""
        report = store.load_build(self.folder)
        if isinstance(report, Front):
            raise UserError(f"{self.folder} holds the trade-offs of 'fold --pareto', and no build")
        return report

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The hardware units in dataflow order."""
        return layers(self._loaded.design)

    def __repr__(self) -> str:
        report = self.report
        lut = report.resources.lut
        return (
            f"<Build {self.folder}: {report.target.board} at {report.target.clock_mhz:g} MHz, "
            f"{report.frames_per_second.predicted:,.1f} frames/s, {lut.predicted:,.0f} LUT "
            f"({lut.predicted / lut.available:.1%})>"
        )

    def __str__(self) -> str:
        report = self.report
        return text_of(lambda console: tables.show(report, console))

    def _repr_html_(self) -> str:
        return html_of(str(self))

    def predict(self, x: Any) -> NDArray[np.float32]:
        """The accelerator's outputs, computed with exact integers; equal to the RTL's.

        Parameters
        ----------
        x : array or tensor ``(N, ...)``
            Inputs of the model, batch first.

        Returns
        -------
        float32 ``(N, ...)``
        """
        host, graph = self._loaded.host, self._loaded.design.graph
        return host.decode(engine.run(graph, host.encode(as_float32(x))))

    def values(self, x: Any, layer: str, *, rtl: bool = False) -> NDArray[np.integer[Any]]:
        """The integers that leave a layer, as on the hardware's stream.

        Parameters
        ----------
        layer : str
            A layer of the model (``Layer.layer``), a module such as ``3`` of the layer ``3/Quant``,
            or a unit (``Layer.name``).
        rtl : bool
            Record the stream in a simulation of the RTL; otherwise compute the values with the
            exact engine, which is faster.

        Returns
        -------
        integers ``(N, H, W, C)``
        """
        graph = self._loaded.design.graph
        wanted = tensor_behind(graph, layer)
        if rtl:
            with files.reading(self.folder):
                return locate.stream_values(self._loaded, as_float32(x), wanted)
        frames = self._loaded.host.encode(as_float32(x))
        for name, values in graph.walk(frames):
            if name == wanted:
                return values.reshape(-1, *graph.tensors[name].shape)
        raise UserError(f"values: {layer!r} leaves no values")

    def simulate(
        self,
        x: Any,
        *,
        stall: int | None = None,
        jobs: int | None = None,
        trace: str | Path | None = None,
        save: bool = True,
        progress: Shown = None,
    ) -> Simulation:
        """Simulate the RTL cycle by cycle, and compare it with the integer graph and the model.

        Parameters
        ----------
        x : array or tensor ``(N, ...)``
            Inputs of the model, batch first.
        stall : int or None
            Seed of random stalls at input and output; None: no stalls.
        jobs : int or None
            Parallel processes; None: one for each CPU core.
        trace : str, Path or None
            Waveforms: a file that ends with .fst or .vcd.
        save : bool
            Keep the figures in the build's report.
        """
        images = Images(as_float32(x))
        return self._simulate(images, PyTorchSide(), stall, jobs, trace, save, False, progress)

    def compare(
        self,
        x: Any,
        *,
        expected: Any = None,
        torch: nn.Module | str | Path | None = None,
        labels: Any = None,
        stall: int | None = None,
        jobs: int | None = None,
        save: bool = True,
        strict: bool = False,
        progress: Shown = None,
    ) -> Simulation:
        """Simulate the RTL, and compare it also with your own outputs, PyTorch and labels.

        If there is a mismatch, the first value that differs is found: layer, frame, pixel, channel
        and cycle (`Simulation.first_difference`).

        Parameters
        ----------
        x : array or tensor ``(N, ...)``
            Inputs of the model, batch first.
        expected : array or tensor ``(N, ...)``, mapping, or None
            Outputs that you expect; or, by layer, the integers that you expect to leave it, as
            `values` returns them.
        torch : torch.nn.Module, run folder or None
            The network itself. Its quantisers are compared one by one, so that the first layer
            that differs is known. None: the network that the model was made from, if there is one
            and no ``expected``.
        labels : array or tensor ``(N,)``, or None
            Classes, for the accuracy.
        strict : bool
            Other decisions of ONNX Runtime's rounded sums, and cycles that are not as predicted,
            fail.
        """
        frames = as_float32(x)
        if expected is not None and torch is not None:
            raise UserError("compare: expected= and torch= exclude each other: compare twice")
        network = self.torch if torch is None and expected is None else torch
        side = pytorch_side(network, self._loaded, frames)
        layers: dict[str, NDArray[Any]] = {}
        if isinstance(expected, Mapping):
            layers = expected_layers(expected, self._loaded.design.graph, len(frames))
            expected = None
        if side.decisions is not None:
            expected = side.decisions.outputs
        images = Images(
            frames,
            None if labels is None else as_labels(labels, len(frames)),
            None if expected is None else as_float32(expected, "expected"),
            None if side.decisions is None else side.decisions.rounded,
        )
        clues = locate.Clues(layers, side.first_difference)
        return self._simulate(images, side, stall, jobs, None, save, strict, progress, clues)

    def synth(
        self, kernel: str | None = None, *, jobs: int | None = None, progress: Shown = None
    ) -> Report:
        """Synthesise the RTL with Yosys: the design and all units, or one unit."""
        with files.reading(self.folder), shown("synth", progress) as step:
            return after_build.synthesise(self._loaded, kernel, jobs or _cores(), step)

    def bitstream(
        self,
        board: str | Path | None = None,
        *,
        tool: str | None = None,
        clock_mhz: float | None = None,
        prove: bool = True,
        progress: Shown = None,
    ) -> Report:
        """Make the bitstream, and the folder ``board`` that is copied to the board.

        Parameters
        ----------
        board, tool, clock_mhz
            None: the board and the clock of the build, and the board's usual tool ("vivado" or
            "open": Yosys and nextpnr).
        prove : bool
            Read a bitstream for a Zynq-7000 that "open" made back to a netlist, and compare its
            answers with those of the design.

        Raises
        ------
        ToolMissing
            If the tool is not installed; the plan is written.
        """
        chosen = str(board or self._loaded.report.target.board)
        usual, clock = after_build.bitstream_defaults(self._loaded, chosen)
        with files.reading(self.folder), shown("bitstream", progress) as step:
            return after_build.make_bitstream(
                self._loaded, chosen, clock_mhz or clock, tool or usual, step, prove
            )

    def take_bitstream(
        self,
        results: str | Path | None = None,
        *,
        board: str | Path | None = None,
        clock_mhz: float | None = None,
        progress: Shown = None,
    ) -> Report:
        """Check and pack what a plan for Vivado has become on another machine.

        Parameters
        ----------
        results : str, Path or None
            The ``results.tar.gz`` that ``run.sh`` has written there, or the folder of the run;
            None: the build's own folder ``system/vivado``.
        board, clock_mhz
            None: as planned.

        Raises
        ------
        UserError
            If the results are not those of this build's plan, or if timing is missed.
        """
        place = None if results is None else Path(results)
        chosen = None if board is None else str(board)
        with files.reading(self.folder), shown("bitstream", progress) as step:
            return after_build.take_bitstream(self._loaded, place, chosen, clock_mhz, step)

    def plot(self, folder: str | Path | None = None) -> Picture:
        """Draw cycles and resources of each layer; in a notebook, the picture is shown.

        Parameters
        ----------
        folder : str, Path or None
            Gets ``layers.png`` and ``layers.svg``; None: ``pictures`` in the build.
        """
        place = self.folder / "pictures" if folder is None else Path(folder)
        return layers_of(self.report, place)

    def _simulate(
        self,
        images: Images,
        side: PyTorchSide,
        stall: int | None,
        jobs: int | None,
        trace: str | Path | None,
        save: bool,
        strict: bool,
        progress: Shown,
        clues: locate.Clues | None = None,
    ) -> Simulation:
        wave = None if trace is None else Path(trace)
        if wave is not None and wave.suffix not in (".fst", ".vcd"):
            raise UserError(f"trace={trace}: name a file that ends with .fst or .vcd")
        with files.reading(self.folder), shown("simulate", progress) as step:
            outcome = verification.simulate_images(
                self._loaded, images, side.trained, jobs or _cores(), stall, wave, step, save, clues
            )
        return simulation_of(outcome, side.decisions, strict)


def _cores() -> int:
    return os.cpu_count() or 1
