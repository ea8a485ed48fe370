# SPDX-License-Identifier: BSD-3-Clause
"""The manifest of a build folder: the SHA-256 of every file that later commands only read.

It shows damage: a file that is truncated, replaced or missing. It is no signature: whoever can
change a build can change its manifest too. What a stranger's build may make this machine do is
bounded elsewhere: `simulate` compiles only RTL that is equal to what `emit` and hw_templates give.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from bonn_hw.errors import UserError

NAME = "manifest.json"
CHANGING = ("report", "report.json", "report.html", "pictures")  # later commands write them again
VERSION = 1
REMEDY = "compile the model again, or use the folder as it is with --trust"


def write(folder: Path) -> None:
    """Write the manifest of all files in a folder."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name.split("/")[0] not in (*CHANGING, NAME):
            files[name] = _digest(path)
    document = {"version": VERSION, "files": files}
    (folder / NAME).write_text(json.dumps(document, indent=1) + "\n")


def check(folder: Path) -> None:
    """Compare the files of a folder with its manifest.

    Raises
    ------
    UserError
        If a file is missing or differs, or if there is no manifest.
    """
    for name, digest in _listed(folder).items():
        path = folder / name
        if not path.is_file():
            raise UserError(f"{folder} lacks {name}: {REMEDY}")
        try:
            same = _digest(path) == digest
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}: {REMEDY}") from error
        if not same:
            raise UserError(
                f"{path} was damaged or changed after the build was made (see {NAME}): {REMEDY}"
            )


def _listed(folder: Path) -> dict[str, str]:
    try:
        files = json.loads((folder / NAME).read_text())["files"]
        names = [(str(name), str(digest)) for name, digest in files.items()]
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} has no {NAME}: it is from an earlier version, or incomplete: {REMEDY}"
        ) from error
    except OSError as error:
        raise UserError(f"{folder / NAME} cannot be read: {error.strerror}: {REMEDY}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{folder / NAME} is damaged: {REMEDY}") from error
    for name, _ in names:
        if name.startswith("/") or ".." in name.split("/"):
            raise UserError(f"{folder / NAME} lists {name!r}, outside the build: {REMEDY}")
    return dict(names)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
