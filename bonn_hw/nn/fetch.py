# SPDX-License-Identifier: BSD-3-Clause
"""Fetch Fashion-MNIST into the cache: ``python -m bonn_hw.nn.fetch fashion-mnist``.

The mirrors compress the same four files differently, so the checksums are of what is inside.
"""

import argparse
import gzip
import hashlib
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path

from bonn_hw.errors import UserError
from bonn_hw.nn.data import cache_folder

FASHION_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
FILES = tuple(f"{plain}.gz" for plain in FASHION_SHA256)
FASHION_MIRRORS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
)
DEBIAN_PACKAGE = "dataset-fashion-mnist"
TIMEOUT_S = 20


class _Failed(Exception):
    """One source did not deliver; the next is tried."""


def fetch(name: str, say: Callable[[str], None] | None = None) -> Path:
    """Bring data set `name` into the cache and return its folder; does nothing if it is there.

    The folder appears whole, with all checksums verified, or not at all.

    Parameters
    ----------
    say
        Called with each line of progress.

    Raises
    ------
    UserError
        If the data set cannot be fetched by this function, or no source delivers it.
    """
    if name != "fashion-mnist":
        raise UserError(f"data set {name!r} cannot be fetched; only fashion-mnist can")
    say = say or (lambda line: None)
    target = cache_folder() / name
    if _complete(target):
        say(f"{name}: already in {target}")
        return target
    reasons = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as folder:
            for source, bring in _sources():
                say(f"{name}: from {source}")
                staged = Path(folder) / "files"
                staged.mkdir()
                try:
                    bring(staged)
                    _verify(staged)
                except _Failed as failure:
                    reasons.append(f"{source}: {failure}")
                    say(f"  {failure}")
                    shutil.rmtree(staged)
                    continue
                _install(staged, target)
                say(f"{name}: four files, checksums good, in {target}")
                return target
    except OSError as error:
        raise UserError(
            f"{target}: cannot be written ({error.strerror or error}); free the space or set "
            "XDG_CACHE_HOME to another folder"
        ) from error
    raise UserError(
        f"data set {name}: no source delivered it ({'; '.join(reasons)}); check the network, or "
        f"put its four .gz files into {target}"
    )


def _sources() -> list[tuple[str, Callable[[Path], None]]]:
    sources: list[tuple[str, Callable[[Path], None]]] = [
        (mirror, lambda folder, mirror=mirror: _download(mirror, folder))
        for mirror in FASHION_MIRRORS
    ]
    if shutil.which("apt-get") and shutil.which("dpkg-deb"):
        sources.append((f"apt-get download {DEBIAN_PACKAGE}", _from_debian))
    return sources


def _download(mirror: str, folder: Path) -> None:
    for file in FILES:
        try:
            with urllib.request.urlopen(f"{mirror}/{file}", timeout=TIMEOUT_S) as answer:
                content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            # urllib's own errors are OSErrors.
            raise _Failed(f"{file}: {getattr(error, 'reason', error)}") from error
        (folder / file).write_bytes(content)


def _from_debian(folder: Path) -> None:
    """Unpack Debian's package without installing it: needs no root."""
    with tempfile.TemporaryDirectory(prefix="bonn_hw-") as scratch:
        for command in (
            ["apt-get", "download", DEBIAN_PACKAGE],
            ["sh", "-c", f"dpkg-deb -x {DEBIAN_PACKAGE}_*.deb unpacked"],
        ):
            try:
                subprocess.run(
                    command, cwd=scratch, check=True, capture_output=True, text=True, timeout=300
                )
            except subprocess.CalledProcessError as error:
                lines = error.stderr.strip().splitlines() or ["no message"]
                raise _Failed(f"{lines[-1]} (is `apt-get update` due?)") from error
            except subprocess.TimeoutExpired as error:
                raise _Failed("no answer in 300 s") from error
        for file in FILES:
            found = sorted(Path(scratch, "unpacked").rglob(file))
            if not found:
                raise _Failed(f"{file}: not in the package")
            shutil.copyfile(found[0], folder / file)


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


def _complete(folder: Path) -> bool:
    try:
        _verify(folder)
    except _Failed:
        return False
    return True


def _install(staged: Path, target: Path) -> None:
    """Move the verified folder into place; what was there is known to be incomplete."""
    if target.exists():
        os.replace(target, staged.with_name("replaced"))
    os.replace(staged, target)


def main() -> int:
    """Fetch the data set named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m bonn_hw.nn.fetch", description=__doc__)
    parser.add_argument("name", choices=["fashion-mnist"])
    try:
        fetch(parser.parse_args().name, print)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; nothing was left behind", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
