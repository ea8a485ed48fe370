# SPDX-License-Identifier: BSD-3-Clause
"""The version: the release, and the commit where there is one. Found when it is asked for.

The build reads it before the package can be imported, so nothing of ours is imported here, and git
is read and not run.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

RELEASE = "0.1.0"


def found(root: Path) -> str:
    """The version of what stands in ``root``: a checkout, an unpacked archive, or site-packages.

    A checkout's version ends with its commit (``0.1.0+g62768ac1f0``), and so does the one of a
    wheel that was built in a checkout.
    """
    if (root / "pyproject.toml").is_file():
        commit = _commit(root)
        return f"{RELEASE}+g{commit[:10]}" if commit else RELEASE
    try:
        return metadata.version("bonn-hw")
    except metadata.PackageNotFoundError:  # copied by hand
        return RELEASE


def _commit(root: Path) -> str | None:
    """What HEAD is, as gitrepository-layout(5) has it; None without a repository or a commit."""
    git = root / ".git"
    try:
        if git.is_file():  # a work tree beside the first one, or a submodule
            git = root / git.read_text().removeprefix("gitdir: ").strip()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        shared = git / "commondir"
        common = git / shared.read_text().strip() if shared.is_file() else git
        for folder in (git, common):
            if (folder / name).is_file():
                return (folder / name).read_text().strip()
        for line in (common / "packed-refs").read_text().splitlines():
            if line.endswith(f" {name}"):
                return line.split()[0]
    except (OSError, UnicodeDecodeError):
        pass
    return None


VERSION = found(Path(__file__).resolve().parent.parent)
