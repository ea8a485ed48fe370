# SPDX-License-Identifier: BSD-3-Clause
"""Files and folders that are not complete yet, and what killed processes left of them."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from bonn_hw.errors import UserError
from bonn_hw.files.locks import same

PARTIAL = "partial-"
SCRATCH = "bonn_hw.scratch-"


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield an empty folder for temporary files; raises UserError if none can be made."""
    with ExitStack() as stack:
        try:
            place = Path(tempfile.gettempdir())
            folder = stack.enter_context(partial_folder(place, SCRATCH))
        except OSError as error:
            raise UserError(
                f"no temporary folder can be made ({error.strerror}): name one with TMPDIR"
            ) from error
        yield folder


def partial_file(parent: Path, prefix: str) -> AbstractContextManager[Path]:
    """An empty, locked file ``PREFIX...``, which is removed at the end unless it was renamed.

    Files that killed processes have left in ``parent`` are removed first.
    """
    return _partial(parent, prefix, _make_file)


def partial_folder(parent: Path, prefix: str) -> AbstractContextManager[Path]:
    """As `partial_file`, for an empty folder."""
    return _partial(parent, prefix, Path.mkdir)


def _make_file(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


@contextmanager
def _partial(parent: Path, prefix: str, make: Callable[[Path], None]) -> Iterator[Path]:
    clear(parent, prefix)
    while True:
        partial = fresh_name(parent, prefix)
        make(partial)
        try:
            descriptor = os.open(partial, os.O_RDONLY)
        except FileNotFoundError:
            continue  # another process has removed it meanwhile
        with suppress(OSError):  # without locks, `clear` removes nothing either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if same(descriptor, partial):
            break
        os.close(descriptor)
    try:
        yield partial
    finally:
        remove(partial)
        os.close(descriptor)


def clear(parent: Path, prefix: str) -> None:
    """Remove partial files and folders of killed processes: those of this user without a lock."""
    with suppress(OSError):
        for entry in [one for one in os.scandir(parent) if one.name.startswith(prefix)]:
            with suppress(OSError):
                _remove_left(Path(entry.path))


def _remove_left(path: Path) -> None:
    if path.lstat().st_uid != os.geteuid():
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if same(descriptor, path):
            remove(path)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, as far as possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def fresh_name(parent: Path, prefix: str) -> Path:
    """A name that nobody can guess, and prepare a link for."""
    return parent / f"{prefix}{secrets.token_hex(6)}"
