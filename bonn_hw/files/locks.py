# SPDX-License-Identifier: BSD-3-Clause
"""Locks between processes: a lock file beside the target, held by ``flock``."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bonn_hw.errors import UserError

PATIENCE_S = 5.0  # to wait for a folder that another process has locked; writing one takes less
POLL_S = 0.05


@contextmanager
def lock(target: Path, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Exclude other processes that lock ``target``, for reading a file and writing it again.

    It is independent of `fresh_folder` and `reading`. One process cannot take it twice.

    Raises
    ------
    UserError
        If another process holds it for longer than ``patience_s``.
    """
    target = named(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with held(target, "lock", False, patience_s):
        yield


@contextmanager
def held(target: Path, kind: str, shared: bool, patience_s: float) -> Iterator[None]:
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
        if same(descriptor, file):  # otherwise, its last holder has removed it meanwhile
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


def same(descriptor: int, path: Path) -> bool:
    """Whether a path still belongs to an open file."""
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def named(target: Path) -> Path:
    """The path with a name at its end, which ``.`` and ``x/..`` do not have."""
    return target.resolve() if target.name in ("", "..") else target
