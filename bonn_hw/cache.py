# SPDX-License-Identifier: BSD-3-Clause
"""The cache of results: an entry's key is the digest of its inputs; it is verified when used.

An entry is a folder with a manifest of its files (as ``sha256sum`` writes it). An entry that
differs from its manifest (truncated, changed, half removed) is removed and made again. Nothing is
synced to the disk: the digests show what a power cut has damaged. If two processes need the same
entry, one makes it and the other waits. Of each kind, the entries that were used last are kept.

Long work keeps its parts here, too, in a folder that stays until the work is done (`unfinished`).
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
# Entries of a kind.
LIMITS = {
    "simulators": 1024, "runtime": 32, "libraries": 16, "synth": 20_000, "sliced": 64,
    "netlist": 16,
}  # fmt: skip
UNFINISHED, MOST_UNFINISHED = "unfinished", 32  # works that were interrupted and never ended
SOURCES = (".py", ".cpp", ".h", ".toml", ".json", ".sv", ".v", ".tcl")
PATIENCE_S = 600.0  # to wait for an entry that another process is making


def folder() -> Path:
    """The folder of the cache: ``$XDG_CACHE_HOME/bonn_hw`` or ``~/.cache/bonn_hw``."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "bonn_hw"


def digest(*parts: str | bytes) -> str:
    """A key of 32 hexadecimal digits of the parts; "ab", "c" and "a", "bc" have different keys."""
    whole = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        whole.update(hashlib.sha256(content).digest())
    return whole.hexdigest()[:32]


def find(kind: str, key: str) -> Path | None:
    """The folder of an entry; None if there is no intact one."""
    place = folder() / kind / key
    if not _intact(place):
        return None
    with suppress(OSError):  # the cache may be read-only
        os.utime(place)
    return place


def entry(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The folder of an entry; ``make`` fills it if there is no intact one.

    Parameters
    ----------
    kind : str
        A key of LIMITS.
    key : str
        `digest` of everything that determines the contents.
    make : callable
        Called with an empty folder to fill.

    Raises
    ------
    UserError
        If the cache cannot be written.
    """
    present = find(kind, key)
    if present is not None:
        return present
    place = folder() / kind / key
    with _writing(), ExitStack() as stack:
        with suppress(UserError):  # after PATIENCE_S, do not wait for a stopped process
            stack.enter_context(files.lock(place, PATIENCE_S))
        present = find(kind, key)  # another process may have made it meanwhile
        if present is not None:
            return present
        discard(place)
        with files.partial_folder(place.parent, PARTIAL) as partial:
            make(partial)
            (partial / MANIFEST).write_text(_manifest(partial))
            try:
                partial.rename(place)
            except OSError:
                if not _intact(place):  # otherwise, another process was faster
                    raise
        _evict(place.parent, LIMITS[kind])
    return place


@contextmanager
def unfinished(key: str) -> Iterator[Path | None]:
    """A folder for the parts of long work, with those that an interrupted process has left there.

    It is removed when the work is done, and stays after any exception. Each part must be written
    with `files.file_aside` in a format with a checksum, such as .npz: after a power cut, a part may
    be damaged. None where the cache cannot be written, or another process does the same work:
    nothing can be kept then.

    Parameters
    ----------
    key : str
        `digest` of everything that determines the results.
    """
    place = folder() / UNFINISHED / key
    with ExitStack() as stack:
        try:
            stack.enter_context(files.lock(place, 0))
            place.mkdir(exist_ok=True)
            os.utime(place)
            kept = os.access(place, os.W_OK)
        except (OSError, UserError):
            kept = False
        if not kept:
            yield None
            return
        _evict(place.parent, MOST_UNFINISHED)
        yield place
        discard(place)


def discard(place: Path) -> None:
    """Remove an entry, even if it is a damaged one or a file."""
    files.remove(place)


def _intact(place: Path) -> bool:
    try:
        return (place / MANIFEST).read_text() == _manifest(place)
    except (OSError, UnicodeDecodeError):
        return False


def _manifest(place: Path) -> str:
    lines = []
    for path in sorted(place.rglob("*")):
        if path.is_file() and path != place / MANIFEST:
            with path.open("rb") as stream:
                checksum = hashlib.file_digest(stream, "sha256").hexdigest()
            lines.append(f"{checksum}  {path.relative_to(place)}\n")
    return "".join(lines)


def _evict(kind: Path, limit: int) -> None:
    """Remove all entries but the ``limit`` that were used last."""
    used: list[tuple[float, Path]] = []
    for path in kind.iterdir():
        if not path.name.startswith("."):
            with suppress(OSError):  # another process may remove it at the same time
                used.append((path.stat().st_mtime, path))
    for _, path in sorted(used)[:-limit]:
        discard(path)


@cache
def code() -> str:
    """Digest of the package's sources, for keys of results that depend on all code."""
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
    """Turn a failure to write into a UserError that names the cache folder and the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno not in files.UNWRITABLE:
            raise
        raise UserError(
            f"cannot write the cache folder {folder()}: {error.strerror}; free space there or name "
            "another folder with XDG_CACHE_HOME"
        ) from error
