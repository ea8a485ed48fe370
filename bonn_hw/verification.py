# SPDX-License-Identifier: BSD-3-Clause
"""Simulate a build, and compare it with its integer graph, its model, PyTorch and your outputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from bonn_hw import engine, frontend, locate
from bonn_hw.build_folder import Build
from bonn_hw.emit.stored import read_project, verified
from bonn_hw.errors import UserError
from bonn_hw.images import Images, ImageSource
from bonn_hw.ir.stream import pack, unpack
from bonn_hw.pipeline import read_model
from bonn_hw.progress import Progress, silent
from bonn_hw.report import sections
from bonn_hw.report.answers import Answers
from bonn_hw.report.expected import check_shape
from bonn_hw.report.merge import with_simulated
from bonn_hw.report.page import beside
from bonn_hw.report.simulation import PyTorch, simulated
from bonn_hw.report.values import Report
from bonn_hw.sliced import engines
from bonn_hw.sliced.engines import Engine
from bonn_hw.synth.run import family
from bonn_hw.synth.yosys import Job

if TYPE_CHECKING:
    from bonn_hw.nn.own.network import OwnNetwork
    from bonn_hw.nn.training.checkpoint import Checkpoint

# Predicted LUTs x stages x cycles of a batch: seconds of an idle core, half a minute of a busy one.
# Measured with other work on the cores, in cycles a second: digits 1.37 M (1,060 LUT, 14 stages),
# CNV 343 k (7,213 LUT, 33 stages), WRN-22 11.3 k (12,450 LUT, 257 stages).
BATCH_WORK, LEAST_FRAMES = 1e12, 16


def simulate(
    build: Build,
    images: NDArray[np.float32],
    jobs: int = 1,
    stall: int | None = None,
    trace: Path | None = None,
    progress: Progress = silent,
    simulator: Engine = "auto",
    netlist: bool = False,
) -> Answers:
    """Simulate the RTL in the build cycle by cycle, and compute the references.

    Parameters
    ----------
    images : float32, batch first
        Inputs of the QONNX model.
    stall : int or None
        Seed of random gaps on the input and random stalls of the output.
    simulator : "auto", "verilator" or "sliced"
        What simulates the RTL (`sliced.engines`).
    netlist : bool
        Simulate the netlist that ``synth`` makes of it.
    """
    inputs = build.host.encode(images)
    progress("integer graph")
    integer = engine.run(build.design.graph, inputs)
    progress("QONNX model")
    reference, model = (
        build.reference,
        read_model(build.folder / "model.onnx", build.host.stated_by_user),
    )
    qonnx = reference.run(images)
    rounded = model.run(images)
    plain = frontend.compare(model, reference, images, qonnx, rounded)
    project = read_project(build.rtl) if build.trusted else verified(build.design, build.rtl)
    run = engines.simulate(
        project,
        pack(inputs, project.source.lanes, project.source.element),
        len(images),
        engine=simulator,
        cycles=build.design.bound,
        folder=build.rtl,
        templates=build.rtl if build.trusted else None,
        jobs=jobs,
        stall=stall,
        trace=trace,
        timeout_cycles=build.design.patience,
        batch=batch_frames(build),
        job=netlist_job(build) if netlist else None,
        progress=progress,
    )
    rtl = unpack(run.outputs, project.sink.lanes, project.sink.element).reshape(integer.shape)
    decode = build.host.decode
    return Answers(rtl, integer, decode(rtl), decode(integer), qonnx, plain, run, rounded)


def netlist_job(build: Build) -> Job:
    """The synthesis of the whole build, as ``synth`` has it."""
    target = build.report.target
    if not target.part.startswith("xc"):
        raise UserError(
            f"simulate: {target.part} is not an AMD device, and --netlist knows the cells of these "
            "only: simulate the RTL, without --netlist"
        )
    top = read_project(build.rtl).top  # as its file has it; `verified` gives all the same name
    return Job(build.rtl, family(target.part), top=top, clock_mhz=target.clock_mhz)


def batch_frames(build: Build) -> int:
    """Frames of a batch that is kept if a simulation is interrupted."""
    size = max(1.0, build.report.resources.lut.predicted) * len(build.design.stages)
    # Each batch fills the pipeline anew: some frames at least, so that this is a small part.
    return max(LEAST_FRAMES, int(BATCH_WORK / size / build.design.bound))


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of a simulation: the report with the figures of this run, and the answers."""

    report: Report
    answers: Answers

    @property
    def equal(self) -> bool:
        """Whether all answers are equal, for every frame."""
        comparison = self.report.comparison
        return comparison is not None and comparison.mismatches == 0

    @property
    def decided_alike(self) -> bool:
        """Whether ONNX Runtime's own, rounded sums lead to the same decisions everywhere."""
        return not self.answers.plain.other_decisions.any()


def simulate_and_compare(
    build: Build,
    source: ImageSource,
    checkpoint: Path | None = None,
    jobs: int = 1,
    stall: int | None = None,
    trace: Path | None = None,
    progress: Progress = silent,
    keep: bool = True,
    simulator: Engine = "auto",
    netlist: bool = False,
) -> Outcome:
    """Simulate a build, compare with all references, and save the figures in its report.

    Parameters
    ----------
    checkpoint : Path or None
        Run folder of the training, to compare with PyTorch.
    keep : bool
        Save the figures in the build's report; otherwise, the folder is not changed.
    simulator : "auto", "verilator" or "sliced"
    netlist : bool
        As in `simulate`.

    Raises
    ------
    UserError
        If the images or the checkpoint cannot be read, or the build was replaced meanwhile.
    """
    transform, trained, own = None, None, None
    if checkpoint is not None:
        from bonn_hw.nn.training.checkpoint import Checkpoint  # imports torch

        loaded = Checkpoint.load(checkpoint)
        transform = loaded.experiment.transform
        own = own_network(loaded)
        trained = loaded if own is None else None
    images = load_images(build, source, transform)
    if own is not None:
        images = with_decisions(build, images, own)
    return simulate_images(
        build,
        images,
        trained,
        jobs,
        stall,
        trace,
        progress,
        keep,
        simulator=simulator,
        netlist=netlist,
    )


def own_network(checkpoint: Checkpoint) -> OwnNetwork | None:
    """The network of a checkpoint if it is the user's own, and none of bonn_hw's."""
    from bonn_hw.nn.own.network import OwnNetwork

    return checkpoint.network if isinstance(checkpoint.network, OwnNetwork) else None


def with_decisions(build: Build, images: Images, network: OwnNetwork) -> Images:
    """The images with PyTorch's outputs, and the frames in which a sum is rounded differently.

    All quantisers of the user's module are compared with those of the build's model.
    """
    from bonn_hw.nn.brevitas_export.decisions import decisions_of_file

    path, source = build.folder / "model.onnx", build.reference
    found = decisions_of_file(network.module, path, read_model(path), images.values, source)
    return replace(images, expected=found.outputs, rounded=found.rounded)


def load_images(build: Build, source: ImageSource, transform: str | None = None) -> Images:
    """Read the frames for a build.

    Parameters
    ----------
    transform : str or None
        Of the images of a data set; None: the one that the model names, if bonn-hw exported it;
        other models get images in [0, 1].
    """
    transform = transform or build.report.model.transform
    return source.load(build.host.input_shape, transform, build.random_frames)


class Trained(Protocol):
    """A trained network of bonn_hw, such as `nn.training.checkpoint.Checkpoint`."""

    def predict(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """PyTorch's outputs ``(N, classes)``."""

    def accumulators(self, images: NDArray[np.float32]) -> NDArray[np.int32]:
        """The integers of its last layer ``(N, classes)``."""


def simulate_images(
    build: Build,
    images: Images,
    trained: Trained | None = None,
    jobs: int = 1,
    stall: int | None = None,
    trace: Path | None = None,
    progress: Progress = silent,
    keep: bool = True,
    clues: locate.Clues | None = None,
    simulator: Engine = "auto",
    netlist: bool = False,
) -> Outcome:
    """As `simulate_and_compare`, for images that are loaded.

    Parameters
    ----------
    clues : locate.Clues or None
        If there is a mismatch, find the first value that differs, with what else is known; None:
        do not search.
    """
    if images.expected is not None:
        check_shape(images.expected, len(images.values), build.output_shape)
    pytorch = None
    if trained is not None:
        progress("PyTorch")
        pytorch = PyTorch(trained.predict(images.values), trained.accumulators(images.values))
    answers = simulate(build, images.values, jobs, stall, trace, progress, simulator, netlist)
    stages = [stage.name for stage in build.design.stages]
    inner = None if clues is None else locate.frames_with_other_layers(build, images.values, clues)
    figures = simulated(
        stages, answers, images.labels, pytorch, stall, images.expected, images.rounded, inner
    )
    if clues is not None and figures.comparison.mismatches:
        progress("finding the first difference")
        first = locate.first_difference(build, images, answers, clues, pytorch, stall, progress)
        figures = replace(figures, comparison=replace(figures.comparison, first_difference=first))
    if not keep:
        return Outcome(with_simulated(build.report, figures), answers)
    report = sections.add_simulated(build.folder, build.identity, figures)
    beside.write_again(build.folder, build.design)
    return Outcome(report, answers)
