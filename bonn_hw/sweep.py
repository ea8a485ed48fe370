# SPDX-License-Identifier: BSD-3-Clause
"""Fold many models for many boards, clocks and rates: on all cores, or on a Dask cluster.

Every combination is a job with a folder of its own. What is finished is not done again when a sweep
is run again, unless its model, pins or target changed; a lost Dask worker's job goes to another.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import itertools
import json
import tomllib
import traceback
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

import bonn_hw
from bonn_hw import artifacts, report
from bonn_hw.boards import board
from bonn_hw.errors import UserError, near
from bonn_hw.report import RESOURCES

SECONDS = 5  # in which a scheduler answers, and has a worker
COLUMNS = (
    "model", "board", "clock_mhz", "fps", "frames_per_second", "cycles", "latency_cycles",
    *RESOURCES, "fits", "folder", "error",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One design; paths are absolute, so that any process finds them.

    Attributes
    ----------
    fps : float or None
        None: as many frames per second as fit.
    """

    model: str
    board: str
    clock_mhz: float
    fps: float | None
    lut_fraction: float
    folding: str | None

    @property
    def name(self) -> str:
        """Name of its folder."""
        # 15 digits: six, as usual, would make two rates above a million one.
        rate = "max" if self.fps is None else f"{self.fps:.15g}"
        return f"{Path(self.model).stem}-{self.board}-{self.clock_mhz:.15g}MHz-{rate}fps"

    @property
    def key(self) -> str:
        """Changes with whatever the outcome depends on."""
        digest = hashlib.sha256(
            json.dumps(asdict(self) | {"version": bonn_hw.__version__}).encode()
        )
        for path in (self.model, self.folding):
            digest.update(Path(path).read_bytes() if path else b"")
        return digest.hexdigest()


def read_sweep(path: Path) -> list[Job]:
    """Read a sweep file: lists ``models``, ``boards``, ``fps``, and what may be left out.

    Raises
    ------
    UserError
        If the file cannot be read or says something that makes no sense.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"sweep file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"sweep file {path} is not TOML: {error}") from error
    known = ("models", "boards", "clocks_mhz", "fps", "lut_fraction", "folding")
    for key in document:
        if key not in known:
            raise UserError(
                f"sweep file {path}: {key!r} is not known{near(key, known)}; "
                f"there are {', '.join(known)}"
            )

    def listed(key: str, what: str, fits: Any) -> list[Any]:
        values = document.get(key)
        if not isinstance(values, list) or not values or not all(map(fits, values)):
            raise UserError(f"sweep file {path}: {key} must be a list of {what}, not {values!r}")
        return values

    def number(value: Any) -> bool:
        return type(value) in (int, float) and 0 < value < float("inf")

    models = [_file(path, name) for name in listed("models", "files", lambda v: isinstance(v, str))]
    boards = [board(name) for name in listed("boards", "boards", lambda v: isinstance(v, str))]
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
            one.name,
            clock or one.clock_mhz,
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
            f"sweep file {path}: two jobs would be {twice}: list everything once, and name the "
            "models differently"
        )
    return jobs


def _file(sweep: Path, name: Any) -> str:
    if not isinstance(name, str):
        raise UserError(f"sweep file {sweep}: {name!r} is not a file: give its name in quotes")
    with suppress(OSError, ValueError):  # what no file can be called
        found = (sweep.parent / name).resolve()
        if found.is_file():
            return str(found)
    raise UserError(
        f"sweep file {sweep}: there is no file {str(sweep.parent / name)!r}: name one, as "
        "seen from the sweep file"
    )


def _asked(job: Job, out: str) -> dict[str, Any]:
    """Begin the row of a job: all but its outcome."""
    return {
        "model": Path(job.model).stem,
        "board": job.board,
        "clock_mhz": job.clock_mhz,
        "fps": job.fps or "max",
        "folder": str(Path(out) / job.name),
    }


def _kept(folder: Path, key: str) -> dict[str, Any] | None:
    """Read the report of a design that was finished with the same inputs."""
    try:
        if report.load(folder / "job.json") == {"key": key}:
            return report.load(folder / report.NAME)
    except UserError:
        pass
    return None


def run_job(job: Job, out: str) -> dict[str, Any]:
    """Fold one design, unless its folder holds it already; returns its row of the table."""
    row, folder = _asked(job, out), Path(out) / job.name
    failure = folder.with_name(f"{job.name}.error.txt")
    try:
        from bonn_hw import pipeline

        for path in (job.model, job.folding):
            if path is not None and not Path(path).is_file():
                raise UserError(
                    f"{path} is not to be seen by this worker: share the folder with it"
                )
        failure.unlink(missing_ok=True)
        key = job.key
        facts = _kept(folder, key)
        if facts is None:
            target = pipeline.Target(
                board(job.board),
                job.clock_mhz,
                job.fps,
                fastest=job.fps is None,
                lut_fraction=job.lut_fraction,
            )
            pins = Path(job.folding) if job.folding else None
            pipeline.fold_model(Path(job.model), target, folder, pins)
            report.save({"key": key}, folder / "job.json")
            facts = report.load(folder / report.NAME)
    except UserError as error:
        return row | {"error": str(error)}
    except Exception as error:  # one job's bug must not cost the others
        with suppress(OSError, UserError), artifacts.fresh_file(failure) as partial:
            partial.write_text(traceback.format_exc())
        return row | {
            "error": f"{type(error).__name__}: {error} (a bug of ours: please report it, with "
            f"{failure})"
        }
    return row | {
        "frames_per_second": facts["frames_per_second"]["predicted"],
        "cycles": facts["cycles_per_frame"]["predicted"],
        "latency_cycles": facts["latency_cycles"]["predicted"],
        **{name: facts["resources"][name]["predicted"] for name in RESOURCES},
        "fits": facts["boards"][job.board],
    }


def sweep(
    path: Path, out: Path, processes: int, cluster: str | None, notes: Console
) -> list[dict[str, Any]]:
    """Run all jobs of a sweep file; writes ``sweep.json`` and ``sweep.csv`` beside their folders.

    Parameters
    ----------
    processes : int
        Jobs at a time on this machine.
    cluster : str or None
        Address of a Dask scheduler, ``tcp://HOST:PORT``, whose workers see the same folders.

    Returns
    -------
    list of dict
        A row for each job, in the file's order; one that was refused has an ``error``.
    """
    jobs = read_sweep(path)
    out = out.resolve()
    if out.exists() and not out.is_dir():
        raise UserError(f"sweep: --out {out} is a file: choose another folder")
    with artifacts.writing(out):
        out.mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, Any]] = {}
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    work = _here(jobs, str(out), processes) if cluster is None else _there(jobs, str(out), cluster)
    with work as finished, Progress(*columns, console=notes) as progress:
        task = progress.add_task("sweep", total=len(jobs))
        for row in finished:
            rows[row["folder"]] = row
            progress.update(task, advance=1, description=f"sweep: {Path(row['folder']).name}")
    ordered = [rows[str(out / job.name)] for job in jobs]
    with artifacts.fresh_file(out / "sweep.json") as partial:
        partial.write_text(json.dumps(ordered, indent=2) + "\n")
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(ordered)
    with artifacts.fresh_file(out / "sweep.csv") as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")
    return ordered


@contextmanager
def _here(jobs: list[Job], out: str, processes: int) -> Iterator[Iterator[dict[str, Any]]]:
    """Rows as they come from processes of this machine, with a thread each."""
    import joblib

    with joblib.parallel_config(backend="loky", n_jobs=processes, inner_max_num_threads=1):
        parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
        try:
            yield parallel(joblib.delayed(run_job)(job, out) for job in jobs)
        except BrokenExecutor as error:
            raise UserError(
                f"sweep: one of {processes} processes was killed, most likely for want of memory; "
                "finished designs are kept: run the sweep again, with fewer --jobs"
            ) from error


@contextmanager
def _there(jobs: list[Job], out: str, address: str) -> Iterator[Iterator[dict[str, Any]]]:
    """Rows as they come from the workers of a Dask scheduler.

    The scheduler gives a lost worker's job to another. This is Dask itself and not joblib's Dask
    backend, which never hears of a job that failed, and waits for it for ever (joblib 1.6).
    """
    try:
        from distributed import Client, Security, as_completed
        from distributed.comm import connect
    except ModuleNotFoundError as error:
        raise UserError(
            "sweep: --cluster needs the package 'distributed', which is not installed: pip install "
            "'bonn-hw[cluster]'"
        ) from error

    async def knock() -> None:
        """Shake hands, which a client would try for ever where something else listens."""
        arguments = Security().get_connection_args("client")
        comm = await asyncio.wait_for(connect(address, SECONDS, **arguments), SECONDS)
        await comm.close()

    def start(fields: dict[str, Any]) -> dict[str, Any]:
        """Run a job on a worker."""
        # An inner function travels whole: a worker without bonn_hw fails here, and tells. One that
        # cannot even load its function says nothing, and is waited for for ever.
        from bonn_hw import sweep

        return sweep.run_job(sweep.Job(**fields), out)

    try:
        asyncio.run(knock())
        client = Client(address, timeout=SECONDS)
    except TypeError as error:  # tls:// without a certificate
        raise UserError(
            f"sweep: --cluster {address}: {error}: name the certificate in Dask's own "
            "configuration, under distributed.comm.tls"
        ) from error
    except (OSError, ValueError, MemoryError) as error:  # memory: bytes of another protocol
        raise UserError(
            f"sweep: no Dask scheduler answers at {address}: start one with 'dask scheduler', and "
            "give the address that it tells"
        ) from error
    with client:
        futures = {client.submit(start, asdict(job), pure=False): job for job in jobs}
        try:
            client.wait_for_workers(1, timeout=SECONDS)
        except TimeoutError as error:
            raise UserError(
                f"sweep: the Dask scheduler at {address} has no worker: start some with 'dask "
                f"worker {address}'"
            ) from error
        yield (_outcome(future, futures[future], out, address) for future in as_completed(futures))


def _outcome(future: Any, job: Job, out: str, address: str) -> dict[str, Any]:
    """Row of a job that a cluster is done with, one way or another."""
    from distributed import KilledWorker

    if future.status == "cancelled":
        raise UserError(
            f"sweep: the Dask scheduler at {address} was lost; finished designs are kept: start "
            "it, and run the sweep again"
        )
    error, row = future.exception(), _asked(job, out)
    if isinstance(error, KilledWorker):
        return row | {
            "error": "every worker that took this job was lost, most likely for want of memory: "
            "give the workers more, and run the sweep again"
        }
    if error is not None:
        return row | {
            "error": f"the worker cannot run this job ({type(error).__name__}: {error}): install "
            f"bonn-hw {bonn_hw.__version__} where it runs"
        }
    row = future.result()
    if "error" not in row and not Path(row["folder"]).is_dir():
        return _asked(job, out) | {
            "error": f"the worker wrote {row['folder']}, which is not to be seen here: share the "
            "folder with it"
        }
    return row


def show(rows: list[dict[str, Any]], console: Console) -> None:
    """Print the table."""
    table = Table(title=f"{len(rows)} designs")
    headings = ("model", "board", "MHz", "asked", "frames/s", "latency", "LUT", "BRAM36", "DSP")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place < 2 else "right", overflow="fold")
    refused = []
    for row in rows:
        asked = row["fps"] if row["fps"] == "max" else f"{row['fps']:,g}"
        # Text: names and messages may hold brackets, which are no markup here.
        start = (Text(row["model"]), row["board"], f"{row['clock_mhz']:g}", asked)
        if "error" in row:
            table.add_row(*start, "refused")
            refused.append(f"{Path(row['folder']).name}: {row['error']}")
            continue
        table.add_row(
            *start,
            f"{row['frames_per_second']:,.1f}",
            f"{row['latency_cycles']:,}",
            f"{row['lut']:,.0f}",
            f"{row['bram36']:g}",
            f"{row['dsp']:g}",
            style=None if row["fits"] else "red",  # larger than its board
        )
    console.print(table)
    for text in refused:
        console.print(Text(text))
