# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw setup``: fetch what pip cannot install: tool chains, FINN, data sets."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from bonn_hw.cli.exit_codes import DONE
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import Terminal
from bonn_hw.errors import UserError

NAME = "setup"
HELP = "fetch an open tool chain, FINN or a data set"
WHAT = ("open-toolchain", "finn", "data")
DEFAULT_DATA = "fashion-mnist"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "what",
        choices=WHAT,
        help="open-toolchain: place and route for the 7 series, 216 MB; finn: FINN in an "
        "environment of its own, 1.4 GB; data: a data set",
    )
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help=f"data sets; default: {DEFAULT_DATA}"
    )
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        help="folder of the tool chain or of FINN; default: in the cache, where it is found",
    )
    parser.add_argument(
        "--from",
        dest="archive",
        metavar="FILE",
        type=Path,
        help="published archive of the data set, if you already have it",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Fetch it."""
    if options.what == "data":
        if options.out is not None:
            raise UserError(
                "setup: data goes into the cache folder: leave --out out; XDG_CACHE_HOME names "
                "another cache"
            )
        return _data(options, terminal)
    for flag, given in (("NAME", options.names), ("--from", options.archive)):
        if given:
            raise UserError(f"setup: {flag} goes with data: leave it out for {options.what}")
    if options.what == "finn":
        from bonn_hw.interop.finn_environment import folder

        place = options.out or folder()
        _run(("finn", "environment.sh"), place, "pyvenv.cfg", terminal)
        if options.out is not None:
            terminal.note(f"export BONN_HW_FINN={place.absolute()}")
    else:
        from bonn_hw.bitstream.open import toolchain

        place = options.out or toolchain.folder()
        _run(("open", "toolchain.sh"), place, f"bin/{toolchain.ROUTER}", terminal)
        if options.out is not None:
            terminal.note(f"export PATH={place.absolute()}/bin:$PATH")
    return DONE


def _data(options: argparse.Namespace, terminal: Terminal) -> int:
    from bonn_hw.nn.data.fetch import fetch

    names = options.names or [DEFAULT_DATA]
    if options.archive is not None and len(names) > 1:
        raise UserError("setup: --from is the archive of one data set: name one")
    for name in names:
        fetch(name, terminal.note, options.archive)
    return DONE


def _run(script: tuple[str, str], place: Path, mark: str, terminal: Terminal) -> None:
    """Run a script of ``flows/scripts``, which replaces the folder ``place``.

    Parameters
    ----------
    mark
        A file that an earlier run has left there; a folder without it is not replaced.
    """
    from bonn_hw import tools
    from bonn_hw.files import shipped

    check_writable(place, "folder")
    if place.exists() and any(place.iterdir()) and not (place / mark).is_file():
        raise UserError(
            f"{place} exists and was not made by bonn-hw setup (it has no {mark}): it is left as "
            "it is; choose another --out"
        )
    kind, name = script
    file = shipped("flows", "scripts", kind) / name
    environment: Mapping[str, str] = {"PYTHON": sys.executable, **os.environ}
    done = tools.run(["bash", file, place.absolute()], env=environment, on_line=terminal.note)
    if done.code:
        raise UserError(f"setup: {name}: {done.failure}")
