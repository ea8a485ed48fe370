# SPDX-License-Identifier: BSD-3-Clause
"""What the commands do: each takes its options and returns the exit code.

Heavy imports (torch, onnx) stand in the functions, so that help and errors are immediate.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bonn_hw.errors import ToolMissing, UserError


def run_train(options: argparse.Namespace, notes: Console) -> int:
    """Train an experiment."""
    from bonn_hw.nn.training.train import train

    train(options.experiment, options.out, resume=options.resume, limit=options.limit)
    return 0


def run_prune(options: argparse.Namespace, notes: Console) -> int:
    """Merge alike filters of a run."""
    from bonn_hw.nn.training.pruning import prune

    prune(options.run, options.out, options.rate, options.epochs, options.recover)
    return 0


def run_plot(options: argparse.Namespace, notes: Console) -> int:
    """Draw a run."""
    from bonn_hw.nn.figures import plot

    layers = options.layers or plot.PAPER_LAYERS
    for path in plot.plot(options.run, options.out, options.against, layers):
        print(path)
    return 0


def run_export(options: argparse.Namespace, notes: Console) -> int:
    """Write a run as QONNX."""
    from bonn_hw.nn.export import export

    export(options.run, options.out)
    notes.print(f"wrote {options.out}")
    return 0


def run_release(options: argparse.Namespace, notes: Console) -> int:
    """Keep a run small."""
    from bonn_hw.nn.training.checkpoint import Checkpoint
    from bonn_hw.nn.training.release import release

    weights = release(Checkpoint.load(options.run).network, options.run, options.out)
    notes.print(f"wrote {weights}: {weights.stat().st_size / 1000:.0f} kB")
    return 0


def run_check(options: argparse.Namespace, notes: Console) -> int:
    """Say whether a model can be compiled."""
    from bonn_hw import pipeline
    from bonn_hw.boards import board
    from bonn_hw.report import tables

    target = None
    if options.board is not None:
        chosen = board(options.board)
        clock = options.clock_mhz or chosen.clock_mhz
        target = pipeline.Target(chosen, clock, options.fps)
    elif options.fps or options.clock_mhz:
        raise UserError("check: --fps and --clock-mhz need a --board")
    with notes.status("") as status:
        graph, findings = pipeline.check_model(
            options.model, target, lambda text: status.update(f"check: {text}")
        )
    tables.show_kernels(graph, findings, Console(highlight=False))
    return 0


def run_fold(options: argparse.Namespace, notes: Console) -> int:
    """Find foldings and FIFO depths."""
    from bonn_hw import pipeline

    if options.pareto and (options.fps or options.max_fps or options.latency_ms):
        raise UserError("fold: --pareto shows all rates: leave --fps, --max-fps, --latency-ms out")
    make = pipeline.fold_front if options.pareto else pipeline.fold_model
    return _make_design(options, notes, make, any_rate=options.pareto)


def run_compile(options: argparse.Namespace, notes: Console) -> int:
    """Write the accelerator."""
    from bonn_hw import pipeline

    return _make_design(options, notes, pipeline.compile_model)


def _make_design(
    options: argparse.Namespace,
    notes: Console,
    make: Callable[..., dict[str, Any]],
    any_rate: bool = False,
) -> int:
    from bonn_hw import pipeline
    from bonn_hw.boards import board
    from bonn_hw.report import tables

    name = options.name
    if not (options.fps or options.max_fps or options.folding or any_rate):
        raise UserError(
            f"{name}: give --fps or --max-fps, or foldings for the layers with --folding FILE.json"
        )
    if options.max_fps and options.latency_ms:
        raise UserError(f"{name}: --latency-ms goes with --fps, not with --max-fps")
    chosen = board(options.board)
    target = pipeline.Target(
        chosen,
        options.clock_mhz or chosen.clock_mhz,
        options.fps,
        options.max_fps,
        options.latency_ms,
        options.lut_fraction,
    )
    with notes.status("") as status:
        facts = make(
            options.model,
            target,
            options.out,
            options.folding,
            options.checkpoint,
            lambda text: status.update(f"{name}: {text}"),
        )
    tables.show(facts, Console(highlight=False))
    return 0


def run_sweep(options: argparse.Namespace, notes: Console) -> int:
    """Fold many designs."""
    from bonn_hw import sweep

    rows = sweep.sweep(options.file, options.out, options.jobs, options.cluster, notes)
    sweep.show(rows, Console(highlight=False))
    return 1 if any("error" in row for row in rows) else 0


def run_simulate(options: argparse.Namespace, notes: Console) -> int:
    """Run the RTL on images."""
    from bonn_hw import files, pipeline
    from bonn_hw.report import tables, values

    if options.trace is not None and options.trace.suffix not in (".fst", ".vcd"):
        raise UserError(f"--trace {options.trace}: waves are written as .fst or .vcd")
    build = pipeline.Build.load(options.build)
    checkpoint = None
    if options.checkpoint is not None:
        from bonn_hw.nn.training.checkpoint import Checkpoint

        checkpoint = Checkpoint.load(options.checkpoint)
    # Our own exports say how images become inputs; other models are fed images in [0, 1].
    experiment = checkpoint.experiment if checkpoint else None
    transform = experiment.transform if experiment else build.facts["model"].get("transform")
    images, labels = _images(options, build.host.input_shape, transform)
    with notes.status("") as status:
        answers = pipeline.simulate(
            build,
            images,
            options.jobs,
            options.stall,
            options.trace,
            lambda text: status.update(f"simulate: {text}"),
        )
        status.update("simulate: PyTorch")
        pytorch = checkpoint.predict(images) if checkpoint else None
        integers = checkpoint.accumulators(images) if checkpoint else None
    facts = values.simulated(build.facts, answers, labels, pytorch, integers, options.stall)
    if options.outputs:
        with files.fresh_file(options.outputs) as partial, partial.open("wb") as stream:
            np.save(stream, answers.y)
    if options.json:
        values.save(facts, options.json)
    values.save(facts, options.build / values.NAME)
    tables.show(facts, Console(highlight=False))
    return 1 if facts["mismatches"] else 0


def run_export_finn(options: argparse.Namespace, notes: Console) -> int:
    """Write a build in FINN's form."""
    from bonn_hw import pipeline

    build = pipeline.Build.load(options.build)
    for path in pipeline.export_finn(build, options.out or options.build / "finn"):
        notes.print(f"wrote {path}", soft_wrap=True)
    return 0


def run_witness(options: argparse.Namespace, notes: Console) -> int:
    """Compare with FINN."""
    from bonn_hw import pipeline
    from bonn_hw.boards import board
    from bonn_hw.interop.crosscheck import witness
    from bonn_hw.report import tables, values

    images = None
    if options.inputs or options.dataset:
        model = pipeline.read_model(options.model)
        images, _ = _images(options, model.shapes[model.input], model.metadata.get("transform"))
    chosen = board(options.board)
    # Layers that a file fixes say how fast it is.
    rate = None if options.folding else options.fps
    target = pipeline.Target(chosen, options.clock_mhz or chosen.clock_mhz, rate)
    with notes.status("") as status:
        facts = witness(
            options.model,
            images,
            options.random,
            target,
            options.folding,
            lambda text: status.update(f"witness: {text}"),
        )
    if options.json:
        values.save(facts, options.json)
    tables.show_witness(facts, Console(highlight=False))
    return 1 if facts["verdict"] == "differs" else 0


def run_synth(options: argparse.Namespace, notes: Console) -> int:
    """Synthesise a build."""
    from bonn_hw import pipeline
    from bonn_hw.report import tables

    build = pipeline.Build.load(options.build)
    with notes.status("") as status:
        facts = pipeline.synthesise(
            build,
            options.kernel,
            options.jobs,
            lambda text: status.update(f"synth: {text}"),
        )
    tables.show(facts, Console(highlight=False))
    return 0


def run_bitstream(options: argparse.Namespace, notes: Console) -> int:
    """Make a bitstream; 3 where its tool is not here."""
    from bonn_hw import pipeline
    from bonn_hw.report import tables

    build = pipeline.Build.load(options.build)
    target = build.facts["target"]
    board = options.board or target["board"]
    tool, clock_mhz = pipeline.bitstream_defaults(board, target["clock_mhz"])
    try:
        with notes.status("") as status:
            facts = pipeline.make_bitstream(
                build,
                board,
                options.clock_mhz or clock_mhz,
                options.tool or tool,
                lambda text: status.update(f"bitstream: {text}"),
            )
    except ToolMissing as error:
        notes.print(f"bonn-hw: {error}", soft_wrap=True)
        return 3
    tables.show(facts, Console(highlight=False))
    return 0


def _images(
    options: argparse.Namespace, shape: tuple[int, ...], transform: str | None
) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    if options.inputs is not None:
        try:
            images: Any = np.load(options.inputs, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(
                f"--inputs {options.inputs} cannot be read as a NumPy array ({error}): write it "
                "with numpy.save, float32, batch first"
            ) from error
        return (images[: options.count] if images.ndim else images), None
    from bonn_hw.nn.data import datasets

    tests = datasets.load(options.dataset, "test").first(options.count)
    if transform is not None:
        tests = tests.transformed(transform)
    if tests.images.shape[1:] != shape:
        raise UserError(
            f"--dataset {options.dataset}: its images are {tests.images.shape[1:]}, the model "
            f"takes {shape}: prepare them yourself and give them with --inputs"
        )
    return tests.images, tests.labels


def run_report(options: argparse.Namespace, notes: Console) -> int:
    """Print a report."""
    from bonn_hw.report import tables, values

    path = options.build / values.NAME
    if not path.is_file():
        raise UserError(f"{options.build} is not a build: it has no {values.NAME}")
    if options.json:
        print(path.read_text(), end="")
    else:
        tables.show(values.load(path), Console(highlight=False))
    return 0
