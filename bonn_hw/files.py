# SPDX-License-Identifier: BSD-3-Clause
"""Files and folders that are complete or absent; locks; the files of the package.

A new file or folder is written under a random name next to its target, and then renamed. Its writer
holds a lock on it: without a lock, it was left by a killed process, and the next process removes
it. Contents are synced to the disk before the rename: a power cut leaves the old or the new.

Links are not followed. A new file replaces a link, and the file that the link points to is not
changed; a folder that is a link is refused. Locks are advisory (``flock``) and end with their
process, even if it is killed. On file systems without locks, none are used.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from bonn_hw.errors import UserError

UNWRITABLE = frozenset(
    (
        *(errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR),
        *(errno.EISDIR, errno.EBUSY, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTEMPTY),
    )
)
MARK = "report.json"  # a folder with this file is a build and may be replaced
PARTIAL, REPLACED = "partial-", "replaced-"
SCRATCH = "bonn_hw.scratch-"
PATIENCE_S = 5.0  # to wait for a folder that another process has locked; writing one takes less
POLL_S = 0.05
SYNCS = 16  # at once


def shipped(*parts: str) -> Path:
    """A folder of the package's files: in the package, or next to it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package.joinpath(*parts)
    return inside if inside.is_dir() else package.parent.joinpath(*parts)


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


# -- new files and folders -------------------------------------------------------------------------


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
        for longer than PATIENCE_S.
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
    target = _named(target)
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
                target.rename(_fresh_name(target.parent, f".{target.name}.{REPLACED}"))
            partial.rename(target)
            _sync(target.parent)
        finally:
            _restore(target)


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
        partial = _fresh_name(parent, prefix)
        make(partial)
        try:
            descriptor = os.open(partial, os.O_RDONLY)
        except FileNotFoundError:
            continue  # another process has removed it meanwhile
        with suppress(OSError):  # without locks, `clear` removes nothing either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _same(descriptor, partial):
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
        if _same(descriptor, path):
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


def _fresh_name(parent: Path, prefix: str) -> Path:
    return parent / f"{prefix}{secrets.token_hex(6)}"


def _named(target: Path) -> Path:
    """The path with a name at its end, which ``.`` and ``x/..`` do not have."""
    return target.resolve() if target.name in ("", "..") else target


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


# -- locks -----------------------------------------------------------------------------------------


@contextmanager
def lock(target: Path, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Exclude other processes that lock ``target``, for reading a file and writing it again.

    It is independent of `fresh_folder` and `reading`. One process cannot take it twice.

    Raises
    ------
    UserError
        If another process holds it for longer than ``patience_s``.
    """
    target = _named(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _held(target, "lock", False, patience_s):
        yield


@contextmanager
def reading(target: Path) -> Iterator[None]:
    """Keep ``target`` from being replaced by `fresh_folder` while it is read or completed.

    Any number of processes may read at the same time. Without such a folder, or if no lock file
    can be made next to it, nothing is locked.

    Raises
    ------
    UserError
        If another process is writing it for longer than PATIENCE_S.
    """
    target = _named(target)
    if not target.is_dir() and _replaced(target):
        with _use(target, shared=False):
            _restore(target)
    with _use(target, shared=True):
        yield


@contextmanager
def _use(target: Path, shared: bool) -> Iterator[None]:
    with _held(target, "use", shared, PATIENCE_S):
        yield


@contextmanager
def _held(target: Path, kind: str, shared: bool, patience_s: float) -> Iterator[None]:
    """Hold the lock file ``.NAME.KIND`` next to ``target``; the last holder removes it."""
    file = target.with_name(f".{target.name}.{kind}")
    descriptor = _acquire(file, shared, patience_s, target)
    try:
        yield
    finally:
        if descriptor is not None:
            with suppress(OSError):
                fcntl.flock(
                    descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB
                )  # fails while others still read
                file.unlink()
            os.close(descriptor)


def _acquire(file: Path, shared: bool, patience_s: float, target: Path) -> int | None:
    """The descriptor of the locked file; None if a reader's lock file cannot be made."""
    deadline = time.monotonic() + patience_s
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_APPEND
    while True:
        if shared and not target.is_dir():
            return None
        try:
            descriptor = os.open(file, flags, 0o666)
        except OSError:
            if shared:
                return None
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise UserError(f"{file} is not a lock file of bonn-hw: move it away")
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            if time.monotonic() >= deadline:
                raise UserError(
                    f"{target} is being {holder}: wait for it, or choose another place (--out)"
                ) from None
            time.sleep(POLL_S)
            continue
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS):
                raise
        if _same(descriptor, file):  # otherwise, its last holder has removed it meanwhile
            if not shared:
                os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{'read' if shared else 'written'} {os.getpid()}\n".encode())
            return descriptor
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    """Who holds a lock file, such as ``written by another bonn-hw (pid N)``."""
    for line in os.pread(descriptor, 4096, 0).decode(errors="replace").splitlines():
        words = line.split()
        if len(words) == 2 and words[1].isdecimal() and Path(f"/proc/{words[1]}").is_dir():
            return f"{words[0]} by another bonn-hw (pid {words[1]})"
    return "used by another process"


def _same(descriptor: int, path: Path) -> bool:
    """Whether a path still belongs to an open file."""
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
