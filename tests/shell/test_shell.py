# SPDX-License-Identifier: BSD-3-Clause
"""The shell around small accelerators, on a simulated bus: answers, counters, faults."""

import shutil

import numpy as np
import pytest

from bonn_hw import pipeline
from bonn_hw.board_sim import BrokenRule, SimulatedBoard
from bonn_hw.boards import board
from bonn_hw.emit.system import Slots, digest, emit_system
from bonn_hw.emit.top import emit
from bonn_hw.emit.write import templates_folder
from bonn_hw.ir.stream import pack
from tests.support.checks import checked
from tests.support.sketch import Sketch

pytestmark = pytest.mark.rtl

MAGIC, INTERFACE, HASH, SHAPES, CLOCK_KHZ = 0x00, 0x04, 0x08, 0x18, 0x34
CONTROL, STATUS, INTERRUPT, ERRORS = 0x40, 0x44, 0x48, 0x4C
IN_ADDRESS, OUT_ADDRESS, FRAMES, WATCHDOG = 0x50, 0x58, 0x60, 0x64
FRAMES_IN, FRAMES_OUT, CYCLES, FIRST, LAST, STALLED = 0x68, 0x6C, 0x70, 0x78, 0x7C, 0x80
STREAM = 0x400
BUSY, DONE, ERROR, RESETS = 1, 2, 4, 8
READ_ERROR, WRITE_ERROR, WATCHDOG_BIT, REFUSED = 1, 2, 4, 8
IMAGES, ANSWERS = 0x1000 - 64, 0x9000 - 8  # bursts meet the ends of pages
MANY = 40


class Bench:
    """A design, its frames in memory, its answers as integers."""

    def __init__(self, build, frames):
        self.build, self.design = build, build.design
        self.project = checked(emit_system(build.design, 100.0), build.design)
        self.taken = Slots.of(self.project.source)
        self.given = Slots.of(self.project.sink)
        source = self.project.source
        images = np.random.default_rng(0).normal(size=(frames, *build.host.input_shape))
        codes = build.host.encode(images.astype(np.float32))
        beats = pack(codes, source.lanes, source.element)
        octets = beats.view(np.uint8).reshape(frames, source.beats, -1)
        used = min(octets.shape[2], self.taken.slot)
        slots = np.full((frames, source.beats, self.taken.slot), 0xA5, np.uint8)
        slots[:, :, :used] = octets[:, :, :used]
        whole = np.full((frames, 8 * self.taken.words), 0x5A, np.uint8)
        whole[:, : source.beats * self.taken.slot] = slots.reshape(frames, -1)
        self.memory = whole.tobytes()
        self.integers = build.design.graph.run(codes.reshape(frames, *self._shape("input")))

    def _shape(self, side):
        graph = self.design.graph
        return graph.tensors[getattr(graph, side)].shape

    def answers(self, board, frames):
        """What stands in memory, as integers ``(frames, beats * lanes)``."""
        sink = self.project.sink
        raw = np.frombuffer(board.load(ANSWERS, 8 * self.given.words * frames), np.uint8)
        slots = raw.reshape(frames, -1)[:, : sink.beats * self.given.slot]
        bits = np.unpackbits(slots.reshape(frames, sink.beats, -1), axis=2, bitorder="little")
        assert not bits[:, :, sink.width :].any()
        lanes = bits[:, :, : sink.width].reshape(frames, -1, sink.element.bits).astype(np.int64)
        values = (lanes << np.arange(sink.element.bits)).sum(axis=2)
        if sink.element.bipolar:
            return 2 * values - 1
        if sink.element.signed:
            values -= (values >> sink.element.bits - 1) << sink.element.bits
        return values

    def start(self, board, frames, watchdog=20_000):
        board.store(IMAGES, self.memory)
        board.store(ANSWERS, bytes(8 * self.given.words * MANY))
        for offset, value in (
            (IN_ADDRESS, IMAGES),
            (OUT_ADDRESS, ANSWERS),
            (FRAMES, frames),
            (WATCHDOG, watchdog),
            (INTERRUPT, 1),
            (CONTROL, 1),
        ):
            board.write(offset, value)

    def run(self, board, frames=MANY):
        """A whole run, and that its answers are right."""
        self.start(board, frames)
        board.advance(1_000_000)
        assert board.read(STATUS) == DONE
        assert board.read(ERRORS) == 0
        assert (board.read(FRAMES_IN), board.read(FRAMES_OUT)) == (frames, frames)
        wanted = self.integers[:frames].reshape(frames, -1)
        np.testing.assert_array_equal(self.answers(board, frames), wanted)


def settle(machine):
    """Let a reset or the end of a run come to its end; time stops at an interrupt."""
    machine.write(INTERRUPT, 0)
    machine.advance(3000)


def few_bits(folder):
    """Beats of two bits in, of 24 out: parts of words, a word that is not full."""
    sketch = Sketch(2, 4, 4).quant(6, scale=0.25).sign().conv(2, 2, pads=[1] * 4)
    return sketch.sign().flatten().few_bit_dense(32, 3).write(folder)


def wide(folder):
    """Beats of 128 bits in, of 90 or so out: slots of two words."""
    sketch = Sketch(16, 2, 2).quant(8).conv(12, 16, (2, 2))
    return sketch.write(folder)


@pytest.fixture(scope="module", params=[few_bits, wide], ids=lambda make: make.__name__)
def bench(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shell")
    rate = 100e6 / (144 if request.param is few_bits else 4)
    target = pipeline.Target(board("pynq-z2"), 100.0, rate)
    pipeline.compile_model(request.param(folder), target, folder / "build")
    return Bench(pipeline.Build.load(folder / "build"), MANY)


@pytest.fixture(scope="module")
def machine(bench):
    with SimulatedBoard(bench.project) as machine:
        yield machine


@pytest.fixture(autouse=True)
def calm(request):
    if "machine" in request.fixturenames:
        machine = request.getfixturevalue("machine")
        machine.disturb(0)
        machine.write(CONTROL, 2)
        settle(machine)


def test_it_says_what_it_is(bench, machine):
    assert (machine.read(MAGIC), machine.read(INTERFACE)) == (0x424F4E4E, 1)
    told = "".join(f"{machine.read(HASH + 4 * place):08x}" for place in range(4))
    assert told == digest(emit(bench.design, watched=True))[:32]
    source, sink = bench.project.source, bench.project.sink
    wanted = [source.beats, sink.beats, bench.taken.slot, bench.given.slot]
    wanted += [8 * bench.taken.words, 8 * bench.given.words, len(bench.design.streams)]
    assert [machine.read(SHAPES + 4 * place) for place in range(7)] == wanted
    assert machine.read(CLOCK_KHZ) == 100_000
    for offset in (0x38, 0x3C, 0x54, 0x5C, 0x84, 0x100, 0x3FC, STREAM + 8 * wanted[-1], 0xFFC):
        assert machine.read(offset) == 0


def test_answers_and_cycles_are_those_of_the_accelerator(bench, machine):
    bench.run(machine)
    first, last = machine.read(FIRST), machine.read(LAST)
    interval = bench.build.report.cycles_per_frame.predicted
    interval = max(interval, bench.taken.words, bench.given.words)  # a word a cycle
    assert last - first == interval * (MANY - 1)
    assert last < machine.read(CYCLES) < last + 100


def test_streams_are_counted(bench, machine):
    bench.run(machine)
    cycles, beats = machine.read(CYCLES), bench.project.source.beats * MANY
    waiting, empty = machine.read(STREAM), machine.read(STREAM + 4)
    # In every cycle the first stream moves a beat, or has one that waits, or wants one, or neither.
    assert beats <= cycles - waiting - empty <= cycles
    last = STREAM + 8 * (len(bench.design.streams) - 1)
    assert machine.read(last) == 0  # memory takes what comes
    assert machine.read(last + 4) <= cycles - bench.project.sink.beats * MANY


@pytest.mark.parametrize("seed", range(6))
def test_slow_memory_changes_no_answer(bench, machine, seed):
    machine.disturb(seed, latency=(0, 3, 40, 200)[seed % 4], gaps=(0, 300, 700)[seed % 3])
    bench.run(machine, frames=1 + 13 * seed % MANY)


@pytest.mark.parametrize("seed", range(4))
def test_an_error_of_the_bus_ends_the_run(bench, machine, seed):
    machine.disturb(seed, latency=20, gaps=100, errors=1000 if seed < 2 else 150)
    bench.start(machine, MANY)
    machine.advance(1_000_000)
    status, errors = machine.read(STATUS), machine.read(ERRORS)
    assert status & ERROR and errors & (READ_ERROR | WRITE_ERROR), (status, errors)
    settle(machine)
    machine.disturb(seed)
    assert machine.read(STATUS) & (BUSY | RESETS) == 0
    bench.run(machine)


@pytest.mark.parametrize("seed", range(12))
def test_a_reset_in_mid_frame_leaves_nothing(bench, machine, seed):
    machine.disturb(seed, latency=30 * (seed % 3), gaps=200 * (seed % 2))
    bench.start(machine, MANY)
    machine.advance(41 * seed)
    machine.write(CONTROL, 2)
    settle(machine)
    assert machine.read(STATUS) == 0
    bench.run(machine)


def test_the_watchdog_bites(bench, machine):
    machine.disturb(0, gaps=1000)
    bench.start(machine, MANY, watchdog=500)
    machine.advance(5000)
    assert machine.read(ERRORS) == WATCHDOG_BIT
    assert machine.read(STATUS) & ERROR
    assert machine.read(STALLED) == 0xFFFFFFFF  # nothing came, so nothing waits
    machine.disturb(0)
    settle(machine)
    bench.run(machine)


def test_the_watchdog_may_be_set_in_a_run(bench, machine):
    """It begins to count then; a run without one has nothing left that would end it at once."""
    bench.start(machine, MANY, watchdog=0)
    for turn in range(10):
        machine.advance(5)
        machine.write(WATCHDOG, 20_000 if turn % 2 else 0)
    assert machine.read(STATUS) & (DONE | ERROR) == 0  # it still runs
    machine.advance(1_000_000)
    assert (machine.read(STATUS), machine.read(ERRORS)) == (DONE, 0)


@pytest.mark.parametrize("bench", [few_bits], indirect=True, ids=["few_bits"])
@pytest.mark.parametrize(
    ("file", "ours", "wrong", "message"),
    [
        ("memory_reader.sv", "4'(words - 5'd1)", "4'd15", "a read burst crosses 4 KiB"),
        ("memory_writer.sv", "4'(words - 5'd1)", "4'd15", "a write burst crosses 4 KiB"),
        ("memory_writer.sv", "sent_words_q == 5'd1", "1'b0", "wrongly called the last"),
        ("memory_reader.sv", "if (!m_axi_arvalid || m_axi_arready) m_axi_arvalid", "m_axi_arvalid",
         "a read burst was taken back"),
    ],
)  # fmt: skip
def test_rules_of_axi_are_looked_after(bench, tmp_path, file, ours, wrong, message):
    """Each of these faults in the RTL is caught."""
    templates = shutil.copytree(templates_folder(), tmp_path / "rtl")
    source = templates / "shell" / file
    text = source.read_text()
    assert ours in text
    source.write_text(text.replace(ours, wrong))
    with SimulatedBoard(bench.project, templates) as board:
        settle(board)
        board.disturb(0, gaps=400)
        with pytest.raises(BrokenRule, match=message):
            bench.run(board)


def test_a_start_that_makes_no_sense_is_refused(bench, machine):
    bench.run(machine, 1)
    for offset, value, good in ((IN_ADDRESS, 4, 0), (OUT_ADDRESS, 1, 0), (FRAMES, 0, 1)):
        machine.write(offset, value)
        machine.write(CONTROL, 1)
        assert machine.read(ERRORS) == REFUSED
        assert machine.read(STATUS) & BUSY == 0
        machine.write(ERRORS, REFUSED)
        machine.write(offset, good)
    assert machine.read(ERRORS) == 0
    bench.start(machine, MANY)
    machine.write(CONTROL, 1)  # while busy
    machine.advance(1_000_000)
    assert (machine.read(STATUS), machine.read(ERRORS)) == (DONE, REFUSED)


@pytest.mark.parametrize("frames", [1, 2, MANY + 5])
def test_frames_are_written_for_the_next_run_while_one_goes_on(bench, machine, frames):
    """Less than what is already written, less than the rest, and more: the run is the same."""
    bench.start(machine, MANY)
    while machine.read(FRAMES_OUT) == 0:
        machine.advance(20)
    machine.write(FRAMES, frames)
    machine.advance(1_000_000)
    assert (machine.read(STATUS), machine.read(ERRORS)) == (DONE, 0)
    assert machine.read(FRAMES_OUT) == MANY
    wanted = bench.integers[:MANY].reshape(MANY, -1)
    np.testing.assert_array_equal(bench.answers(machine, MANY), wanted)
    assert machine.read(FRAMES) == frames


def test_an_address_outside_of_memory(bench, machine):
    bench.start(machine, MANY)
    machine.write(CONTROL, 2)
    settle(machine)
    machine.write(OUT_ADDRESS, 0xF000_0000)
    machine.write(CONTROL, 1)
    machine.advance(100_000)
    assert machine.read(ERRORS) == WRITE_ERROR
    settle(machine)
    bench.run(machine)
