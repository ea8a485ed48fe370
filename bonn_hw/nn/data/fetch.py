# SPDX-License-Identifier: BSD-3-Clause
"""Fetch published data sets into the cache: ``python -m bonn_hw.nn.data.fetch cifar10``."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import http.client
import shutil
import sys
import tarfile
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bonn_hw import cache, files, tools
from bonn_hw.errors import UserError
from bonn_hw.files import folder_aside
from bonn_hw.nn.data.datasets import SOURCES
from bonn_hw.progress import Progress, silent

FASHION_SHA256 = SOURCES["fashion-mnist"].sha256
FILES = tuple(f"{plain}.gz" for plain in FASHION_SHA256)
FASHION_MIRRORS = SOURCES["fashion-mnist"].mirrors
DEBIAN_PACKAGE = SOURCES["fashion-mnist"].package
ARCHIVES = {name: source.archive for name, source in SOURCES.items() if source.archive}
NAMES = ("fashion-mnist", *ARCHIVES)
SUMS = "SHA256SUMS"
"""Written next to an archive's files, so that a later fetch can check them."""
TIMEOUT_S = 20
PROGRAM_TIMEOUT_S = 300.0  # of apt-get and dpkg-deb


class _Failed(Exception):
    """One source did not deliver; the next is tried."""


def fetch(name: str, say: Progress = silent, archive: str | Path | None = None) -> Path:
    """Bring data set `name` into the cache and return its folder.

    Does nothing if it is there, or if Debian's package of it is installed: `datasets.load` finds it
    in either place. The folder appears complete, with all checksums verified, or not at all.

    Parameters
    ----------
    say
        Called with each line of progress.
    archive
        The published archive, if the user already has it.

    Raises
    ------
    UserError
        If the data set cannot be fetched by this function, no source delivers it, or `archive` is
        not the published one.
    """
    if name not in NAMES:
        raise UserError(f"data set {name!r} cannot be fetched; choose one of {', '.join(NAMES)}")
    if archive is not None and name not in ARCHIVES:
        raise UserError(
            f"data set {name}: --from takes an archive of {' or '.join(ARCHIVES)}, and "
            f"{name} has none; leave it out"
        )
    target = cache.folder() / name
    for place in (*map(Path, SOURCES[name].installed), target):
        if _complete(name, place):
            say(f"{name}: already in {place}")
            return place
    reasons = []
    try:
        for source, bring in _sources(name, archive):
            say(f"{name}: from {source}")
            try:
                # A folder that is there is incomplete or unknown: it is replaced in any case.
                with folder_aside(target, mark=None) as staged:
                    bring(staged)
            except _Failed as failure:
                reasons.append(f"{source}: {failure}")
                say(f"  {failure}")
                continue
            say(f"{name}: checksums good, in {target}")
            return target
    except OSError as error:
        raise UserError(
            f"{target}: cannot be written ({error.strerror or error}); free the space or set "
            "XDG_CACHE_HOME to another folder"
        ) from error
    if archive is not None:
        raise UserError(f"{reasons[0]}; give {_address(name)} as it is published")
    if name in ARCHIVES:
        own = f"add --from FILE with your own copy of {ARCHIVES[name].file}"
    else:
        own = f"put its four .gz files into {target}"
    raise UserError(
        f"data set {name}: no source delivered it ({'; '.join(reasons)}); check the network, or "
        + own
    )


def _sources(name: str, archive: str | Path | None) -> list[tuple[str, Callable[[Path], None]]]:
    """Name and function of each source. A function fills a folder with verified files, or raises
    `_Failed`.
    """
    if archive is not None:
        return [(str(archive), lambda folder: _unpack(name, Path(archive), folder))]
    if name in ARCHIVES:
        return [(_address(name), lambda folder: _download_archive(name, folder))]
    sources: list[tuple[str, Callable[[Path], None]]] = []
    if shutil.which("apt-get") and shutil.which("dpkg-deb"):
        sources.append((f"apt-get download {DEBIAN_PACKAGE}", _from_debian))
    return [*sources, *((mirror, partial(_download, mirror)) for mirror in FASHION_MIRRORS)]


def _address(name: str) -> str:
    return f"{ARCHIVES[name].folder}/{ARCHIVES[name].file}"


def _members(name: str) -> tuple[str, ...]:
    return tuple(file for files in SOURCES[name].files.values() for file in files)


def _download_archive(name: str, folder: Path) -> None:
    archive = folder / ARCHIVES[name].file
    with archive.open("wb") as file:
        for piece in _received(_address(name)):
            file.write(piece)
    _unpack(name, archive, folder)
    archive.unlink()


def _unpack(name: str, archive: Path, folder: Path) -> None:
    """Unpack the files that `bonn_hw.nn.data.datasets` reads from an archive, and nothing else."""
    try:
        with archive.open("rb") as file:
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise _Failed(f"cannot be read ({error.strerror})") from error
    if md5 != ARCHIVES[name].md5:
        raise _Failed(f"its MD5 is {md5}, not {ARCHIVES[name].md5}")
    with tarfile.open(archive) as content:
        # In the order of the archive: going back would decompress it once more.
        for member in content:
            source = content.extractfile(member) if member.name in _members(name) else None
            if source is not None:
                with source, (folder / Path(member.name).name).open("wb") as file:
                    shutil.copyfileobj(source, file)
    (folder / SUMS).write_text(_sums(name, folder))


def _sums(name: str, folder: Path) -> str:
    """The checksums of an archive's unpacked files, as `sha256sum` writes them."""
    lines = []
    for member in _members(name):
        with (folder / Path(member).name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {Path(member).name}\n")
    return "".join(lines)


def _received(address: str) -> Iterator[bytes]:
    """Download `address`; yield a megabyte at a time."""
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:
            while piece := answer.read(1 << 20):
                yield piece
    except (OSError, http.client.HTTPException) as error:
        # urllib's own errors are OSErrors.
        reason = getattr(error, "reason", error)
        raise _Failed(f"{address.rpartition('/')[2]}: {reason}") from error


def _download(mirror: str, folder: Path) -> None:
    for file in FILES:
        (folder / file).write_bytes(b"".join(_received(f"{mirror}/{file}")))
    _verify(folder)


def _from_debian(folder: Path) -> None:
    """Unpack Debian's package without installing it, from the archives that apt is set up for.

    Needs no root: if this machine's package lists are missing or old, temporary ones are fetched.
    """
    with files.scratch() as scratch:
        download = ("download", DEBIAN_PACKAGE)
        try:
            _apt(scratch, *download)
        except _Failed:
            lists = scratch / "lists"
            lists.mkdir()
            _apt(scratch, "update", lists=lists)
            _apt(scratch, *download, lists=lists)
        _called(scratch, "dpkg-deb", "-x", str(next(scratch.glob("*.deb"))), "unpacked")
        for file in FILES:
            paths = sorted((scratch / "unpacked").rglob(file))
            if not paths:
                raise _Failed(f"{file}: not in the package")
            shutil.copyfile(paths[0], folder / file)
    _verify(folder)


def _apt(scratch: Path, *words: str, lists: Path | None = None) -> None:
    """Run apt-get with this machine's sources; `lists`: a folder for temporary package lists."""
    options = {
        "Acquire::Retries": "0",
        "Acquire::http::Timeout": str(TIMEOUT_S),
        "APT::Sandbox::User": "root",  # another user could not write to our folder
    }
    if lists is not None:
        options |= {
            "Dir::State::lists": str(lists),
            "Dir::Cache": str(lists),
            "Debug::NoLocking": "1",
            "APT::Update::Error-Mode": "any",
        }
    given = (word for key, value in options.items() for word in ("-o", f"{key}={value}"))
    _called(scratch, "apt-get", *given, *words)


def _called(folder: Path, *command: str) -> None:
    """Run a program; raise `_Failed` with its last line of output if it fails."""
    try:
        done = tools.run(command, cwd=folder, timeout_s=PROGRAM_TIMEOUT_S)
    except UserError as error:
        raise _Failed(str(error)) from error
    if done.code:
        lines = done.output.strip().splitlines() or ["no message"]
        raise _Failed(lines[-1])


def _verify(folder: Path) -> None:
    for plain, expected in FASHION_SHA256.items():
        file = f"{plain}.gz"
        try:
            content = gzip.decompress((folder / file).read_bytes())
        except (OSError, EOFError, zlib.error) as error:
            raise _Failed(f"{file}: {error}") from error
        actual = hashlib.sha256(content).hexdigest()
        if actual != expected:
            raise _Failed(f"{file}: SHA-256 of its content is {actual}, not {expected}")


def _complete(name: str, folder: Path) -> bool:
    try:
        if name in ARCHIVES:
            return (folder / SUMS).read_text() == _sums(name, folder)
        _verify(folder)
    except (_Failed, OSError, UnicodeDecodeError):
        return False
    return True


def main() -> int:
    """Fetch the data set named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m bonn_hw.nn.data.fetch", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument(
        "--from",
        dest="archive",
        metavar="FILE",
        type=Path,
        help="the published archive, if you already have it",
    )
    options = parser.parse_args()
    try:
        fetch(options.name, print, options.archive)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; nothing was left behind", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
