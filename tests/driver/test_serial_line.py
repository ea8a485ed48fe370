# SPDX-License-Identifier: BSD-3-Clause
"""The driver of a board with a serial line, against the RTL: bit times, breaks, cut-off frames."""

import numpy as np
import pytest

from bonn_hw import pipeline
from bonn_hw.bitstream.pack import pack
from bonn_hw.boards import board
from bonn_hw.driver import Accelerator, AcceleratorError, SerialAccelerator
from bonn_hw.emit.serial import emit_serial
from tests.support.serial_line import SimulatedPort, bits_of
from tests.support.sketch import Sketch

pytestmark = pytest.mark.rtl


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serial")
    sketch = Sketch(2, 4, 4).quant(6, scale=0.25).sign().conv(2, 2, pads=[1] * 4)
    model = sketch.sign().flatten().few_bit_dense(32, 3).write(folder)
    target = pipeline.Target(board("pynq-z2"), 25.0, 10_000)
    pipeline.compile_model(model, target, folder / "build")
    return pipeline.Build.load(folder / "build")


@pytest.fixture(scope="module")
def bitstream(build, tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    (folder / "made").mkdir()
    (folder / "made" / "small.bit").touch()
    pack(
        build.design,
        build.host,
        build.report,
        folder / "board",
        "small",
        folder / "made",
        baud=1_000_000,
    )
    return folder / "board" / "small.bit"


def images(count):
    return np.random.default_rng(1).normal(size=(count, 2, 4, 4)).astype(np.float32)


def expected(build, frames):
    return build.host.decode(build.design.graph.run(build.host.encode(frames)))


@pytest.mark.parametrize("off", [-0.02, 0.0, 0.02])
def test_answers_are_equal_whatever_the_clocks_differ(build, bitstream, off):
    """Two percent are what two crystals and dividers never differ by."""
    frames = images(3)
    port = SimulatedPort(build.design, patience=20_000, off=off)
    with SerialAccelerator(bitstream, port, check=off == 0.0) as accelerator:
        np.testing.assert_array_equal(accelerator.predict(frames), expected(build, frames))
        one = accelerator.classify(frames)
        np.testing.assert_array_equal(one, expected(build, frames).reshape(3, -1).argmax(axis=1))
    assert port.closed


def test_a_break_ends_a_frame_that_was_cut_off(build, bitstream):
    frames = images(2)
    port = SimulatedPort(build.design, patience=20_000)
    with SerialAccelerator(bitstream, port, check=False) as accelerator:
        size = accelerator.metadata.input.frame_bytes
        for sent in range(0, size, 3):
            port.write(b"F" + b"\x55" * sent)
            accelerator.reset()
            np.testing.assert_array_equal(accelerator.predict(frames), expected(build, frames))


def test_noise_is_no_byte(build, bitstream):
    """A short dip, bytes that are no command and one without a stop bit."""
    port = SimulatedPort(build.design, patience=20_000)
    with SerialAccelerator(bitstream, port, check=False) as accelerator:
        port.levels += [np.zeros(8, np.uint8), np.ones(60, np.uint8)]
        port.write(b"\x00\xffxfi")
        bad = [bit for bit in (0, *bits_of(ord("F")), 0) for _ in range(25)]
        port.levels += [np.array(bad, np.uint8), np.ones(300, np.uint8)]
        np.testing.assert_array_equal(accelerator.predict(images(1)), expected(build, images(1)))


class Silent:
    """A port with nothing at its other end, or something else."""

    def __init__(self, answer=b""):
        self.answer, self.breaks, self.timeout, self.closed = answer, 0, None, False

    def write(self, data):
        return len(data)

    def read(self, count):
        return self.answer[:count]

    def send_break(self, duration=0.25):
        self.breaks += 1

    def reset_input_buffer(self):
        pass

    def close(self):
        self.closed = True


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "the board sent 0 of 16 bytes: check that it is loaded"),
        (b"\x01" * 16, "the bitstream is of design 010101010101, the metadata of"),
    ],
)
def test_another_end_of_the_line(bitstream, answer, message):
    port = Silent(answer)
    with pytest.raises(AcceleratorError, match=message):
        SerialAccelerator(bitstream, port)
    assert port.closed
    assert port.breaks


def test_a_port_that_is_not_there(bitstream):
    with pytest.raises(AcceleratorError, match=r"pyserial' is not installed|cannot be opened"):
        SerialAccelerator(bitstream, "/dev/no-such-line")


def test_bitstreams_of_other_boards(build, tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "a.bit").touch()
    pack(build.design, build.host, build.report, tmp_path / "b", "a", tmp_path / "made", 0x40000000)
    with pytest.raises(AcceleratorError, match="is for the board pynq-z2: use Accelerator"):
        SerialAccelerator(tmp_path / "b" / "a.bit", Silent())


def test_the_other_driver_says_so(bitstream):
    with pytest.raises(AcceleratorError, match="has a serial line: use SerialAccelerator"):
        Accelerator(bitstream)


def test_clocks_that_do_not_divide(build):
    with pytest.raises(ValueError, match="not a multiple of 1000000 bits per second"):
        emit_serial(build.design, 33.3)
