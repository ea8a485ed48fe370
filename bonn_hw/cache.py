# SPDX-License-Identifier: BSD-3-Clause
"""The cache of built things: found by the digest of what they are made of, checked when used.

An entry is a folder with a manifest of its files (as ``sha256sum`` writes it). An entry that is not
what its manifest says (cut off, changed, half removed) is removed and made again. Nothing is
synced to the disk: what a power cut tears is seen by its digest. Two processes that want the same
entry make it once; of each kind, the entries that were used last are kept.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from bonn_hw import files
from bonn_hw.errors import UserError

MANIFEST = "manifest"
PARTIAL = f".{files.PARTIAL}"
KEPT = {"simulators": 1024, "runtime": 16, "libraries": 16, "synth": 20_000}  # entries of a kind
SOURCES = (".py", ".cpp", ".h", ".toml", ".json", ".sv", ".v", ".tcl")
PATIENCE_S = 600.0  # until what another process is making is made a second time


def folder() -> Path:
    """Where built things are kept: ``$XDG_CACHE_HOME/bonn_hw`` or ``~/.cache/bonn_hw``."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "bonn_hw"


def digest(*parts: str | bytes) -> str:
    """A key of 32 digits that changes with each part, and with where parts begin and end."""
    whole = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        whole.update(hashlib.sha256(content).digest())
    return whole.hexdigest()[:32]


def find(kind: str, key: str) -> Path | None:
    """The folder of an entry, if there is a whole one."""
    place = folder() / kind / key
    if not _whole(place):
        return None
    with suppress(OSError):  # a cache that may only be read is good too
        os.utime(place)
    return place


def entry(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The folder of an entry, filled by ``make`` unless there is a whole one.

    Parameters
    ----------
    kind : str
        A key of KEPT.
    key : str
        `digest` of all that decides the contents.
    make : callable
        Is given an empty folder to fill.

    Raises
    ------
    UserError
        If the cache cannot be written.
    """
    found = find(kind, key)
    if found is not None:
        return found
    place = folder() / kind / key
    with _writing(), ExitStack() as stack:
        with suppress(UserError):  # a process that is stopped must not stop all others
            stack.enter_context(files.lock(place, PATIENCE_S))
        found = find(kind, key)  # made by another process meanwhile
        if found is not None:
            return found
        discard(place)
        with files.partial_folder(place.parent, PARTIAL) as partial:
            make(partial)
            (partial / MANIFEST).write_text(_manifest(partial))
            try:
                partial.rename(place)
            except OSError:
                if not _whole(place):  # else another process was first
                    raise
        _forget(place.parent, KEPT[kind])
    return place


def discard(place: Path) -> None:
    """Remove what is in the place of an entry, whatever it is."""
    files.remove(place)


def _whole(place: Path) -> bool:
    try:
        return (place / MANIFEST).read_text() == _manifest(place)
    except (OSError, UnicodeDecodeError):
        return False


def _manifest(place: Path) -> str:
    lines = []
    for path in sorted(place.rglob("*")):
        if path.is_file() and path != place / MANIFEST:
            with path.open("rb") as stream:
                told = hashlib.file_digest(stream, "sha256").hexdigest()
            lines.append(f"{told}  {path.relative_to(place)}\n")
    return "".join(lines)


def _forget(kind: Path, kept: int) -> None:
    """Keep the entries that were used last."""
    used: list[tuple[float, Path]] = []
    for path in kind.iterdir():
        if not path.name.startswith("."):
            with suppress(OSError):  # another process may forget it at the same time
                used.append((path.stat().st_mtime, path))
    for _, path in sorted(used)[:-kept]:
        discard(path)


@cache
def code() -> str:
    """Digest of the package's own sources: results of other code have another one."""
    root = Path(__file__).parent
    sources = [
        path for folder in (root, files.shipped("hw_templates")) for path in folder.rglob("*")
    ]
    parts: list[str | bytes] = []
    for path in sorted({path for path in sources if path.suffix in SOURCES}):
        parts += [path.name, path.read_bytes()]
    return digest(*parts)


@contextmanager
def _writing() -> Iterator[None]:
    """Say which folder cannot be written, and how to choose another one."""
    try:
        yield
    except OSError as error:
        if error.errno not in files.UNWRITABLE:
            raise
        raise UserError(
            f"cannot write the cache folder {folder()}: {error.strerror}; free space there or name "
            "another folder with XDG_CACHE_HOME"
        ) from error
