# SPDX-License-Identifier: BSD-3-Clause
"""The parts of a simulation, without a simulator: commands, counts, answers, messages."""

import io
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bonn_hw.errors import Hang, Interrupted, ToolMissing, UserError
from bonn_hw.ir.rtl import Port, RtlProject
from bonn_hw.ir.tensor import Element
from bonn_hw.sim import batches, locate, waves
from bonn_hw.sim import build as building
from bonn_hw.sim import run as running
from bonn_hw.sim import toolchain as toolchains
from bonn_hw.sim.hang import hang
from bonn_hw.sim.locate import Verilator
from bonn_hw.sim.shard import Shard

BYTE = Element(0, 255)
PROJECT = RtlProject("top", (), {}, Port(1, BYTE, 6), Port(2, BYTE, 3), ("first", "last"))


def toolchain(root=Path("/nowhere"), trace=None, compiler="g++", optimisation=("-O3", "-g")):
    return toolchains.Toolchain(Verilator("verilator", root, "5.1"), compiler, trace, optimisation)


@pytest.mark.parametrize("trace", [None, "streams", "vcd", "fst"])
@pytest.mark.parametrize("bundled", [True, False])
def test_what_is_compiled_and_linked_for_waves(trace, bundled, tmp_path):
    if bundled:
        (tmp_path / "include" / "fstcpp").mkdir(parents=True)
    chain = toolchain(tmp_path, trace)
    fst, vcd = trace == "fst", trace in ("streams", "vcd")
    assert ("-lz" in chain.libraries) == (fst and not bundled)
    assert (f"-I{toolchains.STORED}" in chain.flags) == bundled
    assert {f"-DVM_TRACE={int(fst or vcd)}", f"-DVM_TRACE_FST={int(fst)}"} <= {*chain.switches}
    assert (f"-DVM_TRACE_VCD={int(vcd)}" in chain.switches) and (chain.headers is None) == (
        fst or vcd
    )
    assert ("-std=c++17" in chain.switches) == fst
    assert ("-DTRACE_VCD" in chain.switches, "-DTRACE_FST" in chain.switches) == (vcd, fst)
    names = [path.name for path in chain.runtime]
    assert names[:2] == ["verilated.cpp", "verilated_threads.cpp"]
    assert names[2:] == (["verilated_fst_c.cpp"] if fst else ["verilated_vcd_c.cpp"] if vcd else [])


def test_clang_has_no_precompiled_header():
    assert toolchain().headers and toolchain(compiler="/usr/bin/clang++-14").headers is None


@pytest.mark.parametrize("trace", [None, "streams", "vcd", "fst"])
def test_verilator_is_told_of_waves(trace, tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(building, "run", lambda command, *others: commands.append(command))
    monkeypatch.setattr(building, "compile_sources", lambda chain, sources, *others: sources)
    (tmp_path / "cpp").mkdir()
    options = building._shallow(trace)
    chain = toolchain(trace=trace)
    building._compile_design(PROJECT, chain, options, tmp_path, tmp_path, lambda text: None, None)
    told = [word for word in commands[0] if word.startswith("--trace")]
    assert told == {
        None: [], "streams": ["--trace-depth", "--trace"], "vcd": ["--trace"],
        "fst": ["--trace-fst"],
    }[trace]  # fmt: skip


def test_what_runs_once_is_not_optimised(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(toolchains, "run", lambda command, folder: commands.append(command))
    sources = [tmp_path / "a.cpp", tmp_path / "a__Slow.cpp", tmp_path / "headers.h"]
    objects = toolchains.compile_sources(
        toolchain(), sources, tmp_path, ["-flag"], lambda text: None
    )
    assert [one.name for one in objects] == ["a.o", "a__Slow.o", "-O3.gch", "-O0.gch"]
    levels = {command[-1]: "-O0" in command for command in commands}
    assert [levels[str(one)] for one in objects] == [False, True, False, True]
    flagged = {command[-1]: "-flag" in command for command in commands}
    assert [flagged[str(one)] for one in objects] == [True, True, False, False]


def test_large_designs_are_compiled_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "SMALL", 100)
    sizes = {"a": 60, "b": 40, "c": 39, "d": 150, "e__Slow": 50, "f__Slow": 50}
    sources = [tmp_path / f"{name}.cpp" for name in sizes]
    for source, size in zip(sources, sizes.values(), strict=True):
        source.write_bytes(bytes(size))

    def bundled(some):
        made = building._bundled(some, tmp_path)
        held = [
            "".join(name[0] for name in sizes if f"/{name}." in one.read_text()) for one in made
        ]
        return held, [one.stem.endswith("__Slow") for one in made]

    assert bundled(sources) == (["d", "ab", "c", "ef"], [False, False, False, True])
    assert bundled(sources[1:2] + sources[4:5]) == (["be"], [False])  # all of it in one file
    assert bundled(sources[:2]) == (["ab"], [False])


@pytest.mark.parametrize(
    ("level", "trace", "flag"), [(None, None, "-O3"), (None, "streams", "-O1"), ("2", "fst", "-O2")]
)
def test_levels_of_optimisation(level, trace, flag, monkeypatch):
    monkeypatch.setenv(toolchains.OPTIMISE, level or "")
    assert toolchains.optimisation(trace) == (flag, "-march=native")
    monkeypatch.setenv(toolchains.OPTIMISE, "4")
    with pytest.raises(UserError, match="=4 is not a level: set one of 0, 1, 2, 3"):
        toolchains.optimisation(trace)


@pytest.mark.parametrize("left", [0, 1])
def test_a_full_disk_is_one_without_a_block(left, tmp_path, monkeypatch):
    monkeypatch.setattr(toolchains.os, "statvfs", lambda place: SimpleNamespace(f_bavail=left))
    assert toolchains._is_full(tmp_path) == (left == 0)


@pytest.mark.parametrize("folder", [None, "kept"])
@pytest.mark.parametrize("frames", [0, 5])
@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
def test_an_interrupt_tells_what_is_kept_if_anything_is(folder, frames, stop, monkeypatch):
    @contextmanager
    def unfinished(key):
        yield Path(key)

    monkeypatch.setattr(batches.cache, "unfinished", unfinished)
    told = frames and stop is not ZeroDivisionError
    with pytest.raises(Interrupted if told else stop) as error:  # noqa: SIM117
        with batches.kept_batches(folder, 1200) as kept:
            assert kept.folder == (None if folder is None else Path(folder))
            kept.frames = frames
            raise stop
    if told:
        assert "interrupted; 5 of 1,200 frames are simulated and kept" in str(error.value)


def test_the_words_of_a_simulator(tmp_path):
    shard = Shard(tmp_path, 0, 9)
    lines = b"frame 7 123\nelsewhere\n[5] %Fatal: the memory image a.mem is missing\nhang 5 4\n"
    process = SimpleNamespace(
        stdout=lines.splitlines(), stderr=io.BytesIO(b"some errors"), wait=lambda: 3
    )
    shard.follow(process)
    assert (shard.done, shard.code, shard.errors) == (7, 3, "some errors")
    assert shard.last_line == ["hang", "5", "4"]
    shard.code = 1
    with pytest.raises(UserError, match=r"^simulate: the memory image a\.mem is missing: compile"):
        shard.raise_if_failed(PROJECT, None)


def test_a_hang_tells_which_end_waits_and_what_still_moves():
    """Three counts and three last cycles for each of two stages."""

    def text(sent, got, *last):
        words = ["hang", "70", "20", f"{sent}", f"{got}", *"123456", *map(str, last)]
        return str(hang(PROJECT, words, 2))

    inside = text(7, 2, 1, 20, 3, 4, 21, 6)
    assert "input stream: 7 of 12 beats sent; output stream: 2 of 6 beats received" in inside
    assert "the input stream is blocked: first does not accept beat 8; inside:" in inside
    assert "\n  first: 1 beats in, 3 beats out, no movement since cycle 20\n" in inside
    assert inside.endswith("\n  last: 4 beats in, 6 beats out, moved last in cycle 21")
    assert text(12, 5, 1, 2, 3, 4, 5, 70).endswith("last: 4 beats in, 6 beats out, still moving")
    assert "all input is accepted, and last does not output beat 6;" in text(12, 5, *range(6))
    assert "beats received; both are complete; inside:" in text(12, 6, *range(6))


@pytest.mark.parametrize(
    ("ended", "found"),
    [
        ((4, 9, 12), (3, 4)),  # of the last two frames that ended while input arrived
        ((4, 12, 13), (4, 5)),  # one such frame tells nothing: the average of all
    ],
)
def test_busy_cycles_of_stages(ended, found):
    """Of both stages, the busiest of three counts: 1, 2 and 3 a frame, and one more each."""
    counts = {4: [[1, 2, 3], [2, 3, 4]], 9: [[2, 4, 6], [4, 6, 8]]}
    rows = [[sent, *np.ravel(counts.get(sent, [[5, 7, 12], [8, 9, 15]]))] for sent in ended]
    assert running.busy(np.ravel(rows), 2, 12) == found


@pytest.mark.parametrize(
    ("frames", "jobs", "batch", "parts", "key"),
    [
        (8, 1, None, 1, False),
        (8, 3, None, 3, False),
        (2, 3, None, 2, False),
        (8, 1, 8, 1, False),
        (8, 2, 7, 2, True),
        (8, 1, 3, 3, True),
        (8, 4, 3, 4, True),
    ],
)
def test_how_a_simulation_is_split(frames, jobs, batch, parts, key, tmp_path, monkeypatch):
    seen = []

    class Enough(Exception):
        pass

    def run_all(simulator, shards, options, folder, progress, plus, at_once, finished):
        seen.append((at_once, [shard.frames for shard in shards], finished.__self__.folder))
        raise Enough

    monkeypatch.setattr(running, "build", lambda *a, **k: SimpleNamespace(executable=tmp_path))
    monkeypatch.setattr(running, "identity", lambda *a: "key")
    monkeypatch.setattr(running, "run_all", run_all)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    beats = np.zeros((frames * 6, 1), np.uint32)
    with pytest.raises(Enough):
        running.simulate(
            PROJECT, beats, frames, folder=tmp_path, timeout_cycles=9, jobs=jobs, batch=batch
        )
    ((at_once, shares, folder),) = seen
    assert (at_once, len(shares), sum(shares)) == (min(jobs, frames), parts, frames)
    assert max(shares) - min(shares) <= 1 and (folder is not None) == key


def test_waves_of_a_hang_are_kept_and_a_torn_file_is_a_full_disk(tmp_path):
    whole = b"\x00" + (20).to_bytes(8, "big") + bytes(12)

    def written(content, stop=None, name="w.fst"):
        with waves.wave_file(tmp_path / name) as path:
            Path(path).write_bytes(content)
            if stop:
                raise stop

    written(whole)
    written(b"any", name="w.vcd")
    with pytest.raises(UserError, match="no space left for"):
        written(whole[:-1], name="torn.fst")
    with pytest.raises(Hang):
        written(whole[:-1], Hang("it hangs"), "hang.fst")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hang.fst", "w.fst", "w.vcd"]
    with waves.wave_file(None) as nothing:
        assert nothing == ""


@pytest.mark.parametrize(
    ("parts", "text", "message"),
    [
        (("header", "binary"), "Verilator 5.006 2023", None),
        (("header", "binary"), "no version", None),  # its headers know it
        (("header",), "Verilator 5.006", "is not a complete Verilator"),
        (("binary",), "Verilator 5.006", "is not a complete Verilator"),
        (
            ("header", "binary"),
            "Verilator 5.005",
            r"is Verilator 5\.005: at least 5\.006 is needed",
        ),
        (("header", "binary"), "Verilator 4.228", r"is Verilator 4\.228: at least 5\.006"),
    ],
)
@pytest.mark.parametrize("share", ["", "share/verilator"])
def test_which_verilators_are_usable(parts, text, message, share, tmp_path):
    program, include = tmp_path / "bin" / "verilator", tmp_path / share / "include"
    program.parent.mkdir()
    include.mkdir(parents=True)
    answer = f'#!/bin/sh\n[ "$1" = --version ] && echo "{text}"\n'
    for path in (program, *([program.with_name("verilator_bin")] if "binary" in parts else [])):
        path.write_text(answer)
        path.chmod(0o755)
    if "header" in parts:
        (include / "verilated.h").touch()
    (include / "verilated_config.h").write_text('#define VERILATOR_VERSION "5.032 x"')
    if message is None:
        found = locate._examine(str(program))
        known = "5.032" if text == "no version" else "5.006"
        assert (found.root, found.version) == (tmp_path / share, known)
        return
    with pytest.raises(ToolMissing, match=message):
        locate._examine(str(program))


@pytest.mark.parametrize("part", ["include/verilated.h", "bin/verilator_bin"])
def test_a_wrapper_that_names_an_incomplete_verilator(part, tmp_path):
    place, wrapper = tmp_path / "root" / part, tmp_path / "verilator"
    place.parent.mkdir(parents=True)
    place.touch()
    wrapper.write_text(f"#!/bin/sh\necho {tmp_path / 'root'}\n")
    wrapper.chmod(0o755)
    with pytest.raises(ToolMissing, match="verilator is not a complete Verilator"):
        locate._examine(str(wrapper))
