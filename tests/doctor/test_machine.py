# SPDX-License-Identifier: BSD-3-Clause
from bonn_hw.doctor import machine
from bonn_hw.doctor.item import State
from bonn_hw.nn.data.datasets import SOURCES


def test_an_old_python_is_named_with_the_remedy():
    found = machine.python((3, 10, 2))
    assert (found.state, found.found, found.base) == (State.WRONG, "version 3.10.2", True)
    assert found.remedy == "install Python 3.11 or newer and make a new environment with it"
    assert machine.python((3, 11, 0)).state is State.OK


def test_the_processor_s_instructions_are_read(tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text("processor : 0\nflags\t\t: fpu sse avx2 avx512_bf16 avx512fx\n")
    assert machine.processor(info).found.endswith(", avx2 avx512_bf16")
    assert machine.processor(tmp_path / "none").found.endswith(", no known extensions")


def test_the_cache_is_measured_and_tried(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert machine.cache_folder().found == f"{tmp_path}/bonn_hw, 0 MB"  # it is not there yet
    assert not list(tmp_path.iterdir())
    (tmp_path / "bonn_hw" / "synth").mkdir(parents=True)
    (tmp_path / "bonn_hw" / "synth" / "big").write_bytes(bytes(3_000_000))
    assert machine.cache_folder().found == f"{tmp_path}/bonn_hw, 3 MB"

    def refuse(dir):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    wrong = machine.cache_folder()
    assert (wrong.state, wrong.base) == (State.WRONG, True)
    assert wrong.found == f"{tmp_path}/bonn_hw: Read-only file system"
    assert wrong.remedy == "make it writable, or name another folder with XDG_CACHE_HOME"


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert machine.disk(room=0).state is State.OK
    full = machine.disk(room=1 << 62)
    assert full.state is State.WRONG and full.base and "GB free at" in full.found


def test_data_sets_are_found_where_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("BONN_HW_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    *most, last = (file for split in SOURCES["mnist"].files.values() for file in split)
    for file in most:
        (folder / f"{file}.gz").touch()

    def found():
        return {one.name.removeprefix("data: "): one for one in machine.data_sets()}

    assert found()["mnist"].state is State.MISSING  # one of four files is not there
    assert found()["mnist"].remedy.endswith(f", into {tmp_path}/cache/bonn_hw/mnist")
    assert found()["cifar10"].remedy == "bonn-hw setup data cifar10"
    (folder / last).touch()
    assert (found()["mnist"].state, found()["mnist"].found) == (State.OK, str(folder))
    # Digits come with scikit-learn, ImageNet is any folder.
    assert found().keys() == {"fashion-mnist", "mnist", "cifar10", "cifar100"}
