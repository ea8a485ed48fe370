# SPDX-License-Identifier: BSD-3-Clause
"""A file or a folder takes the place of an earlier one when it is complete; readers keep it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bonn_hw.errors import UserError
from bonn_hw.files import locks
from bonn_hw.files.locks import held, named
from bonn_hw.files.partial import PARTIAL, fresh_name, partial_file, partial_folder, remove

UNWRITABLE = frozenset(
    (
        *(errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR),
        *(errno.EISDIR, errno.EBUSY, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTEMPTY),
    )
)
MARK = "report.json"  # a folder with this file is a build and may be replaced
REPLACED = "replaced-"
SYNCS = 16  # at once


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn a failure to write ``target`` into a UserError."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise UserError(
            f"cannot write {target}: {error.strerror}; what was there before is unchanged: make "
            "room or choose another place, and run the command again"
        ) from error


@contextmanager
def fresh_file(target: Path) -> Iterator[Path]:
    """Yield a path to write to; it replaces ``target`` on success, and is removed otherwise.

    If several processes write at the same time, the last one to finish wins.

    Raises
    ------
    UserError
        If ``target`` cannot be written or is not a file.
    """
    if target.is_dir() or (target.exists() and not target.is_file()):
        kind = "a folder" if target.is_dir() else "not a regular file"
        raise UserError(f"{target} is {kind}: it is left as it is; name a file")
    with writing(target), file_aside(target) as partial:
        yield partial


@contextmanager
def file_aside(target: Path) -> Iterator[Path]:
    """As `fresh_file`, but a failure to write is an OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with partial_file(target.parent, f".{target.name}.{PARTIAL}") as partial:
        yield partial
        _sync(partial)
        os.replace(partial, target)
        _sync(target.parent)


@contextmanager
def fresh_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it replaces ``target`` on success, and is removed otherwise.

    Meanwhile, no other process can write ``target``, or read it with `reading`.

    Raises
    ------
    UserError
        If ``target`` cannot be written, is not an earlier build, or is in use by another process
        for longer than `locks.PATIENCE_S`.
    """
    with writing(target), folder_aside(target, MARK) as partial:
        yield partial


@contextmanager
def folder_aside(target: Path, mark: str | None) -> Iterator[Path]:
    """As `fresh_folder`, but a failure to write is an OSError.

    Parameters
    ----------
    mark : str or None
        An existing folder may only be replaced if it has this file; None: any folder may.
    """
    target = named(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_use(target, shared=False))
        _restore(target)  # after a process that was killed
        _refuse(target, mark)
        prefix = f".{target.name}.{PARTIAL}"
        partial = stack.enter_context(partial_folder(target.parent, prefix))
        yield partial
        _sync_tree(partial)
        try:
            if target.exists():
                # For a moment there is no target. If the process is killed then, the next process
                # that reads or writes it restores the old one.
                target.rename(fresh_name(target.parent, f".{target.name}.{REPLACED}"))
            partial.rename(target)
            _sync(target.parent)
        finally:
            _restore(target)


@contextmanager
def reading(target: Path) -> Iterator[None]:
    """Keep ``target`` from being replaced by `fresh_folder` while it is read or completed.

    Any number of processes may read at the same time. Without such a folder, or if no lock file
    can be made next to it, nothing is locked.

    Raises
    ------
    UserError
        If another process is writing it for longer than `locks.PATIENCE_S`.
    """
    target = named(target)
    if not target.is_dir() and _replaced(target):
        with _use(target, shared=False):
            _restore(target)
    with _use(target, shared=True):
        yield


@contextmanager
def _use(target: Path, shared: bool) -> Iterator[None]:
    with held(target, "use", shared, locks.PATIENCE_S):
        yield


def _refuse(target: Path, mark: str | None) -> None:
    if target.is_symlink():
        raise UserError(
            f"{target} is a link to {os.readlink(target)}: links are not followed: name the "
            "folder itself"
        )
    if mark is not None and target.exists() and not (target / mark).is_file():
        raise UserError(
            f"{target} exists and is not a build (it has no {mark}): it is left as it is; choose "
            "another --out"
        )


def _restore(target: Path) -> None:
    """Restore the folder that was renamed for a new one, or remove it; the caller has the lock."""
    for path in _replaced(target):
        if target.exists():
            remove(path)
        else:
            path.rename(target)


def _replaced(target: Path) -> list[Path]:
    """Folders that this user's processes renamed for a new one."""
    if not target.parent.is_dir():
        return []
    return [
        path
        for path in sorted(target.parent.iterdir())
        if path.name.startswith(f".{target.name}.{REPLACED}")
        and not path.is_symlink()
        and path.lstat().st_uid == os.geteuid()
    ]


def _sync(path: Path) -> None:
    """Sync a file's contents, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (
            errno.EINVAL,
            errno.ENOTSUP,
            errno.EACCES,
        ):  # this kind of file cannot be synced
            raise
    finally:
        os.close(descriptor)


def _sync_tree(folder: Path) -> None:
    """Sync all files below, in parallel: the file system then writes its journal less often."""
    paths = [folder, *(path for path in folder.rglob("*") if not path.is_symlink())]
    with ThreadPoolExecutor(SYNCS) as pool:
        list(pool.map(_sync, paths))
