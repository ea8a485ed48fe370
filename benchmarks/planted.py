# SPDX-License-Identifier: BSD-3-Clause
"""Plant faults in the frames of a finished bitstream: is each of them found when it is read back?

    python -m benchmarks.planted BUILD [--count 21] [--seed 1]

BUILD is a build with a bitstream of the open tools for the 7 series (`bonn-hw bitstream BUILD
--tool open`), at a processing system or at pads. The kinds take turns: a bit of a table, a table
with permuted inputs, two wires with each other's driver, rows of a memory in the wrong order, a bit
of a memory, the start of a flip-flop, a multiplexer or a carry. Ends with 1 if one is not found.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from bonn_hw.bitstream.make import NAME
from bonn_hw.bitstream.open import seven_series
from bonn_hw.bitstream.readback import frames, proof
from bonn_hw.boards import board
from tests.support import planted_frames


def main() -> int:
    """Print a line for each fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--count", type=int, default=21)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    folder = given.build / "system" / "bitstream"
    planned = json.loads((folder / "plan.json").read_text())
    made_for = board(planned["board"], given.build)
    database = seven_series.database_of(made_for)
    file = folder / f"{NAME}.bit"
    read = frames.read(file.read_bytes(), database.part_file.with_name("part.json"))
    start, found, missed = time.process_time(), 0, 0
    asked, boundary = proof.asked_on(
        database, folder / seven_series.PLACED, seven_series.pins_of(made_for)
    )
    for kind, fault, told in planted_frames.judged(
        read, database, asked, given.count, given.seed, boundary
    ):
        found, missed = found + (told is not None), missed + (told is None)
        print(f"{kind:15} {fault}: {told or 'NOT FOUND'}", flush=True)
    seconds = time.process_time() - start
    print(f"{found} of {found + missed} faults found in {seconds:.0f} s of CPU")
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
