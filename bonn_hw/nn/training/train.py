# SPDX-License-Identifier: BSD-3-Clause
"""Experiment -> run folder, by PyTorch Lightning: seeded, repeatable, resumable.

A run folder holds ``experiment.toml``, ``last.ckpt`` (the last complete epoch), ``metrics.json``,
``metrics.csv`` and ``kernels.json``. On a CPU, a resumed training ends bit for
bit like an uninterrupted one with the same number of threads and processes. Under ``torchrun``,
every process takes its share of each batch, on one machine or several.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from bonn_hw import files
from bonn_hw.errors import Interrupted, UserError
from bonn_hw.nn.training.admission import admit
from bonn_hw.nn.training.checkpoint import Checkpoint, TrainedCheckpoint, read_state
from bonn_hw.nn.training.experiment import Experiment
from bonn_hw.nn.training.network_of import network_of
from bonn_hw.nn.training.run_files import CHECKPOINT
from bonn_hw.nn.training.run_writer import RunWriter
from bonn_hw.nn.training.speed import precision
from bonn_hw.nn.training.tensorboard import TensorBoard
from bonn_hw.nn.training.training_module import TrainingModule
from bonn_hw.nn.training.warm_start import start_from

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning.pytorch as lightning
    from lightning.pytorch.strategies import DDPStrategy


def train(
    experiment: str | Path | Experiment,
    out: str | Path,
    resume: bool = False,
    progress: bool = True,
    limit: int | None = None,
    tensorboard: bool = False,
) -> TrainedCheckpoint:
    """Train a network; return it as it is after the last epoch.

    Parameters
    ----------
    experiment
        An experiment, or the path of its TOML file.
    out
        The run folder; it must not hold a run unless `resume` is set.
    resume
        Continue after the last finished epoch in `out`.
    progress
        Show a progress bar and a line for each epoch.
    limit
        Train with the first `limit` images only (all are tested).
    tensorboard
        Also write logs for TensorBoard, into the folder ``tensorboard`` of the run.

    Raises
    ------
    UserError
        If an argument or the data is wrong, another process trains in `out`, or the loss is not
        finite; `Interrupted` after Ctrl-C.
    """
    out = Path(out)
    if not isinstance(experiment, Experiment):
        experiment = Experiment.read(experiment)
    if limit is not None and limit < 2:
        raise UserError(f"limit: must be at least 2 images, not {limit}")
    writer = RunWriter(out, experiment, limit, progress)
    first = int(os.environ.get("RANK", 0)) == 0
    with ExitStack() as stack:
        if first:
            with files.writing(out):
                stack.enter_context(files.lock(out, patience_s=0))
        return _train(writer, resume, first, tensorboard)


def _train(writer: RunWriter, resume: bool, first: bool, tensorboard: bool) -> TrainedCheckpoint:
    """`train` in a run folder that no other process writes; ``first``: the process that writes."""
    out, experiment, limit = writer.out, writer.experiment, writer.limit
    if first:
        writer.admit(resume)
    torch.manual_seed(experiment.seed)
    network = network_of(experiment.network, experiment.options, experiment.folder)
    train_set, test_set = experiment.data("train", limit), experiment.data(experiment.tested)
    admit(experiment, network, train_set)
    saved = out / CHECKPOINT
    resumed = resume and saved.exists()
    if experiment.init is not None and not resumed:
        start_from(experiment.init, network)
    module = TrainingModule(experiment, network, train_set, test_set)
    if first:
        writer.begin()
    others = [TensorBoard(out)] if tensorboard and first else []
    if resumed:
        read_state(saved)
    try:
        trainer = fit(module, writer, saved if resumed else None, others)
    except SystemExit as stop:
        raise Interrupted(
            f"{out}: interrupted after {writer.finished} of {experiment.all_epochs} epochs; "
            f"go on with `bonn-hw train EXPERIMENT.toml --out {out} --resume`"
        ) from stop
    # Once more: an earlier process may have ended after writing its last checkpoint and before
    # writing the figures.
    if first:
        writer.write_figures(module.history, module.kernels)
    trainer.strategy.barrier()
    return Checkpoint.load(out)


def fit(
    module: TrainingModule,
    writer: RunWriter,
    saved: Path | None = None,
    others: Sequence[lightning.Callback] = (),
) -> lightning.Trainer:
    """Train `module` for all epochs of its experiment, after the checkpoint `saved` if given.

    Raises
    ------
    SystemExit
        After Ctrl-C, which Lightning turns into this.
    """
    experiment = module.experiment
    with _quiet(), _uninterrupted_handler():
        trainer = lightning.Trainer(
            accelerator="auto",
            **_processes(),
            precision=precision(experiment),
            max_epochs=experiment.all_epochs,
            callbacks=[writer, *others],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            # Each process already makes its own share of the batches.
            use_distributed_sampler=False,
            default_root_dir=writer.out,
        )
        trainer.fit(module, ckpt_path=saved, weights_only=True)
    return trainer


def _processes() -> dict[str, Any]:
    """The Trainer's arguments for this process, or for those that ``torchrun`` started."""
    world = int(os.environ.get("WORLD_SIZE", 1))
    if world == 1:
        return {"devices": 1}
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", world))
    # The feature loss is used in fine-tuning only; before that, its parameters have no gradient.
    strategy = DDPStrategy(find_unused_parameters=True)
    return {"devices": devices, "num_nodes": world // devices, "strategy": strategy}


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Lightning's advice on loaders and hardware: a user cannot follow it here."""
    loggers = [logging.getLogger(n) for n in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _uninterrupted_handler() -> Iterator[None]:
    """Restore the handler of Ctrl-C, which Lightning disables."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
