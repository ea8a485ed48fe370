# SPDX-License-Identifier: BSD-3-Clause
"""The flow: QONNX file -> build folder; `after_build` and `verification` go on from there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bonn_hw import extras, files, frontend, manifest
from bonn_hw.build_folder import REFERENCE, Build, write_design
from bonn_hw.emit.interface import core_name, wrapped
from bonn_hw.emit.names import default_top
from bonn_hw.emit.standalone import Timing, write_standalone
from bonn_hw.emit.stored import write_project
from bonn_hw.emit.top import emit
from bonn_hw.errors import UserError
from bonn_hw.interop import dialect
from bonn_hw.ir import store
from bonn_hw.ir.rtl import PLAIN, Interface
from bonn_hw.ir.target import Target
from bonn_hw.passes.folding_file import FoldingConstraints, constraints_of, read_constraints
from bonn_hw.passes.plan import Reach, feasibility, pareto_front, plan
from bonn_hw.progress import Progress, silent
from bonn_hw.report import assemble, pictures, training
from bonn_hw.report.page import beside, document, trades
from bonn_hw.report.store import NAME, save
from bonn_hw.report.values import Front, Model, Report

__all__ = [
    "Build",
    "Checked",
    "Target",
    "check_model",
    "compile_model",
    "fold_front",
    "fold_model",
    "read_model",
]

# The source of fixed foldings: a file, the attributes of the model itself, or none.
Folding = Path | Literal["model"] | None


def read_model(
    path: Path,
    grid: frontend.StatedGrid | None = None,
    external_data: Path | None = None,
) -> frontend.Model:
    """Read a QONNX file or a hardware graph of FINN; raises UserError.

    Parameters
    ----------
    grid : StatedGrid or None
        The values of the input, of a model that has no quantiser there.
    external_data : Path or None
        The folder in which tensors may be that are not in the file.
    """
    return frontend.read(path, dialect.GRAPHS, grid, external_data)


@dataclass(frozen=True, eq=False)
class Checked:
    """A model that can be compiled; ``reach`` is None without a board."""

    lowered: frontend.Lowered
    reach: Reach | None

    @property
    def findings(self) -> tuple[str, ...]:
        """The notes of the lowering, and what the board can reach."""
        return (*self.lowered.findings, *(self.reach.messages if self.reach else ()))


def check_model(
    model_file: Path,
    target: Target | None,
    progress: Progress = silent,
    grid: frontend.StatedGrid | None = None,
    external_data: Path | None = None,
) -> Checked:
    """Lower a model, and estimate what a board can reach. Writes nothing."""
    lowered = _lower(model_file, None, progress, grid, external_data)[1]
    return Checked(lowered, None if target is None else feasibility(lowered.graph, target))


def fold_model(
    model_file: Path,
    target: Target,
    out: Path | None,
    folding: Folding = None,
    checkpoint: Path | None = None,
    progress: Progress = silent,
    grid: frontend.StatedGrid | None = None,
    external_data: Path | None = None,
) -> Report:
    """QONNX file -> folder with the folded design, its folding files, a report and pictures.

    Returns the report. Without a folder (None), nothing is written.

    Raises
    ------
    UserError
        For every input that cannot be folded; nothing is written then.
    """
    model, lowered = _lower(model_file, checkpoint, progress, grid, external_data)
    constraints = _constraints(folding, model, lowered)
    planned = plan(lowered.graph, target, constraints, progress)
    report = assemble.compiled(planned, target, _model_of(model), lowered.notes)
    report = replace(report, training=training.of_run(checkpoint))
    if out is None:
        return report
    with files.fresh_folder(out) as folder:
        write_design(planned, target, report, folder)
        if extras.installed("matplotlib"):
            progress("drawing")
            (folder / "pictures").mkdir()
            pictures.draw_layers(report, folder / "pictures")
        beside.begin(folder, planned.design, out.resolve().name)
    return report


def fold_front(
    model_file: Path,
    target: Target,
    out: Path | None,
    folding: Folding = None,
    checkpoint: Path | None = None,
    progress: Progress = silent,
    grid: frontend.StatedGrid | None = None,
    external_data: Path | None = None,
) -> Front:
    """QONNX file -> folder with all trade-offs of frame rate and resources, report and pictures.

    Without a folder (None), nothing is written.
    """
    model, lowered = _lower(model_file, checkpoint, progress, grid, external_data)
    constraints = _constraints(folding, model, lowered)
    progress("folding")
    choices = list(pareto_front(lowered.graph, target, constraints))
    front = assemble.front(choices, target, _model_of(model))
    if out is None:
        return front
    with files.fresh_folder(out) as folder:
        save(front, folder / NAME)
        trades.write_front(front, out.resolve().name, folder / document.NAME)
        if extras.installed("matplotlib"):
            progress("drawing")
            (folder / "pictures").mkdir()
            pictures.draw_front(front, folder / "pictures", target.board)
    return front


def compile_model(
    model_file: Path,
    target: Target,
    out: Path,
    folding: Folding = None,
    checkpoint: Path | None = None,
    progress: Progress = silent,
    grid: frontend.StatedGrid | None = None,
    external_data: Path | None = None,
    top: str | None = None,
    labels: int | None = None,
    interface: Interface = PLAIN,
) -> Report:
    """QONNX file -> build folder. Returns its report.

    Parameters
    ----------
    top : str or None
        Name of the top module, see `emit.names`; None: derived from the name of the file.
    labels : int or None
        How many labels the accelerator selects instead of sending scores (`frontend.labels`).
    interface : Interface
        What the ports have besides the streams. A bitstream's ports are always plain.

    Raises
    ------
    UserError
        For every input that cannot be compiled; nothing is written then.
    """
    name = top or default_top(model_file)
    with _ending_in_labels(model_file, labels, grid, external_data) as (file, data):
        model, lowered = _lower(file, checkpoint, progress, grid, data, labels)
        content = frontend.read_proto(file, data)[1]  # with all of its tensors
    constraints = _constraints(folding, model, lowered)
    planned = plan(lowered.graph, target, constraints, progress)
    progress("emitting RTL")
    project = wrapped(emit(planned.design, top=core_name(name, interface)), interface)
    report = assemble.compiled(planned, target, _model_of(model), lowered.notes)
    report = replace(report, training=training.of_run(checkpoint))
    with files.fresh_folder(out) as folder:
        (folder / "model.onnx").write_bytes(content)
        (folder / REFERENCE).write_bytes(lowered.reference.to_bytes())
        (folder / "host").mkdir()
        lowered.host.save(folder / "host")
        store.save(lowered.graph, folder, "graph")
        write_design(planned, target, report, folder)
        write_project(project, folder / "rtl")
        progress("golden vectors")
        timing = Timing(target.clock_mhz, planned.timing.interval, planned.design.patience)
        write_standalone(project, planned.design, timing, folder / "rtl")
        manifest.write(folder)
        beside.begin(folder, planned.design, out.resolve().name)
    return report


@contextmanager
def _ending_in_labels(
    model_file: Path,
    labels: int | None,
    grid: frontend.StatedGrid | None,
    external_data: Path | None,
) -> Iterator[tuple[Path, Path | None]]:
    """A model file that ends in labels, and its folder of external data."""
    if labels is None:
        yield model_file, external_data
        return
    frontend.check_count(read_model(model_file, grid, external_data), labels)
    proto, _ = frontend.read_proto(model_file, external_data)
    with files.scratch() as folder:
        file = folder / model_file.name
        labelled = frontend.with_labels(proto, labels)
        file.write_bytes(labelled.SerializeToString(deterministic=True))
        yield file, None


def _lower(
    model_file: Path,
    checkpoint: Path | None,
    progress: Progress,
    grid: frontend.StatedGrid | None,
    external_data: Path | None,
    labels: int | None = None,
) -> tuple[frontend.Model, frontend.Lowered]:
    progress("reading the model")
    model = read_model(model_file, grid, external_data)
    activations = None
    if checkpoint is not None:
        from bonn_hw.nn.training.checkpoint import Checkpoint  # imports torch

        # The user's own module tells none: its quantisers are compared as a whole.
        activations = Checkpoint.load(checkpoint).activations() or None
    progress("lowering to integers")
    lowered = frontend.lower(model, activations, labels)
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
            "--keep-folding: the model has no PE and SIMD, as a hardware graph of FINN has: "
            "pass them with --folding FILE.json"
        )
    return constraints_of(
        model.foldings, "--keep-folding", lowered.graph, dialect.FOLDINGS, fifos=True
    )


def _model_of(model: frontend.Model) -> Model:
    metadata = model.metadata
    return Model(model.sha256, metadata.get("dataset"), metadata.get("transform"))
