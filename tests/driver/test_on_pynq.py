# SPDX-License-Identifier: BSD-3-Clause
"""The driver's own way onto a board, through an API as strict as pynq's; and faults by name."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bonn_hw import pipeline
from bonn_hw.bitstream.pack import pack
from bonn_hw.board_sim import SimulatedBoard, SimulatedMachine
from bonn_hw.boards import BOARDS, board
from bonn_hw.driver import Accelerator, AcceleratorError, machine
from bonn_hw.driver import registers as reg
from bonn_hw.emit.system import emit_system
from tests.support.checks import checked
from tests.support.fake_board import FakeBoard, fake_pynq
from tests.support.sketch import Sketch


def small(channels, bits=6, signs=True):
    """A network with padding; its answers are a few sums."""
    sketch = Sketch(channels, 4, 4).quant(bits, scale=0.25)
    sketch = (sketch.sign() if signs else sketch).conv(2, channels, pads=[1] * 4)
    return sketch.sign().flatten().few_bit_dense(32, 3)


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pynq")
    target = pipeline.Target(board("pynq-z2"), 100.0, 500_000)
    pipeline.compile_model(small(2).write(folder), target, folder / "build")
    return pipeline.Build.load(folder / "build")


@pytest.fixture
def bitstream(build, tmp_path):
    """A packed folder, as it would be copied."""
    made = tmp_path / "made"
    made.mkdir()
    for suffix in (".bit", ".hwh"):
        (made / f"cnv{suffix}").touch()
    pack(build.design, build.host, build.report, tmp_path / "board", "cnv", made)
    return tmp_path / "board" / "cnv.bit"


@pytest.fixture
def fake(build, monkeypatch):
    """A fake board, with this process on it."""
    made = FakeBoard(build.design)
    made.pynq = fake_pynq(made)
    monkeypatch.setitem(sys.modules, "pynq", made.pynq)
    monkeypatch.setenv("BOARD", "Pynq-Z2")
    return made


DRIVER = Path(machine.__file__).parent


def images(count):
    return np.random.default_rng(0).normal(size=(count, 2, 4, 4)).astype(np.float32)


def expected(build, frames):
    return build.host.decode(build.design.graph.run(build.host.encode(frames)))


def test_answers_through_pynq(build, bitstream, fake):
    frames = images(40)
    with Accelerator(str(bitstream), batch=16) as accelerator:
        np.testing.assert_array_equal(accelerator.predict(frames), expected(build, frames))
        assert fake.pynq.Clocks.fclk0_mhz == 100.0
    assert fake.pynq.loaded == [str(bitstream)]
    assert all(buffer.freed for buffer in fake.pynq.buffers)


def test_a_bitstream_of_the_open_tools(build, fake, tmp_path):
    """It has no .hwh: it is loaded alone, and memory's port made 64 bits wide."""
    made = tmp_path / "made"
    made.mkdir()
    (made / "cnv.bit").touch()
    pack(build.design, build.host, build.report, tmp_path / "board", "cnv", made, 0x40000000)
    frames = images(20)
    with Accelerator(tmp_path / "board" / "cnv.bit") as accelerator:
        np.testing.assert_array_equal(accelerator.predict(frames), expected(build, frames))
    assert fake.pynq.loaded == [str(tmp_path / "board" / "cnv.bit")]
    assert fake.pynq.port == {0x00: 0x2, 0x14: 0xF00}
    assert fake.pynq.Clocks.fclk0_mhz == 100.0


@pytest.mark.rtl
def test_answers_through_pynq_of_the_rtl(build, bitstream, fake, monkeypatch):
    """The code that ships, down to the shell's RTL: only pynq itself is not the real one."""
    frames = images(40)
    with SimulatedBoard(checked(emit_system(build.design, 100.0), build.design)) as simulated:
        monkeypatch.setitem(sys.modules, "pynq", fake_pynq(simulated))
        # The driver waits by the wall clock, and the simulated shell is slower than the board.
        monkeypatch.setattr("bonn_hw.driver.accelerator.PATIENCE", 8_000)
        with Accelerator(bitstream, batch=16) as accelerator:
            np.testing.assert_array_equal(accelerator.predict(frames), expected(build, frames))
            told = accelerator.benchmark()
    assert told["interval_cycles"] == build.report.cycles_per_frame.predicted


@pytest.mark.parametrize(
    ("channels", "bits", "signs", "slot"),
    [(1, 8, True, 1), (1, 7, False, 1), (3, 4, False, 2), (5, 6, False, 4), (7, 8, False, 8)]
    + [(9, 8, False, 16), (13, 11, False, 24)],
)
def test_every_width_of_a_beat(channels, bits, signs, slot, tmp_path):
    """Slots of one byte up to more than eight: the board's packing is not the driver's."""
    model = small(channels, bits, signs).write(tmp_path)
    target = pipeline.Target(board("pynq-z2"), 100.0, 2_000_000)
    pipeline.compile_model(model, target, tmp_path / "build")
    build = pipeline.Build.load(tmp_path / "build")
    pack(build.design, build.host, build.report, tmp_path / "board", "cnv")
    frames = np.random.default_rng(1).normal(size=(5, channels, 4, 4)).astype(np.float32)
    on_board = SimulatedMachine(FakeBoard(build.design))
    with Accelerator(tmp_path / "board" / "cnv.bit", on_board, batch=3) as accelerator:
        assert accelerator.metadata.input.slot == slot
        np.testing.assert_array_equal(accelerator.predict(frames), expected(build, frames))


def test_a_second_accelerator_in_the_same_process(build, bitstream, fake):
    for _ in range(3):
        accelerator = Accelerator(bitstream, batch=8)
        np.testing.assert_array_equal(accelerator.predict(images(9)), expected(build, images(9)))
        accelerator.close()
        accelerator.close()
        with pytest.raises(AcceleratorError, match="is closed: make another Accelerator"):
            accelerator.predict(images(1))


@pytest.mark.parametrize("place", [0, 1, -2])
def test_the_stream_that_stalled_is_named(build, bitstream, fake, place):
    place %= len(build.design.streams)
    stream = build.design.streams[place]
    name = f"{stream.source or 'input'} -> {stream.sink or 'output'}"
    with Accelerator(bitstream) as accelerator:
        fake.fault = f"stalled {place}"
        with pytest.raises(AcceleratorError) as caught:
            accelerator.predict(images(3))
        assert f"data wait in stream {name}:" in str(caught.value)
        np.testing.assert_array_equal(accelerator.predict(images(3)), expected(build, images(3)))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("read", "answered a read of the images with an error: .*; 0 of 3 frames were done"),
        ("write", "answered a write of the answers with an error"),
        ("stalled -1", "no data wait inside: memory does not answer"),
    ],
)
def test_faults_by_name(build, bitstream, fake, fault, message):
    with Accelerator(bitstream) as accelerator:
        fake.fault = fault
        with pytest.raises(AcceleratorError, match=message):
            accelerator.predict(images(3))
        np.testing.assert_array_equal(accelerator.predict(images(3)), expected(build, images(3)))


def test_a_run_without_an_end(build, bitstream, fake):
    """On the clock of the wall: the limit is a few milliseconds of predicted time."""
    with Accelerator(bitstream) as accelerator:
        fake.fault = "silent"
        with pytest.raises(AcceleratorError, match="takes much longer than predicted"):
            accelerator.predict(images(3))
        fake.fault = ""
        np.testing.assert_array_equal(accelerator.predict(images(3)), expected(build, images(3)))


def test_a_run_that_the_user_breaks_off(build, bitstream, fake, monkeypatch):
    """Ctrl-C: the accelerator is reset before its memory is free for others."""

    def broken(self):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Accelerator(bitstream) as accelerator:
        fake.fault = "silent"
        with monkeypatch.context() as patch:
            patch.setattr(machine.PynqMachine, "wait", broken)
            accelerator.predict(images(3))
    assert not fake.busy
    assert all(buffer.freed for buffer in fake.pynq.buffers)
    fake.fault = ""
    with Accelerator(bitstream) as accelerator:
        np.testing.assert_array_equal(accelerator.predict(images(3)), expected(build, images(3)))


def test_a_reset_that_fails_does_not_hide_why(bitstream, fake, monkeypatch):
    with Accelerator(bitstream) as accelerator:
        fake.fault = "read"
        real = fake.write

        def stuck(offset, value):
            if (offset, value) == (reg.CONTROL, reg.RESET):
                fake.registers[reg.STATUS] = reg.RESETTING
            else:
                real(offset, value)

        monkeypatch.setattr(fake, "write", stuck)
        with pytest.raises(AcceleratorError, match=r"a read of the images .*; reset: memory"):
            accelerator.predict(images(3))


@pytest.mark.parametrize("here", ["Pynq-Z1", "ZCU104", "Ultra96"])
def test_another_board(bitstream, fake, monkeypatch, here):
    monkeypatch.setenv("BOARD", here)
    message = f"is for the board pynq-z2, this one is {here}: make one with 'bonn-hw bitstream"
    with pytest.raises(AcceleratorError, match=message):
        Accelerator(bitstream)
    assert not fake.pynq.loaded


@pytest.mark.parametrize("here", ["Pynq-Z2", "PYNQ-Z2", "Unknown", ""])
def test_the_right_board_or_one_without_a_name(bitstream, fake, monkeypatch, tmp_path, here):
    monkeypatch.setenv("BOARD", here)
    monkeypatch.setattr(machine, "BOARD_FILE", tmp_path / "none")
    Accelerator(bitstream).close()


def test_the_board_by_its_device_tree(bitstream, fake, monkeypatch, tmp_path):
    monkeypatch.delenv("BOARD")
    monkeypatch.setattr(machine, "BOARD_FILE", tmp_path / "pynq_board")
    (tmp_path / "pynq_board").write_bytes(b"Pynq-Z2\0")
    Accelerator(bitstream).close()
    (tmp_path / "pynq_board").write_bytes(b"KV260\0")
    with pytest.raises(AcceleratorError, match="this one is KV260"):
        Accelerator(bitstream)


@pytest.mark.parametrize(
    ("here", "name"),
    [
        ("Pynq-Z1", "pynq-z1"),
        ("Ultra96", "ultra96-v2"),
        ("KV260", "kv260"),
        ("AUP-ZU3-8GB", "aup-zu3"),
        ("ZCU104", "zcu104"),
        ("ZCU111", "zcu111"),
        ("RFSoC4x2", "rfsoc4x2"),
    ],
)
def test_names_that_images_give_their_boards(monkeypatch, here, name):
    """Each is that board and no other of ours."""
    monkeypatch.setenv("BOARD", here)
    machine._check_board(name)
    for other in BOARDS.keys() - {name}:
        with pytest.raises(AcceleratorError):
            machine._check_board(other)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (OSError, "libxrt_core.so: cannot open", r"\(OSError: libxrt_core\.so: cannot open\): XRT"),
        (PermissionError, "denied", r"\(PermissionError: denied\)"),
        (TypeError, "bad operand", r"cannot load the bitstream \(TypeError: bad operand\): copy"),
    ],
)
def test_errors_of_pynq_end_in_one_sentence(bitstream, fake, monkeypatch, kind, text, message):
    def broken(name):
        raise kind(text)

    monkeypatch.setattr(fake.pynq, "Overlay", broken)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    if kind is TypeError:
        monkeypatch.setenv("XILINX_XRT", "/usr")
    else:
        monkeypatch.delenv("XILINX_XRT", raising=False)
    with pytest.raises(AcceleratorError, match=message):
        Accelerator(bitstream)


def test_an_image_that_is_too_old(bitstream, fake):
    fake.pynq.__version__ = "2.7.0"
    with pytest.raises(
        AcceleratorError, match=r"^pynq 2\.7\.0 is too old: write an SD image of PYNQ"
    ):
        Accelerator(bitstream)
    assert not fake.pynq.loaded


def test_a_library_that_pynq_lacks(bitstream, monkeypatch, tmp_path):
    (tmp_path / "pynq.py").write_text("raise OSError('libxrt_core.so.2: cannot open')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pynq", raising=False)
    with pytest.raises(AcceleratorError, match=r"^pynq cannot use the board \(OSError: libxrt"):
        Accelerator(bitstream)
    (tmp_path / "pynq.py").write_text("import pynq_lacks_this\n")
    with pytest.raises(AcceleratorError, match="No module named 'pynq_lacks_this'"):
        Accelerator(bitstream)


def test_the_driver_is_python_3_8():
    """The oldest image of PYNQ is told so by a sentence, so the driver must be imported there."""
    command = [
        str(Path(sys.executable).with_name("vermin")),
        "--target=3.8-",
        "--no-tips",
        "--violations",
    ]
    command += ["--exclude", "typing.Self", str(DRIVER)]  # for type checkers alone
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    # numpy.typing is younger than that image's NumPy.
    code = "import sys, numpy; sys.modules['numpy.typing'] = None; import driver"
    done = subprocess.run([sys.executable, "-c", code], cwd=DRIVER.parent, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("suffix", [".bit", ".hwh"])
def test_a_file_that_was_not_copied(bitstream, fake, suffix):
    bitstream.with_suffix(suffix).unlink()
    with pytest.raises(AcceleratorError, match=rf"cnv\{suffix} is missing: copy"):
        Accelerator(bitstream)


def test_bitstreams_of_others(build, bitstream, fake, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynq", fake_pynq(fake, ("axi_dma_0", "gpio")))
    with pytest.raises(AcceleratorError, match=r"no block 'accelerator' \(axi_dma_0, gpio\)"):
        Accelerator(bitstream)
    monkeypatch.setitem(sys.modules, "pynq", fake.pynq)
    for offset, value, message in (
        (0x000, 7, "Pynq-Z2 has no accelerator of bonn-hw at its address"),
        (0x004, 2, "the bitstream has interface 2, this driver 1: copy the driver"),
        (0x008, 0xABCDEF01, "is of design abcdef01.*, the metadata of .*: copy both"),
    ):
        monkeypatch.setitem(fake.registers, offset, value)
        with pytest.raises(AcceleratorError, match=message):
            Accelerator(bitstream)
        monkeypatch.undo()
        monkeypatch.setitem(sys.modules, "pynq", fake.pynq)
        monkeypatch.setenv("BOARD", "Pynq-Z2")


@pytest.mark.parametrize("cut", [0, 300])
def test_an_archive_that_was_cut_off(bitstream, fake, cut):
    file = bitstream.with_suffix(".npz")
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(AcceleratorError, match=r"cannot be read .*: copy the whole folder again"):
        Accelerator(bitstream)


def test_metadata_that_lack_something(bitstream, fake):
    file = bitstream.with_suffix(".json")
    facts = json.loads(file.read_text())
    del facts["streams"]
    file.write_text(json.dumps(facts))
    with pytest.raises(AcceleratorError, match="lacks 'streams'"):
        Accelerator(bitstream)
    file.write_text("[]")
    with pytest.raises(AcceleratorError, match="is of version None"):
        Accelerator(bitstream)


@pytest.mark.parametrize("clock", [100.0, 135.0, 144.0, 200.0])
def test_the_clock_is_never_faster_than_the_design(fake, bitstream, monkeypatch, clock):
    """1000 MHz by a whole number: nearest to 135 is 142.9, at which no timing was closed."""
    pynq = fake_pynq(fake, divided=1000.0)
    monkeypatch.setitem(sys.modules, "pynq", pynq)
    made = machine.PynqMachine(bitstream, clock, "pynq-z2")
    assert made.clock_mhz == pynq.Clocks.fclk0_mhz
    assert clock * 0.85 < pynq.Clocks.fclk0_mhz <= clock * 1.001


def test_counters_of_many_streams_and_long_runs(bitstream, fake):
    """The shell watches as many as it says; cycles have 48 bits."""
    with Accelerator(bitstream) as accelerator:
        fake.registers[0x030] = 2
        told = accelerator.benchmark(4)
        assert (told["frames"], told["cycles"]) == (4, (3 << 32) + 1000)
        assert len(told["streams"]) == 2
        with pytest.raises(AcceleratorError, match="frames -1 must be at least 1"):
            accelerator.benchmark(-1)
