# SPDX-License-Identifier: BSD-3-Clause
"""Wave files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bonn_hw.errors import Hang
from bonn_hw.files import writing
from bonn_hw.sim.shard import full


@contextmanager
def wave_file(target: Path | None) -> Iterator[str]:
    """Where the harness writes its waves: aside, and in place when they are whole.

    The waves of RTL that fails are the ones that are wanted most: they are kept too.
    """
    if target is None:
        yield ""
        return
    partial = target.with_name(f".{target.name}.partial")
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
    try:
        try:
            yield str(partial.resolve())
        except Hang:
            os.replace(partial, target)
            raise
        if target.suffix == ".fst" and not _whole(partial):
            raise full(target)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _whole(wave: Path) -> bool:
    """Whether an FST file's blocks (a kind, a size in 8 bytes, contents) end where it ends.

    Its writer need not notice that the disk is full.
    """
    size, place = wave.stat().st_size, 0
    with wave.open("rb") as stream:
        while place + 9 <= size:
            stream.seek(place + 1)
            place += 1 + int.from_bytes(stream.read(8), "big")
    return 0 < place == size
