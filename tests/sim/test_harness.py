# SPDX-License-Identifier: BSD-3-Clause
"""The harness's own program with a chain of registers in C++ (chain.cpp), cycle by cycle."""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from bonn_hw import cache
from bonn_hw.sim.build import HARNESS
from bonn_hw.timing.native import compiler

CHAIN = Path(__file__).with_name("chain.cpp")
SILENCE = 1000  # cycles that the harness waits for a beat too many


@pytest.fixture(scope="module")
def program():
    command = [compiler(), "-std=c++14", f"-I{HARNESS.parent}", CHAIN, HARNESS, "-o"]
    sources = (CHAIN, HARNESS, HARNESS.with_name("model.h"))

    def make(folder):
        subprocess.run([*command, folder / "harness"], check=True)

    key = cache.digest(command[0], *(source.read_bytes() for source in sources))
    return cache.entry("libraries", key, make) / "harness"


@dataclass
class Expected:
    """What a chain does, cycle by cycle."""

    words: list = field(default_factory=list)
    cycles: list = field(default_factory=list)
    first_in: list = field(default_factory=list)
    counts: list = field(default_factory=list)  # of each frame: beats sent, and the probe's counts


@dataclass
class Run:
    """Frames through a chain. A beat has `words` words; with `every`, two of them become one."""

    folder: Path
    frames: int = 4
    beats: int = 6
    words: int = 1
    stages: int = 25
    snapshots: int = 2
    pattern: tuple = ((1,), (1,))  # cycles in which a beat may be offered, and is taken
    reset_after: int = 0
    timeout: int = 100
    chain: dict = field(default_factory=dict)

    def __post_init__(self):
        random = np.random.default_rng(self.frames)
        shape = self.frames * self.beats, self.words
        self.input = random.integers(0, 1 << 32, shape, np.uint32)
        self.out = self.beats // self.chain.get("every", 1)

    def start(self, program, **places):
        self.input.tofile(self.folder / "in")
        np.array(self.pattern, np.uint8).tofile(self.folder / "stalls")
        names = "in", "out", "cycles", "rows", "stalls"
        files = [str(places.get(name, self.folder / name)) for name in names]
        options = {
            "frames": self.frames, "beats_in": self.beats, "beats_out": self.out,
            "words_in": self.words, "words_out": self.words, "stages": self.stages,
            "timeout": self.timeout, "period": len(self.pattern[0]), "trace": "a=b",
            "snapshots": self.snapshots, "reset_after": self.reset_after,
        }  # fmt: skip
        chain = {"stages": self.stages, "words": self.words, "beats": self.frames * self.out}
        told = " ".join(f"{name}={value}" for name, value in (chain | self.chain).items())
        given = [f"{name}={value}" for name, value in options.items()]
        return subprocess.run(
            [program, *files, *given], capture_output=True, text=True,
            env=os.environ | {"CHAIN": told},
        )  # fmt: skip

    def read(self, name, kind=np.int64):
        return np.fromfile(self.folder / name, kind).tolist()

    def expected(self):
        """All beats' words, cycles and counts, until the last has left."""
        found, counted = Expected(), 400 * bool(self.chain.get("forget"))
        if self.reset_after:
            taken = self._through(self.reset_after, Expected(), 0)
            counted += (100 + taken) * bool(self.chain.get("forget"))
        self._through(None, found, counted)
        return found

    def _through(self, limit, found, counted):
        """Simulate until a cycle, or until all has left; how many beats were taken."""
        held, counts = [None] * self.stages, [0] * (3 * self.stages)
        sent = taken = cycle = 0
        offered = False
        beats, every = self.frames * self.beats, self.chain.get("every", 1)
        while cycle != limit and (limit or len(found.cycles) < self.frames * self.out):
            place = cycle % len(self.pattern[0])
            offered = offered or (sent < beats and bool(self.pattern[0][place]))
            ready = bool(self.pattern[1][place]) or held[-1] is None
            moves = [False] * self.stages + [bool(self.pattern[1][place]) and held[-1] is not None]
            for stage in reversed(range(self.stages)):
                ready = ready or held[stage] is None
                moves[stage] = ready and (held[stage - 1] is not None if stage else offered)
            for stage in range(self.stages):
                counts[3 * stage] += moves[stage]
                counts[3 * stage + 1] += moves[stage]
                counts[3 * stage + 2] += moves[stage + 1]
            if moves[0] and sent % self.beats == 0:
                found.first_in.append(cycle)
            sent += moves[0]
            if moves[-1]:
                found.words += held[-1]
                found.cycles.append(cycle)
                if len(found.cycles) % self.out == 0:
                    found.counts.append([sent, *counts])
            for stage in reversed(range(self.stages)):
                if moves[stage + 1]:
                    held[stage] = None
                if moves[stage] and stage:
                    held[stage] = held[stage - 1]
            if moves[0]:
                words = [(int(word) + counted) % 2**32 for word in self.input[sent - 1]]
                taken, offered = taken + 1, False
                held[0] = words if taken % every == 0 else None
                counted += bool(self.chain.get("forget"))
            cycle += 1
        return taken


STALLS = ((1, 0, 0, 1, 1, 0, 1), (0, 1, 1, 0, 1, 0, 1))
RUNS = {
    "free": {},
    "stalled": {"pattern": STALLS, "words": 2},
    "two beats become one": {"chain": {"every": 2}, "words": 3, "snapshots": 9},
    "one beat a frame": {"beats": 1, "stages": 1, "pattern": STALLS},
    "blocks of counts": {"frames": 1, "beats": 4200, "stages": 22},
    "a reset that leaves nothing": {"reset_after": 31, "pattern": STALLS},
    "a register that the reset forgets": {"reset_after": 31, "chain": {"forget": 1}, "frames": 7},
    "as many beats before the reset as there are": {
        "reset_after": 90, "chain": {"forget": 1}, "pattern": STALLS,
    },
    "an odd beat more": {"chain": {"extra": 5}},
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_beats_cycles_and_counts(program, tmp_path, name):
    run = Run(tmp_path, **RUNS[name])
    done, expected = run.start(program), run.expected()
    assert done.returncode == 0, done.stdout + done.stderr
    assert run.read("out", np.uint32) == expected.words
    assert run.read("cycles") == expected.cycles
    ends = zip(
        expected.first_in, expected.cycles[:: run.out], expected.cycles[run.out - 1 :: run.out],
        strict=True,
    )  # fmt: skip
    rows = [value for row in ends for value in row]
    rows += [value for row in expected.counts[: run.snapshots] for value in row]
    assert run.read("rows") == rows
    closed, (word, cycles, seconds) = (line.split() for line in done.stdout.splitlines()[-2:])
    silent = expected.cycles[-1] + run.chain.get("extra", 0) + SILENCE + 1
    assert closed == ["closed", "a=b", "1", str(2 * silent)]
    assert (word, int(cycles)) == ("done", expected.cycles[-1] + 1)
    assert 0 <= float(seconds) < 60


@pytest.mark.parametrize("late", [1, SILENCE, SILENCE + 1])
def test_a_frame_too_many(program, tmp_path, late):
    run = Run(tmp_path, beats=2, chain={"extra": 2, "late": late})
    done, last = run.start(program), run.expected().cycles[-1]
    if late > SILENCE:
        assert done.returncode == 0 and "surplus" not in done.stdout
    else:
        told, closed = done.stdout.splitlines()
        assert (done.returncode, told) == (6, f"surplus {last + 2 * late}")
        assert closed.startswith("closed ")


def test_a_hang_tells_what_moved_after_the_ends(program, tmp_path):
    """Beats end in stage 20 of 25; the second block of counts has the last ones."""
    run = Run(tmp_path, beats=1200, chain={"sink": 20})
    done = run.start(program)
    assert done.returncode == 3
    told, closed = done.stdout.splitlines()
    beats, sink = 4800, 20
    moved = beats - 1
    through = [beats] * (3 * sink + 2) + [0] * (3 * (run.stages - sink) - 2)
    last = [
        moved + stage + (kind == 2) if 0 < stage + (kind == 2) <= sink else -1
        for stage in range(run.stages) for kind in range(3)
    ]  # fmt: skip
    last[3 * sink + 2] = -1
    words = ["hang", moved + run.timeout, moved, beats, 0, *through, *last]
    assert told == " ".join(map(str, words))
    assert closed.startswith("closed ")


def test_frames_are_told_as_they_come(program, tmp_path):
    """Not more often than every 200 ms."""
    run = Run(tmp_path, frames=3, beats=2, stages=1, chain={"sleep": 101})
    told = run.start(program).stdout
    assert re.findall(r"frame (\d+)", told) == ["1", "2", "3"]
    run = Run(tmp_path, frames=3, beats=2, stages=1)
    assert "frame" not in run.start(program).stdout


@pytest.mark.parametrize(
    ("places", "code", "said"),
    [
        ({"in": "/nowhere/in"}, 4, "cannot read 24 values of /nowhere/in\n"),
        ({"stalls": "/dev/null"}, 4, "cannot read 2 values of /dev/null\n"),
        ({"out": "/nowhere/out"}, 4, "cannot write /nowhere/out: No such file or directory\n"),
        ({"cycles": "/dev/full"}, 5, "cannot write /dev/full: No space left on device\n"),
    ],
)
def test_files_that_fail(program, tmp_path, places, code, said):
    done = Run(tmp_path).start(program, **places)
    assert (done.returncode, done.stderr) == (code, said)


def test_a_fatal_message(program, tmp_path):
    done = Run(tmp_path, chain={"fatal": 3}).start(program)
    assert (done.returncode, done.stderr) == (4, "chain.sv:7: it ends\n")
