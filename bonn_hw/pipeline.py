# SPDX-License-Identifier: BSD-3-Clause
"""The whole flow on one page: a QONNX file becomes a build, a build answers for images."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw import artifacts, frontend, report
from bonn_hw.boards import Board
from bonn_hw.emit.top import emit
from bonn_hw.emit.write import write
from bonn_hw.errors import UserError
from bonn_hw.ir import store
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.stream import pack, unpack
from bonn_hw.kernels import kernels
from bonn_hw.passes.fifo_sizing import size_fifos
from bonn_hw.passes.folding import check_pins, choose_foldings
from bonn_hw.passes.folding_file import read_foldings
from bonn_hw.passes.width_conversion import insert_width_converters
from bonn_hw.sim import run as simulator
from bonn_hw.timing import model as timing

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Target:
    """What a design is made for. ``fps`` None: as fast as the folding file's slowest layer."""

    board: Board
    clock_mhz: float
    fps: float | None

    @property
    def cycles(self) -> int | None:
        """Cycles that a frame may take."""
        return None if self.fps is None else int(self.clock_mhz * 1e6 / self.fps)


def compile_model(
    model_file: Path,
    target: Target,
    out: Path,
    folding_file: Path | None = None,
    checkpoint: Path | None = None,
    progress: Progress = lambda text: None,
) -> dict[str, Any]:
    """QONNX file -> build folder. Returns its report.

    Raises
    ------
    UserError
        For every input that cannot be compiled; nothing is written then.
    """
    pins = read_foldings(folding_file) if folding_file else {}
    progress("reading the model")
    model = frontend.read(model_file)
    activations = None
    if checkpoint is not None:
        from bonn_hw.nn.checkpoint import Checkpoint  # torch is needed for this alone

        activations = Checkpoint.load(checkpoint).activations()
    progress("lowering to integers")
    lowered = frontend.lower(model, activations)
    graph = lowered.graph.check()
    check_pins(graph, pins)
    pinned = [node.kernel.cycles(pins[node.name]) for node in graph.nodes if node.name in pins]
    cycles = target.cycles if target.cycles is not None else max(pinned, default=0)
    progress("folding")
    foldings = choose_foldings(graph, cycles, pins, target.board.lut_per_bram36)
    progress("sizing FIFOs")
    design = size_fifos(insert_width_converters(graph, foldings), progress)
    progress("emitting RTL")
    project = emit(design)
    origin = {"sha256": model.sha256} | {
        key: model.metadata[key] for key in ("dataset", "transform") if key in model.metadata
    }
    facts = report.compiled(design, timing.run(design), target, origin, lowered.findings)
    with artifacts.fresh_folder(out) as folder:
        shutil.copyfile(model_file, folder / "model.onnx")
        (folder / "host").mkdir()
        lowered.host.save(folder / "host")
        store.save(lowered.graph, folder, "graph")
        store.save(design, folder, "design")
        write(project, folder / "rtl")
        report.save(facts, folder / report.NAME)
    return facts


@dataclass(frozen=True)
class Build:
    """A build folder, loaded."""

    folder: Path
    design: FoldedDesign
    host: frontend.Host
    facts: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Build:
        """Read what `compile_model` wrote, or raise UserError."""
        if not (folder / report.NAME).is_file():
            raise UserError(f"{folder} is not a build: make one with 'bonn-hw compile MODEL --out'")
        design = store.load(FoldedDesign, folder, "design", kernels()).check()
        host = frontend.Host.load(folder / "host")
        return cls(folder, design, host, report.load(folder / report.NAME))


@dataclass(frozen=True, eq=False)
class Answers:
    """What every stage of the flow answers for the same images.

    ``rtl`` and ``integer`` are the integers that leave the accelerator, ``(N, H, W, C)``;
    ``y`` and ``y_integer`` are the same after the host's part, ``qonnx`` is the model's own answer.
    """

    rtl: NDArray[np.int64]
    integer: NDArray[np.integer[Any]]
    y: NDArray[np.float32]
    y_integer: NDArray[np.float32]
    qonnx: NDArray[np.float32]
    run: simulator.SimulationRun


def simulate(
    build: Build,
    images: NDArray[np.float32],
    jobs: int = 1,
    stall: int | None = None,
    trace: Path | None = None,
    progress: Progress = lambda text: None,
) -> Answers:
    """Simulate the RTL cycle by cycle and compute the references.

    Parameters
    ----------
    images : float32, batch first
        What the QONNX model itself would be fed.
    stall : int or None
        Seed of random gaps on the input and random stalls of the output.
    """
    inputs = build.host.encode(images)
    progress("integer graph")
    integer = build.design.graph.run(inputs)
    progress("QONNX model")
    qonnx = frontend.read(build.folder / "model.onnx").run(images)
    # What is simulated is what stands in the folder: its top, its sources, its memory images.
    rtl_folder = (build.folder / "rtl").resolve()
    emitted = emit(build.design)
    top = {"top.v": (rtl_folder / "top.v").read_text()}
    project = replace(emitted, files={**emitted.files, **top})
    run = simulator.simulate(
        project,
        pack(inputs, project.source.lanes, project.source.element),
        len(images),
        folder=rtl_folder,
        templates=rtl_folder,
        jobs=jobs,
        stall=stall,
        trace=trace,
        # A frame may wait for all others in the pipeline, and stalls make it slower.
        timeout_cycles=20 * build.design.bound + 10_000,
        progress=progress,
    )
    rtl = unpack(run.outputs, project.sink.lanes, project.sink.element).reshape(integer.shape)
    decode = build.host.decode
    return Answers(rtl, integer, decode(rtl), decode(integer), qonnx, run)
