# SPDX-License-Identifier: BSD-3-Clause
"""The machine: Python, processor, cache folder, free disk, data sets."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bonn_hw import cache
from bonn_hw.doctor.item import BASE, Item, State
from bonn_hw.nn.data.datasets import SOURCES
from bonn_hw.nn.data.source import Source

OLDEST = (3, 11)  # as pyproject.toml says
ROOM = 500_000_000  # bytes that the simulators of a day take
FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")
PROCESSOR = Path("/proc/cpuinfo")


def examine() -> Iterator[Item]:
    """One item each for the processor, the cache folder and the free disk."""
    yield processor()
    yield cache_folder()
    yield disk()


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Item:
    """This Python."""
    text = ".".join(map(str, version))
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        remedy = f"install Python {oldest} or newer and make a new environment with it"
        return Item("Python", State.WRONG, f"version {text}", BASE, remedy)
    return Item("Python", State.OK, f"{text}, {sys.executable}", BASE)


def processor(file: Path = PROCESSOR) -> Item:
    """The processor: how many cores we may use, and the instructions that make us fast."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        cores = os.cpu_count() or 1
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    words = next((ln for ln in lines if ln.lower().startswith(("flags", "features"))), "").split()
    present = [name for name in FEATURES if name in words]
    found = f"{platform.machine()}, cores: {cores}, {' '.join(present) or 'no known extensions'}"
    return Item("processor", State.OK, found, "speed")


def cache_folder() -> Item:
    """The cache: its size, and whether it can be written."""
    folder = cache.folder()
    try:
        place = folder
        while not place.exists():
            place = place.parent
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        remedy = "make it writable, or name another folder with XDG_CACHE_HOME"
        return Item("cache folder", State.WRONG, f"{folder}: {error.strerror}", BASE, remedy)
    return Item("cache folder", State.OK, f"{folder}, {_size(folder) / 1e6:,.0f} MB", BASE)


def disk(room: int = ROOM) -> Item:
    """The free disk where the cache is."""
    place = cache.folder()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:,.1f} GB free at {place}"
    if free < room:
        remedy = "free some, or name another folder with XDG_CACHE_HOME"
        return Item("disk", State.WRONG, found, BASE, remedy)
    return Item("disk", State.OK, found, BASE)


def data_sets() -> Iterator[Item]:
    """One item a data set that consists of files of its own.

    Only looks for the files; their checksums are compared when they are read.
    """
    for source in SOURCES.values():
        if source.files:
            name, purpose = f"data: {source.name}", f"--dataset {source.name}"
            place = _place(source)
            if place is None:
                yield Item(name, State.MISSING, "", purpose, _remedy(source))
            else:
                yield Item(name, State.OK, str(place), purpose)


def _place(source: Source) -> Path | None:
    """The first folder that has all files of a data set, plain or gzipped."""
    files = [file for within in source.files.values() for file in within]
    for folder in source.folders():
        paths = [(folder / file, folder / Path(f"{file}.gz")) for file in files]
        flat = [(folder / Path(file).name,) for file in files]
        if all(any(one.is_file() for one in (*a, *b)) for a, b in zip(paths, flat, strict=True)):
            return folder
    return None


def _remedy(source: Source) -> str:
    folder = source.folders()[-1]
    if source.archive or source.mirrors:
        return f"bonn-hw setup data {source.name}"
    return source.remedy.replace(" there", f" into {folder}")


def _size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:  # another process has removed it
                continue
    return total
