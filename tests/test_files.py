# SPDX-License-Identifier: BSD-3-Clause
"""Files and folders that are whole or not there: kills, other writers, links, a full disk."""

import os
import tempfile
import threading
import time
from pathlib import Path

import pytest

from bonn_hw import files
from bonn_hw.errors import UserError
from bonn_hw.files import locks
from tests.support.processes import ended, fork, holding, kill


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fill(folder, text, count=12):
    for place in range(count):
        (folder / f"{place}").write_text(text)
    (folder / files.MARK).write_text(text)


def build(target, text="old"):
    with files.fresh_folder(target) as folder:
        fill(folder, text)
    return target


def texts(folder):
    return {path.read_text() for path in folder.iterdir()}


# -- files -----------------------------------------------------------------------------------------


def test_a_file_appears_whole_with_the_usual_permissions(tmp_path):
    target = tmp_path / "deep" / "s.json"
    with files.fresh_file(target) as partial:
        partial.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert names(target.parent) == ["s.json"]
    mask = os.umask(0)
    os.umask(mask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_failure_leaves_the_earlier_file(tmp_path):
    target = tmp_path / "s.json"
    target.write_text("old")
    with pytest.raises(RuntimeError), files.fresh_file(target) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old" and names(tmp_path) == ["s.json"]


def test_two_writers_at_once_and_the_last_wins(tmp_path):
    target = tmp_path / "s.json"
    with files.fresh_file(target) as one:
        one.write_text("one" * 1000)
        with files.fresh_file(target) as two:
            assert one != two and one.exists()
            two.write_text("two")
        assert target.read_text() == "two"
    assert target.read_text() == "one" * 1000 and names(tmp_path) == ["s.json"]


def test_a_link_is_replaced_and_not_followed(tmp_path):
    victim, target = tmp_path / "victim", tmp_path / "s.json"
    victim.write_text("precious")
    target.symlink_to(victim)
    (tmp_path / ".s.json.partial").symlink_to(victim)  # a name that was used once
    with files.fresh_file(target) as partial:
        partial.write_text("report")
    assert victim.read_text() == "precious"
    assert target.read_text() == "report" and not target.is_symlink()


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(UserError) as error, files.fresh_file(tmp_path):
        pass
    assert str(error.value) == f"{tmp_path} is a folder: it is left as it is; name a file"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with (
        pytest.raises(UserError, match="is not a regular file: it is left"),
        files.fresh_file(fifo),
    ):
        pass
    assert names(tmp_path) == ["fifo"]


def test_a_full_disk_is_told(tmp_path):
    target = build(tmp_path / "out")
    for fresh in (files.fresh_file(tmp_path / "s.json"), files.fresh_folder(target)):
        with pytest.raises(UserError, match="No space left on device; what was there"), fresh:
            Path("/dev/full").write_text("x")
    assert names(tmp_path) == ["out"] and texts(target) == {"old"}


def test_contents_are_on_the_disk_before_they_get_their_name(tmp_path, monkeypatch):
    target, synced, real = tmp_path / "out", [], os.fsync

    def fsync(descriptor):
        synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), target.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with files.fresh_folder(target) as partial:
        (partial / "deep").mkdir()
        (partial / "deep" / "made").write_text("1")
    before = {Path(path).relative_to(partial).as_posix() for path, there in synced if not there}
    assert before == {".", "deep", "deep/made"}
    assert [path for path, there in synced if there] == [str(tmp_path)]


# -- folders ---------------------------------------------------------------------------------------


def test_a_folder_takes_the_place_of_the_earlier_one(tmp_path):
    target = build(tmp_path / "out")
    assert texts(build(target, "new")) == {"new"}
    assert names(tmp_path) == ["out"]


def test_a_folder_that_is_a_link_is_refused(tmp_path):
    elsewhere, target = build(tmp_path / "elsewhere"), tmp_path / "out"
    target.symlink_to(elsewhere)
    with pytest.raises(UserError) as error:
        build(target, "new")
    assert str(error.value) == (
        f"{target} is a link to {elsewhere}: links are not followed: name the folder itself"
    )
    assert texts(elsewhere) == {"old"} and target.is_symlink()


def test_a_path_without_a_name_is_the_folder_that_it_leads_to(tmp_path, monkeypatch):
    target = build(tmp_path / "out")
    (target / "inner").mkdir()
    build(target / "inner" / "..", "new")
    assert texts(target) == {"new"} and names(tmp_path) == ["out"]
    monkeypatch.chdir(target)
    build(Path("."), "newer")
    assert texts(target) == {"newer"}


def test_what_is_no_build_is_left(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis").write_text("ten years")
    with pytest.raises(UserError, match=r"exists and is not a build \(it has no report.json\)"):
        build(tmp_path / "out")
    assert names(tmp_path / "out") == ["thesis"] and names(tmp_path) == ["out"]


# -- kills -----------------------------------------------------------------------------------------


def test_what_killed_writers_left_is_cleared_by_the_next(tmp_path):
    target, file = build(tmp_path / "out"), tmp_path / "s.json"

    def work(hold):
        with files.fresh_folder(target) as folder, files.fresh_file(file) as partial:
            fill(folder, "half", 3)
            partial.write_text("half")
            hold()

    with holding(work) as number:
        kill(number)
    left = names(tmp_path)
    assert len(left) == 4 and texts(target) == {"old"}  # two partial ones and a lock beside it
    with files.fresh_file(file) as partial:
        partial.write_text("new")
    assert texts(build(target, "new")) == {"new"}
    assert names(tmp_path) == ["out", "s.json"]


@pytest.mark.parametrize("moment", [0, 1, 2])
def test_a_kill_at_each_moment_of_the_replacement(moment, tmp_path):
    """Before the old folder is moved away, between, and after the new one has its name."""
    target = build(tmp_path / "out")

    def work():
        rename, count = Path.rename, [0]

        def once(path, to):
            if count[0] == moment:
                os.kill(os.getpid(), 9)
            count[0] += 1
            rename(path, to)
            if count[0] == moment == 2:
                os.kill(os.getpid(), 9)

        Path.rename = once
        build(target, "new")

    for mend in (written, read):
        assert ended(fork(work)) == -9
        with holding(mend(target)) as number:
            kill(number)
        assert texts(target) == ({"new"} if moment == 2 else {"old"})
    build(target)
    assert names(tmp_path) == ["out"]


def test_a_failure_to_put_the_new_folder_in_place_brings_the_old_one_back(tmp_path, monkeypatch):
    target, rename = build(tmp_path / "out"), Path.rename

    def refuse(path, to):
        if to == target and ".partial-" in path.name:
            raise OSError(28, "No space left on device")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(UserError, match="No space left on device; what was there before is unch"):
        build(target, "new")
    assert texts(target) == {"old"} and names(tmp_path) == ["out"]


def test_kills_at_any_time_leave_the_old_or_the_new(tmp_path):
    target = build(tmp_path / "out", "0")
    for trial in range(1, 25):
        number = fork(lambda text=str(trial): [build(target, text) for _ in range(100)] and 0)
        time.sleep(0.002 * trial)
        kill(number)
        with pytest.raises(UserError, match="stop"), files.fresh_folder(target):
            raise UserError("stop")
        assert len(texts(target)) == 1 and len(names(target)) == 13
    assert names(tmp_path) == ["out"]


def test_temporary_folders_of_killed_processes_go(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def work(hold):
        with files.scratch() as folder:
            (folder / "big").write_text("x")
            hold()

    with holding(work) as number:
        with files.scratch():
            assert len(names(tmp_path)) == 2  # the other one is in use
        kill(number)
        assert len(names(tmp_path)) == 1
    with files.scratch() as folder:
        assert names(tmp_path) == [folder.name]
    assert names(tmp_path) == []


def test_no_temporary_folder_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="name one with TMPDIR"), files.scratch():
        pass


# -- others at work --------------------------------------------------------------------------------


def written(target):
    def work(hold):
        with files.fresh_folder(target):
            hold()

    return work


def read(target):
    def work(hold):
        with files.reading(target):
            hold()

    return work


@pytest.mark.parametrize(("work", "kind"), [(written, "written"), (read, "read")])
def test_a_folder_in_use_is_named_with_who_uses_it(work, kind, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE_S", 0.2)
    target = build(tmp_path / "out")
    with holding(work(target)) as number:
        with pytest.raises(UserError) as error:
            build(target, "new")
        assert str(error.value) == (
            f"{target} is being {kind} by another bonn-hw (pid {number}): wait for it, or choose "
            "another place (--out)"
        )
        assert texts(target) == {"old"}
        kill(number)  # the lock ends with its process
        assert texts(build(target, "new")) == {"new"}
    assert names(tmp_path) == ["out"]


def test_readers_do_not_hinder_each_other_and_wait_for_a_writer(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE_S", 0.2)
    target = build(tmp_path / "out")
    with holding(read(target)), files.reading(target):
        pass
    with holding(written(target)) as number:
        told = rf"is being written .*\(pid {number}\)"
        with pytest.raises(UserError, match=told), files.reading(target):
            pass
    with files.reading(target), files.reading(target):
        pass
    with files.reading(tmp_path / "nowhere"):
        pass
    build(target)  # and clears what the killed writer left
    assert names(tmp_path) == ["out"]


def test_a_short_write_is_waited_for(tmp_path):
    target = build(tmp_path / "out")
    with holding(written(target)) as number:
        timer = threading.Timer(0.5, kill, (number,))
        timer.start()
        assert texts(build(target, "new")) == {"new"}
        timer.join()


def test_a_lock_is_for_one_and_independent_of_reading(tmp_path):
    target = build(tmp_path / "out")

    def work(hold):
        with files.lock(target):
            hold()

    with files.reading(target), holding(work) as number:
        with pytest.raises(UserError, match=rf"\(pid {number}\)"), files.lock(target, 0.1):
            pass
        kill(number)
        with files.lock(target, 0.1):
            pass
    assert names(tmp_path) == ["out"]


def test_a_lock_file_that_is_none_is_not_followed(tmp_path):
    victim, target = tmp_path / "victim", tmp_path / "out"
    victim.write_text("precious")
    (tmp_path / ".out.use").symlink_to(victim)
    with pytest.raises(UserError, match=r"cannot write .*out: Too many levels of symbolic links"):
        build(target)
    (tmp_path / ".out.use").unlink()
    os.mkfifo(tmp_path / ".out.use")
    with pytest.raises(UserError, match="is not a lock file of bonn-hw: move it away"):
        build(target)
    assert victim.read_text() == "precious"


def test_many_writers_of_one_folder_end_with_one_whole_folder(tmp_path):
    target = tmp_path / "out"

    def work(who):
        for turn in range(10):
            build(target, f"{who}.{turn}")

    numbers = [fork(lambda who=who: work(who)) for who in range(4)]
    assert [ended(number) for number in numbers] == [0] * 4
    assert len(texts(target)) == 1 and len(names(target)) == 13
    assert next(iter(texts(target))).endswith(".9")
    assert names(tmp_path) == ["out"]
