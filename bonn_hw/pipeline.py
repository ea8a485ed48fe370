# SPDX-License-Identifier: BSD-3-Clause
"""The whole flow on one page: a QONNX file becomes a build, a build answers for images."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bonn_hw import files, frontend
from bonn_hw.bitstream import make
from bonn_hw.boards import board as find_board
from bonn_hw.boards import keep
from bonn_hw.emit.top import emit
from bonn_hw.emit.write import write
from bonn_hw.errors import UserError
from bonn_hw.interop import dialect, finn_folding, finn_writer
from bonn_hw.ir import store
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.ir.stream import pack, unpack
from bonn_hw.ir.target import Target
from bonn_hw.kernels import kernels
from bonn_hw.passes.folding_file import (
    FoldingConstraints,
    constraints_from,
    constraints_of,
    read_constraints,
)
from bonn_hw.passes.plan import Plan, outlook, plan, trade_offs
from bonn_hw.progress import Progress, silent
from bonn_hw.report import pictures, values
from bonn_hw.report.answers import Answers
from bonn_hw.sim import run as simulator
from bonn_hw.synth import run as synth

# What fixes layers: a file, what the model itself states, or nothing.
Folding = Path | Literal["model"] | None


def read_model(path: Path) -> frontend.Model:
    """Read a QONNX file or a hardware graph of FINN's; raises UserError."""
    return frontend.read(path, dialect.GRAPHS)


def check_model(
    model_file: Path, target: Target | None, progress: Progress = silent
) -> tuple[DataflowGraph, list[str]]:
    """Lower a model and say what a board makes of it: the graph and findings. Writes nothing."""
    lowered = _lower(model_file, None, progress)[1]
    if target is None:
        return lowered.graph, list(lowered.findings)
    return lowered.graph, [*lowered.findings, *outlook(lowered.graph, target)]


def fold_model(
    model_file: Path,
    target: Target,
    out: Path,
    folding: Folding = None,
    checkpoint: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """QONNX file -> folder with the folded design, how to get it again, a report and pictures.

    Returns the report.

    Raises
    ------
    UserError
        For every input that cannot be folded; nothing is written then.
    """
    model, lowered = _lower(model_file, checkpoint, progress)
    constraints = _constraints(folding, model, lowered)
    planned = plan(lowered.graph, target, constraints, progress)
    facts = values.compiled(planned, target, _origin(model), lowered.findings)
    with files.fresh_folder(out) as folder:
        _save(planned, target, facts, folder)
        progress("drawing")
        (folder / "pictures").mkdir()
        pictures.draw_layers(facts, folder / "pictures")
    return facts


def fold_front(
    model_file: Path,
    target: Target,
    out: Path,
    folding: Folding = None,
    checkpoint: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """QONNX file -> folder with all trade-offs of frames and resources, a report and pictures."""
    model, lowered = _lower(model_file, checkpoint, progress)
    constraints = _constraints(folding, model, lowered)
    progress("folding")
    facts = values.front(
        list(trade_offs(lowered.graph, target, constraints)), target, _origin(model)
    )
    with files.fresh_folder(out) as folder:
        values.save(facts, folder / values.NAME)
        progress("drawing")
        (folder / "pictures").mkdir()
        pictures.draw_front(facts["front"], facts["target"], folder / "pictures", target.board)
    return facts


def compile_model(
    model_file: Path,
    target: Target,
    out: Path,
    folding: Folding = None,
    checkpoint: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """QONNX file -> build folder. Returns its report.

    Raises
    ------
    UserError
        For every input that cannot be compiled; nothing is written then.
    """
    model, lowered = _lower(model_file, checkpoint, progress)
    constraints = _constraints(folding, model, lowered)
    planned = plan(lowered.graph, target, constraints, progress)
    progress("emitting RTL")
    project = emit(planned.design)
    facts = values.compiled(planned, target, _origin(model), lowered.findings)
    with files.fresh_folder(out) as folder:
        shutil.copyfile(model_file, folder / "model.onnx")
        (folder / "host").mkdir()
        lowered.host.save(folder / "host")
        store.save(lowered.graph, folder, "graph")
        _save(planned, target, facts, folder)
        write(project, folder / "rtl")
    return facts


def _lower(
    model_file: Path, checkpoint: Path | None, progress: Progress
) -> tuple[frontend.Model, frontend.Lowered]:
    progress("reading the model")
    model = read_model(model_file)
    activations = None
    if checkpoint is not None:
        from bonn_hw.nn.training.checkpoint import Checkpoint  # torch is needed for this alone

        activations = Checkpoint.load(checkpoint).activations()
    progress("lowering to integers")
    lowered = frontend.lower(model, activations)
    lowered.graph.check()
    return model, lowered


def _constraints(
    folding: Folding, model: frontend.Model, lowered: frontend.Lowered
) -> FoldingConstraints:
    if folding is None:
        return FoldingConstraints()
    if folding != "model":
        return read_constraints(folding, lowered.graph, dialect.FOLDINGS)
    if not model.foldings:
        raise UserError(
            "--keep-folding: the model states no PE and SIMD, as a hardware graph of FINN's does: "
            "give them with --folding FILE.json"
        )
    return constraints_of(
        model.foldings, "--keep-folding", lowered.graph, dialect.FOLDINGS, fifos=True
    )


def _origin(model: frontend.Model) -> dict[str, Any]:
    kept = {key: model.metadata[key] for key in ("dataset", "transform") if key in model.metadata}
    return {"sha256": model.sha256} | kept


def _save(planned: Plan, target: Target, facts: dict[str, Any], folder: Path) -> None:
    """Write the folded design, what fixes it in another run, the report, and a user's board."""
    keep(target.board, folder)
    store.save(planned.design, folder, "design")
    own, finns = constraints_from(planned.design), finn_folding.from_own(planned.design)
    for name, document in (("folding.json", own), ("finn_folding.json", finns)):
        entries = ",\n".join(
            f"  {json.dumps(key)}: {json.dumps(document[key])}" for key in document
        )
        (folder / name).write_text(f"{{\n{entries}\n}}\n")
    values.save(facts, folder / values.NAME)


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
        with files.reading(folder):
            return cls._read(folder)

    @classmethod
    def _read(cls, folder: Path) -> Build:
        if not (folder / values.NAME).is_file():
            raise UserError(f"{folder} is not a build: make one with 'bonn-hw compile MODEL --out'")
        if not (folder / "rtl").is_dir():
            raise UserError(
                f"{folder} has foldings and no RTL: make it with 'bonn-hw compile MODEL --folding "
                f"{folder / 'folding.json'} --out'"
            )
        design = store.load(FoldedDesign, folder, "design", kernels()).check()
        host = frontend.Host.load(folder / "host")
        return cls(folder, design, host, values.load(folder / values.NAME))


def synthesise(
    build: Build,
    kernel: str | None = None,
    jobs: int = 1,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Synthesise a build's RTL with Yosys: the whole design and all stages, or one stage.

    Returns the report, completed and saved.
    """
    names = [stage.name for stage in build.design.stages]
    if kernel is not None and kernel not in names:
        raise UserError(f"synth: there is no stage {kernel!r}; the stages are {', '.join(names)}")
    folder, part = (build.folder / "rtl").resolve(), build.facts["target"]["part"]
    progress("Yosys")
    if kernel is not None:
        whole, stages = None, {kernel: synth.synthesise_stage(folder, part, kernel)}
    else:
        whole, stages = synth.synthesise_all(folder, part, names, jobs)
    facts = values.synthesised(build.facts, whole, stages, synth.version())
    values.save(facts, build.folder / values.NAME)
    return facts


def bitstream_defaults(build: Build, board: str) -> tuple[str, float]:
    """Tool and clock for a board, where none is asked for: the board's usual tool, and the clock of
    the build unless the board has only one."""
    chosen, clock_mhz = find_board(board, build.folder), build.facts["target"]["clock_mhz"]
    return chosen.tools[0], chosen.clock_mhz if chosen.clock.fixed else clock_mhz


def make_bitstream(
    build: Build,
    board: str,
    clock_mhz: float,
    tool: str = "vivado",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Make the bitstream of a build and the folder that is copied to the board.

    Parameters
    ----------
    board : str
        Name of a board, or path of a board's file; the build's own may be a user's board.

    Returns the report, completed and saved; raises what `bitstream.make.make` does.
    """
    chosen = find_board(board, build.folder)
    figures = make.make(
        build.folder, build.design, build.host, build.facts, chosen, clock_mhz, tool, progress
    )
    facts = make.merged(build.facts, figures)
    values.save(facts, build.folder / values.NAME)
    return facts


def export_finn(build: Build, out: Path) -> list[Path]:
    """Write a build as FINN's hardware graph and the folding that it has.

    Raises
    ------
    UnsupportedModel
        For a layer that FINN's nodes do not express; nothing is written then.
    """
    graph = finn_writer.dataflow_graph(build.design, build.host)
    folding = {"Defaults": {}, **finn_folding.of_abstract(build.design)}
    contents = {
        "hardware.onnx": graph.SerializeToString(deterministic=True),
        "folding.json": (json.dumps(folding, indent=1) + "\n").encode(),
    }
    for name, content in contents.items():
        with files.fresh_file(out / name) as partial:
            partial.write_bytes(content)
    return [out / name for name in contents]


def simulate(
    build: Build,
    images: NDArray[np.float32],
    jobs: int = 1,
    stall: int | None = None,
    trace: Path | None = None,
    progress: Progress = silent,
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
    qonnx = read_model(build.folder / "model.onnx").run(images)
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
