# SPDX-License-Identifier: BSD-3-Clause
"""Waveform files that are complete or absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bonn_hw.errors import Hang
from bonn_hw.files import fresh_file
from bonn_hw.sim.shard import full


@contextmanager
def wave_file(target: Path | None) -> Iterator[str]:
    """Yield the path for the harness's waveforms: a temporary file, renamed when it is complete.

    Waveforms of RTL that hangs are kept as well, since they are needed most.
    """
    if target is None:
        yield ""
        return
    failure: Hang | None = None
    with fresh_file(target) as partial:
        try:
            yield str(partial.resolve())
        except Hang as error:
            failure = error
        if failure is None and target.suffix == ".fst" and not _whole(partial):
            raise full(target)
    if failure is not None:
        raise failure


def _whole(wave: Path) -> bool:
    """Whether the last block (type, size in 8 bytes, contents) of an FST file is complete.

    The writer may not notice that the disk is full.
    """
    size, place = wave.stat().st_size, 0
    with wave.open("rb") as stream:
        while place + 9 <= size:
            stream.seek(place + 1)
            place += 1 + int.from_bytes(stream.read(8), "big")
    return 0 < place == size
