# SPDX-License-Identifier: BSD-3-Clause
"""The version: the release, and the commit where there is one.

The build reads it before the package can be imported, so this module imports nothing of bonn_hw.
It reads git's files and does not run git.
"""

from __future__ import annotations

from pathlib import Path

RELEASE = "0.1.0"


def version_of(root: Path) -> str:
    """The version of bonn_hw in ``root``: a checkout, an unpacked archive, or site-packages.

    A checkout's version ends with its commit (``0.1.0+g62768ac1f0``), and so does the one of a
    wheel that was built in a checkout.
    """
    if (root / "pyproject.toml").is_file():
        commit = _commit(root)
        return f"{RELEASE}+g{commit[:10]}" if commit else RELEASE
    from importlib import metadata  # slow, and a checkout does not need it

    try:
        return metadata.version("bonn-hw")
    except metadata.PackageNotFoundError:  # copied by hand
        return RELEASE


def _commit(root: Path) -> str | None:
    """The commit of HEAD (see gitrepository-layout(5)); None without a repository or a commit."""
    git = root / ".git"
    try:
        if git.is_file():  # an additional work tree, or a submodule
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


VERSION = version_of(Path(__file__).resolve().parent.parent)
