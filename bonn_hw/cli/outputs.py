# SPDX-License-Identifier: BSD-3-Clause
"""Check that outputs can be written before the work starts.

An hour of simulation must not end with "cannot write". Writing can still fail later (the disk is
full); `files` reports that.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Literal

from bonn_hw.errors import UserError

# A file; a folder that is written into; a build, which may only replace an earlier build.
Kind = Literal["file", "folder", "build"]


def check_writable(target: Path | None, kind: Kind = "file") -> None:
    """Raise UserError if an output could not be written; changes nothing.

    Parameters
    ----------
    target : Path or None
        The output; None (not asked for) and ``-`` (stdout) are fine.
    """
    if target is None or target == Path("-"):
        return
    import tempfile

    try:
        _admit(target, kind)
        place = target if kind == "folder" else target.parent
        while not _exists(place):
            place = place.parent
        # Try it: permission bits do not show that a disk is read-only, or that it is /proc.
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise UserError(
            f"cannot write {target}: {error.strerror}; what was there before is unchanged: make "
            "room or choose another place, and run the command again"
        ) from error


def is_writable(folder: Path) -> bool:
    """Whether files can be created in a folder."""
    try:
        check_writable(folder, "folder")
    except UserError:
        return False
    return True


def _admit(target: Path, kind: Kind) -> None:
    if not _exists(target):
        return
    mode = target.stat().st_mode
    if kind == "file":
        if stat.S_ISDIR(mode):
            raise UserError(f"{target} is a folder: it is left as it is; name a file")
        if not stat.S_ISREG(mode):
            raise UserError(f"{target} is not a regular file: it is left as it is; name a file")
        return
    if not stat.S_ISDIR(mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if kind == "build":
        from bonn_hw.files import MARK

        if not (target / MARK).is_file():
            raise UserError(
                f"{target} exists and is not a build (it has no {MARK}): it is left as it is; "
                "choose another --out"
            )


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True
