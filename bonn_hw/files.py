# SPDX-License-Identifier: BSD-3-Clause
"""Outputs that are whole or not there, made aside and renamed into place; and what we ship."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bonn_hw.errors import UserError

UNWRITABLE = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)
)
MARK = "report.json"  # what shows that a folder is a build of ours and may be replaced


def shipped(*parts: str) -> Path:
    """A folder that comes with the package: inside of it, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package.joinpath(*parts)
    return inside if inside.is_dir() else package.parent.joinpath(*parts)


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn a failure to write ``target`` into a UserError that says what was left."""
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
    """Give a path to write to; rename it to ``target`` on success, remove it otherwise."""
    partial = target.with_name(f".{target.name}.partial")
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def fresh_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder to fill; put it in the place of ``target`` on success.

    Raises
    ------
    UserError
        If ``target`` is something else than an earlier build.
    """
    if target.exists() and not (target / MARK).is_file():
        raise UserError(
            f"{target} exists and is not a build (it has no {MARK}): it is left as it is; choose "
            "another --out"
        )
    partial = target.with_name(f".{target.name}.partial")
    replaced = target.with_name(f".{target.name}.replaced")
    with writing(target):
        _settle(target, partial, replaced)  # after a run that was killed
        partial.mkdir(parents=True)
        try:
            yield partial
            if target.exists():
                target.rename(replaced)
            partial.rename(target)
        finally:
            _settle(target, partial, replaced)


def _settle(target: Path, partial: Path, replaced: Path) -> None:
    if replaced.exists() and not target.exists():
        replaced.rename(target)
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(replaced, ignore_errors=True)
