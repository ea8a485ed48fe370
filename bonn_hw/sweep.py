# SPDX-License-Identifier: BSD-3-Clause
"""Fold many models for many boards, clocks and rates: on all cores, or on a Dask cluster.

Every combination is a job with its own folder. When a sweep is run again, finished jobs are not
repeated unless the model, the folding, the target or bonn_hw's code has changed. The job of a lost
Dask worker goes to another worker.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import tomllib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bonn_hw import cache, extras, files
from bonn_hw.boards import board
from bonn_hw.errors import UserError
from bonn_hw.ir.target import Target
from bonn_hw.report.codec import encode
from bonn_hw.report.figures import RESOURCES, PerResource
from bonn_hw.report.store import NAME, load
from bonn_hw.report.sweep_values import Design, SweepRow
from bonn_hw.report.values import Report

SECONDS = 5  # to wait for the answer of a scheduler
COLUMNS = (
    "model", "board", "clock_mhz", "fps", "frames_per_second", "cycles", "latency_cycles",
    *RESOURCES, "fits", "folder", "error",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One design; paths are absolute, so that any process finds them.

    Attributes
    ----------
    board : str
        Name, or path of a user's board file.
    fps : float or None
        None: the highest frame rate that fits.
    grid, external_data : str or None
        What ``--input`` and ``--external-data`` say, of every model.
    """

    model: str
    board: str
    clock_mhz: float
    fps: float | None
    lut_fraction: float
    folding: str | None
    grid: str | None = None
    external_data: str | None = None

    @property
    def name(self) -> str:
        """Name of the job's folder."""
        rate = "max" if self.fps is None else f"{self.fps:g}"
        return f"{Path(self.model).stem}-{Path(self.board).stem}-{self.clock_mhz:g}MHz-{rate}fps"

    @property
    def key(self) -> str:
        """A digest of everything that the result depends on."""
        digest = hashlib.sha256(json.dumps(asdict(self) | {"code": cache.code()}).encode())
        own_board = self.board if self.board.endswith(".toml") else None
        for path in (self.model, self.folding, own_board):
            digest.update(Path(path).read_bytes() if path else b"")
        if self.external_data:
            from bonn_hw.frontend import read_proto

            digest.update(read_proto(Path(self.model), Path(self.external_data))[1])
        return digest.hexdigest()


def read_sweep(path: Path) -> list[Job]:
    """Read a sweep file: lists ``models``, ``boards`` and ``fps``, and optional keys.

    Raises
    ------
    UserError
        If the file cannot be read, or a key or value is wrong.
    """
    document = _document(path)

    def listed(key: str, what: str, fits: Any) -> list[Any]:
        values = document.get(key)
        if not isinstance(values, list) or not values or not all(map(fits, values)):
            raise UserError(f"sweep file {path}: {key} must be a list of {what}, not {values!r}")
        return values

    def number(value: Any) -> bool:
        return type(value) in (int, float) and value > 0

    models = [_file(path, name) for name in listed("models", "files", lambda v: isinstance(v, str))]
    named = listed("boards", "boards", lambda v: isinstance(v, str))
    boards = [_file(path, name) if name.endswith(".toml") else name for name in named]
    rates = listed("fps", 'positive numbers or "max"', lambda v: v == "max" or number(v))
    clocks = (
        listed("clocks_mhz", "positive numbers", number) if "clocks_mhz" in document else [None]
    )
    fraction = document.get("lut_fraction", 0.7)
    if not number(fraction) or fraction > 1:
        raise UserError(
            f"sweep file {path}: lut_fraction must be above 0 and at most 1, not {fraction!r}"
        )
    folding = _file(path, document["folding"]) if "folding" in document else None
    jobs = [
        Job(
            model,
            one,
            clock or board(one).clock_mhz,
            None if rate == "max" else rate,
            fraction,
            folding,
        )
        for model, one, clock, rate in itertools.product(models, boards, clocks, rates)
    ]
    names = [job.name for job in jobs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(
            f"sweep file {path}: two jobs would be {twice}: name the models differently"
        )
    return jobs


def _document(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise UserError(f"sweep file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"sweep file {path} is not TOML: {error}") from error
    known = ("models", "boards", "clocks_mhz", "fps", "lut_fraction", "folding")
    for key in document:
        if key not in known:
            raise UserError(
                f"sweep file {path}: {key!r} is not known; there are {', '.join(known)}"
            )
    return document


def _file(sweep: Path, name: Any) -> str:
    file = (sweep.parent / str(name)).resolve()
    if not file.is_file():
        raise UserError(f"sweep file {sweep}: there is no file {file}")
    return str(file)


def run_job(job: Job, out: str) -> SweepRow:
    """Fold one design, unless its folder already has the result; returns its row of the table."""
    folder = Path(out) / job.name
    row = SweepRow(
        model=Path(job.model).stem,
        board=Path(job.board).stem,
        clock_mhz=job.clock_mhz,
        fps=job.fps or "max",
        folder=str(folder),
    )
    try:
        return replace(row, design=_design(_fold(job, folder)))
    except UserError as error:
        return replace(row, error=str(error))
    except Exception as error:  # a bug in one job must not end the others
        text = f"{type(error).__name__}: {error} (a bug in bonn-hw)"
        trace = "".join(traceback.format_exception(error))
        return replace(row, error=text, traceback=trace)


def _fold(job: Job, folder: Path) -> Report:
    from bonn_hw import pipeline
    from bonn_hw.frontend import StatedGrid

    if not Path(job.model).is_file():
        raise UserError(
            f"{job.model} does not exist on this worker: make the folder available to it"
        )
    key, done = {"key": job.key}, folder / "job.json"
    if not done.is_file() or json.loads(done.read_text()) != key:
        target = Target(
            board(job.board),
            job.clock_mhz,
            job.fps,
            fastest=job.fps is None,
            lut_fraction=job.lut_fraction,
        )
        folding = Path(job.folding) if job.folding else None
        grid = StatedGrid.parse(job.grid) if job.grid else None
        tensors = Path(job.external_data) if job.external_data else None
        pipeline.fold_model(
            Path(job.model), target, folder, folding, grid=grid, external_data=tensors
        )
        with files.fresh_file(done) as partial:
            partial.write_text(json.dumps(key) + "\n")
    return load(Report, folder / NAME)


def _design(report: Report) -> Design:
    return Design(
        frames_per_second=report.frames_per_second.predicted,
        cycles=report.cycles_per_frame.predicted,
        latency_cycles=report.latency_cycles.predicted,
        resources=PerResource(*(one.predicted for one in report.resources)),
        fits=report.boards[report.target.board],
    )


def sweep(
    path: Path,
    out: Path,
    processes: int,
    cluster: str | None,
    notes: Console,
    grid: str | None = None,
    external_data: Path | None = None,
) -> list[SweepRow]:
    """Run all jobs of a sweep file; writes ``sweep.json`` and ``sweep.csv`` next to their folders.

    Parameters
    ----------
    processes : int
        Number of parallel jobs on this machine.
    cluster : str or None
        Address of a Dask scheduler, ``tcp://HOST:PORT``, whose workers see the same folders.
    grid : str or None
        The values of the inputs, such as ``uint8/255``, of models without a quantiser there.
    external_data : Path or None
        The folder in which tensors may be that are not in the models' files.

    Returns
    -------
    list of SweepRow
        A row for each job, in the file's order.
    """
    import joblib

    tensors = None if external_data is None else str(external_data.resolve())
    jobs = [replace(job, grid=grid, external_data=tensors) for job in read_sweep(path)]
    out = out.resolve()
    with files.writing(out):
        out.mkdir(parents=True, exist_ok=True)
    rows: dict[str, SweepRow] = {}
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with _backend(processes, cluster), Progress(*columns, console=notes) as progress:
        task = progress.add_task("sweep", total=len(jobs))
        parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
        for row in parallel(joblib.delayed(run_job)(job, str(out)) for job in jobs):
            rows[row.folder] = row
            progress.update(task, advance=1, description=f"sweep: {Path(row.folder).name}")
    ordered = [rows[str(out / job.name)] for job in jobs]
    written = [encode(row) for row in ordered]
    with files.fresh_file(out / "sweep.json") as partial:
        partial.write_text(json.dumps(written, indent=2) + "\n")
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(written)
    with files.fresh_file(out / "sweep.csv") as partial:
        partial.write_text(text.getvalue())
    return ordered


@contextmanager
def _backend(processes: int, cluster: str | None) -> Iterator[None]:
    """Configure where joblib runs jobs: one-thread processes on this machine, or Dask workers."""
    import joblib

    if cluster is None:
        with joblib.parallel_config(backend="loky", n_jobs=processes, inner_max_num_threads=1):
            yield
        return
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise UserError(extras.missing("sweep: --cluster", "distributed")) from error
    try:
        client: Any = Client(cluster, timeout=SECONDS)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise UserError(
            f"sweep: no Dask scheduler answers at {cluster}: start one with 'dask scheduler', and "
            "pass the address that it prints"
        ) from error
    with client, joblib.parallel_config(backend="dask", wait_for_workers_timeout=SECONDS):
        yield
