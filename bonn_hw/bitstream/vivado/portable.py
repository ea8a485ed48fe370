# SPDX-License-Identifier: BSD-3-Clause
"""A plan as one archive, for a machine that has Vivado and nothing of ours; and its results.

The archive has the folder ``accelerator`` with ``rtl`` and ``vivado``, as in ``BUILD/system``.
``sh accelerator/vivado/run.sh`` runs the plan there and packs its results in one file next to the
folder, which ``bonn-hw bitstream BUILD --take FILE`` checks and takes.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bonn_hw.bitstream.vivado.plan import COMMAND, PLAN, WORK, VivadoPlan
from bonn_hw.errors import UserError
from bonn_hw.files import fresh_file, scratch

ARCHIVE = "plan.tar.gz"
FOLDER = "accelerator"  # in the archive
RESULTS = "results.tar.gz"  # that run.sh writes


def write_archive(planned: VivadoPlan, system: Path) -> Path:
    """Pack a written plan with its RTL; returns the archive."""
    work = system / WORK
    names = [f"rtl/{name}" for name in planned.sources]
    names += [
        f"{WORK}/{name}" for name in (PLAN, COMMAND, *(f"scripts/{s}" for s in planned.scripts))
    ]
    archive = system / ARCHIVE
    with fresh_file(archive) as partial, tarfile.open(partial, "w:gz") as packed:
        for name in names:
            packed.add(work.parent / name, f"{FOLDER}/{name}", recursive=False)
    return archive


@contextmanager
def results_in(place: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """The folder of a run's results: ``place`` itself, or what is in an archive of run.sh.

    Parameters
    ----------
    names : tuple of str
        The files to take; others in an archive are left out.

    Raises
    ------
    UserError
        If ``place`` is not there, or is no archive.
    """
    if place.is_dir():
        yield place
        return
    if not place.is_file():
        raise UserError(
            f"--take {place}: there is no such folder or file: name the folder in which Vivado "
            f"ran, or the {RESULTS} that run.sh has written"
        )
    with scratch() as folder:
        try:
            _unpack(place, names, folder)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise UserError(
                f"--take {place}: it cannot be unpacked ({error}): copy it again"
            ) from None
        yield folder


def _unpack(archive: Path, names: tuple[str, ...], folder: Path) -> None:
    """Unpack regular files of these names, wherever they are in the archive."""
    with tarfile.open(archive) as packed:
        for member in packed:
            name = Path(member.name).name
            stream = packed.extractfile(member) if member.isfile() and name in names else None
            if stream is not None:
                with stream, (folder / name).open("wb") as target:
                    shutil.copyfileobj(stream, target)
