# SPDX-License-Identifier: BSD-3-Clause
"""The cache: what is torn is made again, what was killed goes, what was used last stays."""

import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bonn_hw import cache
from bonn_hw.errors import UserError
from bonn_hw.progress import silent
from bonn_hw.sim import build as building
from bonn_hw.sim import locate, toolchain
from bonn_hw.synth import yosys
from bonn_hw.synth.netlist import Use
from tests.sim.test_failures import Bench
from tests.support.processes import ended, fork, holding, kill

SHARED = os.environ.get("XDG_CACHE_HOME", "")


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "bonn_hw"


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def two_files(made=None):
    def make(folder):
        if made is not None:
            made.append(1)
        (folder / "one").write_bytes(bytes(range(200)))
        (folder / "deep").mkdir()
        (folder / "deep" / "two").write_bytes(b"2" * 100)

    return make


def truncate(path, dice):
    path.write_bytes(path.read_bytes()[: dice.randrange(path.stat().st_size)])


def flip(path, dice):
    whole = bytearray(path.read_bytes())
    whole[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
    path.write_bytes(whole)


def empty(path, dice):
    path.write_bytes(b"")


def delete(path, dice):
    path.unlink()


HARMS = (truncate, flip, empty, delete)


@pytest.mark.parametrize("harm", HARMS)
def test_fifty_harmed_entries_are_made_again(harm):
    dice, made = random.Random(harm.__name__), []
    whole = content(cache.entry("synth", "key", two_files()))
    for count in range(1, 51):
        harm(cache.folder() / "synth" / "key" / dice.choice(sorted(whole)), dice)
        assert cache.find("synth", "key") is None
        assert content(cache.entry("synth", "key", two_files(made))) == whole
        assert len(made) == count
    cache.entry("synth", "key", two_files(made))
    assert len(made) == 50
    assert [path.name for path in (cache.folder() / "synth").iterdir()] == ["key"]


def test_other_things_in_an_entrys_place_go(own):
    place = own / "synth" / "key"
    for harm in (
        lambda: (place / "more").write_text("not listed"),
        lambda: (shutil.rmtree(place), place.write_text("a file")),
        lambda: (place.unlink() if place.is_file() else shutil.rmtree(place), place.mkdir()),
        lambda: (shutil.rmtree(place), place.symlink_to("/nowhere")),
    ):
        whole = content(cache.entry("synth", "key", two_files()))
        harm()
        assert content(cache.entry("synth", "key", two_files())) == whole


@pytest.mark.parametrize("harm", HARMS)
def test_a_library_is_made_again_where_a_torn_one_would_kill_us(harm, own, tmp_path):
    """In a process of its own: of a torn library the loader makes a SIGBUS."""
    source = tmp_path / "seven.cpp"
    source.write_text('extern "C" int seven() { return 7; }\n')
    code = (
        "import sys; from pathlib import Path; from bonn_hw.timing.native import library\n"
        "assert library(Path(sys.argv[1])).seven() == 7"
    )

    def use():
        return subprocess.run([sys.executable, "-c", code, source], check=False).returncode

    assert use() == 0
    (built,) = own.glob("libraries/*/seven.so")
    harm(built, random.Random(1))
    assert use() == 0
    (again,) = own.glob("libraries/*/seven.so")
    assert again == built


@pytest.mark.rtl
def test_a_simulator_and_its_runtime_are_made_again(tmp_path, monkeypatch, own):
    bench, dice = Bench(tmp_path), random.Random(0)
    chain = toolchain.Toolchain(
        locate.verilator(), building.compiler(), None, toolchain.optimisation(None)
    )
    with monkeypatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", SHARED)
        harness = building._harness(chain, chain.identity(), silent).parent
        runtime = building._runtime(chain, chain.identity(), silent)
    compiled, made = building.compile_sources, []

    def compile_(chain, sources, folder, *others):
        """What all designs share is that of all tests: to compile it takes a while."""
        if folder.parent.name != "runtime":
            return compiled(chain, sources, folder, *others)
        made.append(folder)
        known = harness if building.HARNESS in sources else runtime
        shutil.copytree(known, folder, ignore=lambda *_: [cache.MANIFEST], dirs_exist_ok=True)
        return sorted(folder.glob("*.o"))

    monkeypatch.setattr(building, "compile_sources", compile_)
    simulator = building.build(bench.project, templates=bench.templates).executable
    objects = list((own / "runtime").glob("*/*.o"))
    assert len(objects) == 3 and len(made) == 2
    for path in (simulator, *objects):
        truncate(path, dice)
    bench.run()
    assert len(made) == 4
    for known in (harness, runtime):
        assert content(own / "runtime" / known.name) == content(known)


@pytest.mark.rtl
def test_another_environment_finds_the_same_simulators(tmp_path):
    """What a simulator is made of counts, not where it is installed."""
    here = locate.verilator()
    copy = replace(here, root=Path(shutil.copytree(here.root, tmp_path / "copy")))
    chains = [toolchain.Toolchain(one, building.compiler(), None, ("-O1",)) for one in (here, copy)]
    assert chains[0].identity() == chains[1].identity()
    with (copy.include / "verilated.h").open("a") as header:
        header.write("// changed\n")
    toolchain._contents.cache_clear()
    assert chains[0].identity() != chains[1].identity()


def test_counts_of_synthesis_are_made_again(own):
    uses = {"top": Use(*range(9))}
    for harm in HARMS:
        yosys.store("key", uses)
        assert yosys.cached("key") == uses
        harm(own / "synth" / "key" / yosys.USES, random.Random(2))
        assert yosys.cached("key") is None
    yosys.store("key", uses)
    assert yosys.cached("key") == uses


def test_what_killed_processes_left_goes_at_the_next_entry(own):
    def work(hold):
        def make(folder):
            (folder / "half").write_text("x")
            hold()

        cache.entry("synth", "key", make)

    with holding(work) as number:
        kill(number)
    assert len(list((own / "synth").iterdir())) == 2  # the partial entry and a lock file
    cache.entry("synth", "other", two_files())
    cache.entry("synth", "key", two_files())
    assert sorted(path.name for path in (own / "synth").iterdir()) == ["key", "other"]


def test_processes_that_want_the_same_make_it_once(own, tmp_path):
    log = tmp_path / "log"

    def make(folder):
        with log.open("a") as stream:
            stream.write("made\n")
        time.sleep(0.3)
        two_files()(folder)

    def work():
        return int(len(content(cache.entry("synth", "key", make))) != 3)

    assert [ended(number) for number in [fork(work) for _ in range(4)]] == [0] * 4
    assert log.read_text() == "made\n"
    assert [path.name for path in (own / "synth").iterdir()] == ["key"]


def test_a_process_that_makes_no_progress_is_not_waited_for_for_ever(own, monkeypatch):
    monkeypatch.setattr(cache, "PATIENCE_S", 0.2)

    def work(hold):
        cache.entry("synth", "key", lambda folder: hold())

    with holding(work):
        assert len(content(cache.entry("synth", "key", two_files()))) == 3


def test_the_first_of_two_stays(own):
    place = own / "synth" / "key"

    def second(folder):
        two_files()(folder)
        shutil.copytree(folder, place)
        (place / cache.MANIFEST).write_text(cache._manifest(place))
        (folder / "one").write_text("second")

    assert (cache.entry("synth", "key", second) / "one").read_bytes() == bytes(range(200))


def test_what_was_used_last_is_kept(own, monkeypatch):
    monkeypatch.setitem(cache.LIMITS, "synth", 3)
    for age, key in enumerate("abcd"):
        cache.entry("synth", key, two_files())
        os.utime(own / "synth" / key, (1000 + age, 1000 + age))
    assert sorted(path.name for path in (own / "synth").iterdir()) == ["b", "c", "d"]
    cache.entry("synth", "b", two_files())  # is used
    cache.entry("synth", "e", two_files())
    assert sorted(path.name for path in (own / "synth").iterdir()) == ["b", "d", "e"]


def test_a_failure_leaves_nothing(own):
    def make(folder):
        (folder / "half").write_text("x")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cache.entry("synth", "key", make)
    with pytest.raises(UserError) as error:
        cache.entry("synth", "key", lambda folder: Path("/dev/full").write_text("x"))
    assert str(error.value) == (
        f"cannot write the cache folder {own}: No space left on device; free space there or name "
        "another folder with XDG_CACHE_HOME"
    )
    assert list((own / "synth").iterdir()) == []


def test_where_the_cache_is(monkeypatch, tmp_path):
    assert cache.folder() == tmp_path / "cache" / "bonn_hw"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder() == tmp_path / ".cache" / "bonn_hw"


def test_keys_tell_parts_apart():
    keys = [
        cache.digest(*parts) for parts in ((), ("",), ("a", "b"), ("ab",), ("b", "a"), (b"ab",))
    ]
    assert len(set(keys)) == 5 and keys[3] == keys[5]


def test_the_codes_digest_changes_with_the_code(monkeypatch, tmp_path):
    (tmp_path / "cache.py").write_text("")
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "cache.py"))
    digests = []
    for text in ("x = 1", "x = 2", "x = 1"):
        (tmp_path / "cost.py").write_text(text)
        cache.code.cache_clear()
        digests.append(cache.code())
    cache.code.cache_clear()
    assert digests[0] == digests[2] != digests[1]
