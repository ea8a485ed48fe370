# SPDX-License-Identifier: BSD-3-Clause
"""Folders of built things: parallel, interrupted and killed builds do no harm."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

KEPT = 256  # simulators
PARTIAL = ".partial-"
FORGOTTEN_SECONDS = 24 * 3600  # a partial build of this age is of a process that was killed


@contextmanager
def aside(place: Path) -> Iterator[Path]:
    """Fill a folder beside its place and rename it: parallel and interrupted builds do no harm."""
    place.parent.mkdir(parents=True, exist_ok=True)
    for left in place.parent.glob(f"{PARTIAL}*"):
        with suppress(OSError):  # another process may be as tidy at the same time
            if time.time() - left.stat().st_mtime > FORGOTTEN_SECONDS:
                shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(dir=place.parent, prefix=PARTIAL))
    try:
        yield folder
        try:
            folder.rename(place)
        except OSError:
            if not place.is_dir():  # else another build was first
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def forget(folder: Path) -> None:
    """Keep the simulators that were used last."""
    used: list[tuple[float, Path]] = []
    for path in folder.iterdir():
        if not path.name.startswith(PARTIAL):
            with suppress(OSError):  # another process may forget it at the same time
                used.append((path.stat().st_mtime, path))
    for _, path in sorted(used)[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)
