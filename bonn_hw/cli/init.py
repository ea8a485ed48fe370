# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw init``: begin a project with an experiment, a CI workflow and a README."""

from __future__ import annotations

import argparse
from pathlib import Path

from bonn_hw.cli.exit_codes import DONE
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import Terminal
from bonn_hw.errors import UserError

NAME = "init"
HELP = "begin a project: an experiment, a CI workflow and a README"

# File of the project -> file of the package.
FILES = {
    "README.md": ("project", "README.md"),
    "experiment.toml": ("experiments", "digits.toml"),
    "frames.py": ("project", "frames.py"),
    "ci.sh": ("project", "ci.sh"),
    ".github/workflows/accelerator.yml": ("project", "accelerator.yml"),
    ".gitignore": ("project", "gitignore.txt"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, help="folder to write; no file is replaced"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write the files of a new project."""
    import shutil

    from bonn_hw.files import shipped, writing

    out: Path = options.folder
    check_writable(out, "folder")
    there = [name for name in FILES if (out / name).exists()]
    if there:
        raise UserError(
            f"init: {out} has {', '.join(there)} already: nothing is replaced; name another folder"
        )
    with writing(out):
        for name, (kind, source) in FILES.items():
            target = out / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shipped("flows", kind) / source, target)
        (out / "ci.sh").chmod(0o755)
    for name in FILES:
        terminal.result(str(out / name))
    terminal.note(f"next: see {out / 'README.md'}")
    return DONE
