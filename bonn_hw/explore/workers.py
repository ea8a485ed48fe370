# SPDX-License-Identifier: BSD-3-Clause
"""Where trainings run: in this process, in others of this machine, or on a Dask cluster.

All are executors of `concurrent.futures`. A worker that is lost loses the training that it runs
and nothing else: each local one is a pool of its own, which is replaced; Dask gives the training to
another worker, which goes on after the last whole epoch.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Protocol

from bonn_hw import extras
from bonn_hw.errors import Interrupted, UserError
from bonn_hw.explore.stage import Job, Trained, train_stage

SECONDS = 5  # to wait for the answer of a scheduler
Train = Callable[[Job], Trained]


class Workers(Protocol):
    """Takes trainings."""

    @property
    def count(self) -> int:
        """How many trainings run at the same time."""

    def submit(self, job: Job) -> Future[Trained]:
        """Begin a training; there is a free worker."""

    def lost(self, error: BaseException) -> bool:
        """Whether an error says that the worker was lost, and not that the training failed."""


class Here:
    """Trains at once, in this process."""

    count = 1

    def __init__(self, train: Train) -> None:
        self._train = train

    def submit(self, job: Job) -> Future[Trained]:
        """Train; the future is done. Ctrl-C ends the search, not the training alone."""
        future: Future[Trained] = Future()
        try:
            future.set_result(self._train(job))
        except UserError as error:
            if isinstance(error, Interrupted):
                raise KeyboardInterrupt from error
            future.set_exception(error)
        return future

    def lost(self, error: BaseException) -> bool:
        """Never: this process would be lost with it."""
        return False


class Processes:
    """So many processes of this machine, each with one thread, and with its GPU if there are any.

    Parameters
    ----------
    count
        Of processes.
    """

    def __init__(self, count: int, train: Train) -> None:
        self.count, self._train = count, train
        self._pools = [_pool(place) for place in range(count)]
        self._running: list[Future[Trained] | None] = [None] * count

    def submit(self, job: Job) -> Future[Trained]:
        """Begin a training in a process that is free, or in the one that replaces a lost one."""
        place = next(n for n, f in enumerate(self._running) if f is None or f.done())
        try:
            future = self._pools[place].submit(self._train, job)
        except BrokenProcessPool:
            self._pools[place] = _pool(place)
            future = self._pools[place].submit(self._train, job)
        self._running[place] = future
        return future

    def lost(self, error: BaseException) -> bool:
        """Whether the process ended."""
        return isinstance(error, BrokenProcessPool)

    def end(self) -> None:
        """End all processes, whatever they do; epochs that are whole are in the run folders."""
        for pool in self._pools:
            for process in list((pool._processes or {}).values()):
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)


def _pool(place: int) -> ProcessPoolExecutor:
    # A forked process would share the locks of the parent's threads.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, context, initializer=_begin, initargs=(place,))


def _begin(place: int) -> None:
    """Leave Ctrl-C to the parent; take one core, and one of the GPUs in turn."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    if len(gpus) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[place % len(gpus)]


class Cluster:
    """The workers of a Dask scheduler; all see the folder of the study under the same path."""

    def __init__(self, client: Any, train: Train) -> None:
        self._client, self._train = client, train
        self._executor: Executor = client.get_executor(pure=False)

    @property
    def count(self) -> int:
        """The workers that the scheduler has now, at least one."""
        return max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))

    def submit(self, job: Job) -> Future[Trained]:
        """Begin a training on a worker that the scheduler chooses."""
        return self._executor.submit(self._train, job)

    def lost(self, error: BaseException) -> bool:
        """Whether a training took several workers with it."""
        return type(error).__name__ == "KilledWorker"


@contextmanager
def workers(jobs: int, cluster: str | None, train: Train = train_stage) -> Iterator[Workers]:
    """The workers of a search, which end with the block.

    Raises
    ------
    UserError
        If no scheduler answers.
    """
    if cluster is not None:
        with _client(cluster) as client:
            yield Cluster(client, train)
    elif jobs == 1:
        yield Here(train)
    else:
        processes = Processes(jobs, train)
        try:
            yield processes
        finally:
            processes.end()


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise UserError(extras.missing("explore: --cluster", "distributed")) from error
    try:
        return Client(address, timeout=SECONDS)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise UserError(
            f"explore: no Dask scheduler answers at {address}: start one with 'dask scheduler', "
            "and pass the address that it prints"
        ) from error
