# SPDX-License-Identifier: BSD-3-Clause
"""The shell against a bus that others wrote: cocotb tests with cocotbext-axi's master and slave.

`test_peer` compiles the system, starts this module inside of the simulator and reads the results.
The environment's PEER names a file with frames and their answers, as they lie in memory.
"""

import itertools
import os
import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiResp, AxiSlave
from cocotbext.axi.address_space import Region

with np.load(os.environ["PEER"]) as file:
    FRAMES, ANSWERS, HASH = file["frames"], file["answers"], str(file["hash"])

CONTROL, STATUS, INTERRUPT, ERRORS = 0x40, 0x44, 0x48, 0x4C
IN_ADDRESS, OUT_ADDRESS, COUNT, WATCHDOG = 0x50, 0x58, 0x60, 0x64
FRAMES_IN, FRAMES_OUT = 0x68, 0x6C
START, RESET = 1, 2
BUSY, DONE, ERROR, RESETS = 1, 2, 4, 8
READ_ERROR, WRITE_ERROR, WATCHDOG_BIT, REFUSED = 1, 2, 4, 8
PAGE, GUARD = 4096, 64
OFFSETS = (0, 8, -8, -24, -120, -128, 2040)  # of a buffer from a page's start


class Memory(Region):
    """Memory that answers with an error at one address, and knows what was asked of it."""

    def __init__(self, size):
        super().__init__(size)
        self.data = bytearray(size)
        self.bad_read = self.bad_write = None
        self.asked, self.written = [], []

    async def _read(self, address, length, **_):
        self.asked.append((address, length))
        if self.bad_read in range(address, address + length):
            raise ValueError("a read that is to fail")
        return bytes(self.data[address : address + length])

    async def _write(self, address, data, **_):
        self.written.append((address, len(data)))
        if self.bad_write in range(address, address + len(data)):
            raise ValueError("a write that is to fail")
        self.data[address : address + len(data)] = data


def pauses(seed, share):
    """Bursts of idle cycles."""
    rng = random.Random(seed)
    while True:
        paused = rng.random() < share
        yield from itertools.repeat(
            paused, rng.choice((1, 1, 2, 3, 7, 40) if paused else (1, 2, 9))
        )


async def bursts_stay_in_a_page(dut):
    """No burst crosses 4 KiB or is longer than 16 words of 8 bytes."""
    while True:
        await RisingEdge(dut.aclk)
        await ReadOnly()
        for name in ("ar", "aw"):
            if dut.aresetn.value == 1 and getattr(dut, f"m_axi_{name}valid").value == 1:
                start = int(getattr(dut, f"m_axi_{name}addr").value)
                words = int(getattr(dut, f"m_axi_{name}len").value) + 1
                assert words <= 16 and start % 8 == 0
                assert start // PAGE == (start + 8 * words - 1) // PAGE


class Peer:
    """Clock, bus and memory around the shell."""

    def __init__(self, dut, seed, memory_pauses=0.0, control_pauses=0.0):
        self.dut, self.rng = dut, random.Random(seed)
        cocotb.start_soon(Clock(dut.aclk, 10, "ns").start())
        dut.aresetn.value = 0
        control, memory = (
            AxiLiteBus.from_prefix(dut, "s_axi_ctrl"),
            AxiBus.from_prefix(dut, "m_axi"),
        )
        self.memory = Memory(1 << 20)
        self.control = AxiLiteMaster(control, dut.aclk, dut.aresetn, reset_active_level=False)
        self.slave = AxiSlave(
            memory, dut.aclk, dut.aresetn, target=self.memory, reset_active_level=False
        )
        for master, share in ((self.slave, memory_pauses), (self.control, control_pauses)):
            reads, writes = master.read_if, master.write_if
            for channel in (reads.ar_channel, reads.r_channel, writes.aw_channel,
                            writes.w_channel, writes.b_channel):  # fmt: skip
                if share:
                    channel.set_pause_generator(pauses(self.rng.random(), share))
        cocotb.start_soon(bursts_stay_in_a_page(dut))

    async def begin(self):
        await ClockCycles(self.dut.aclk, 10)
        self.dut.aresetn.value = 1
        await self.settle()
        return self

    async def read(self, offset):
        return await with_timeout(self.control.read_dword(offset), 500, "us")

    async def write(self, offset, value):
        await with_timeout(self.control.write_dword(offset, value), 500, "us")

    async def settle(self):
        for _ in range(400):
            if not await self.read(STATUS) & (BUSY | RESETS):
                return
        raise AssertionError("a reset never ends")

    async def start(self, count, source, target, watchdog=100_000):
        """Frames into memory, guards around the answers, and a run is started."""
        self.count, self.target = count, target
        self.memory.asked.clear()
        self.memory.written.clear()
        self.source = source
        chosen = FRAMES[:count].tobytes()
        self.memory.data[source : source + len(chosen)] = chosen
        size = count * ANSWERS.shape[1]
        guarded = bytes([0xA5]) * (size + 2 * GUARD)
        self.memory.data[target - GUARD : target + size + GUARD] = guarded
        for offset, value in ((ERRORS, 0xF), (IN_ADDRESS, source), (OUT_ADDRESS, target),
                              (COUNT, count), (WATCHDOG, watchdog), (CONTROL, START)):  # fmt: skip
            await self.write(offset, value)

    async def end(self):
        for _ in range(4000):
            status = await self.read(STATUS)
            if status & (DONE | ERROR) and not status & (BUSY | RESETS):
                return status
            await ClockCycles(self.dut.aclk, 50)
        raise AssertionError("a run never ends")

    async def good(self):
        """The run ends well, with the right answers, and nothing else was read or written."""
        assert await self.end() == DONE
        size = self.count * ANSWERS.shape[1]
        found = bytes(self.memory.data[self.target - GUARD : self.target + size + GUARD])
        assert found[GUARD:-GUARD] == ANSWERS[: self.count].tobytes()
        assert found[:GUARD] == found[-GUARD:] == bytes([0xA5]) * GUARD
        for spans, begin, length in (
            (self.memory.asked, self.source, self.count * FRAMES.shape[1]),
            (self.memory.written, self.target, size),
        ):
            assert sum(span for _, span in spans) == length
            assert min(place for place, _ in spans) == begin
            assert max(place + span for place, span in spans) == begin + length
        assert await self.read(FRAMES_IN) == await self.read(FRAMES_OUT) == self.count
        assert await self.read(ERRORS) == 0

    def places(self):
        """A buffer for frames and one for answers, near the ends of pages."""
        source = self.rng.randrange(1, 60) * PAGE + self.rng.choice(OFFSETS)
        return source, 0x80000 + self.rng.randrange(1, 60) * PAGE + self.rng.choice(OFFSETS)


@cocotb.test()
async def registers(dut):
    peer = await Peer(dut, 1, control_pauses=0.4).begin()
    assert await peer.read(0) == 0x424F4E4E
    assert "".join([f"{await peer.read(8 + 4 * i):08x}" for i in range(4)]) == HASH
    written = (IN_ADDRESS, OUT_ADDRESS, COUNT, WATCHDOG)
    for offset in written:
        value = peer.rng.getrandbits(32) & ~7
        await peer.write(offset, value)
        assert await peer.read(offset) == value
    for offset in range(0, 0x40, 4):
        before = await peer.read(offset)
        await peer.write(offset, peer.rng.getrandbits(32))
        assert await peer.read(offset) == before
    await peer.write(IN_ADDRESS, 0x1000)
    await peer.control.write(IN_ADDRESS + 1, b"\xff")  # a part of a word
    assert await peer.read(IN_ADDRESS) == 0x1000
    for offset in range(0x400, 0x1000, 0x3C):
        assert (await peer.control.read(offset, 4)).resp == AxiResp.OKAY


async def runs(peer, rounds):
    for _ in range(rounds):
        await peer.start(peer.rng.randint(1, len(FRAMES)), *peer.places())
        await peer.good()


@cocotb.test()
async def runs_without_pauses(dut):
    await runs(await Peer(dut, 2).begin(), 6)


@cocotb.test()
async def runs_with_every_channel_paused(dut):
    await runs(await Peer(dut, 3, 0.35, 0.3).begin(), 6)


@cocotb.test()
async def runs_with_memory_paused_mostly(dut):
    await runs(await Peer(dut, 4, 0.8, 0.2).begin(), 2)


@cocotb.test()
async def resets(dut):
    peer = await Peer(dut, 5, 0.5, 0.2).begin()
    for _ in range(12):
        await peer.start(3, *peer.places())
        await ClockCycles(dut.aclk, peer.rng.randrange(400))
        await peer.write(CONTROL, RESET)
        await peer.settle()
        assert await peer.read(STATUS) == 0
        await peer.start(2, *peer.places())
        await peer.good()


@cocotb.test()
async def faults_of_the_bus(dut):
    peer = await Peer(dut, 6, 0.3, 0.2).begin()
    for place in range(8):
        source, target = peer.places()
        if place % 2:
            peer.memory.bad_read = source + 8 * peer.rng.randrange(FRAMES.shape[1] // 8)
        else:
            peer.memory.bad_write = target + 8 * peer.rng.randrange(ANSWERS.shape[1] // 8)
        await peer.start(3, source, target)
        assert await peer.end() == ERROR
        assert await peer.read(ERRORS) == (READ_ERROR if place % 2 else WRITE_ERROR)
        peer.memory.bad_read = peer.memory.bad_write = None
        await peer.start(3, *peer.places())
        await peer.good()


@cocotb.test()
async def watchdog(dut):
    peer = await Peer(dut, 7).begin()
    for channel in (peer.slave.read_if.r_channel, peer.slave.write_if.b_channel,
                    peer.slave.write_if.w_channel):  # fmt: skip
        channel.pause = True
        await peer.start(3, *peer.places(), watchdog=3000)
        while not await peer.read(ERRORS):
            await ClockCycles(dut.aclk, 200)
        assert await peer.read(ERRORS) & WATCHDOG_BIT
        channel.pause = False
        assert await peer.end() == ERROR
        await peer.start(3, *peer.places())
        await peer.good()


@cocotb.test()
async def refusals_and_interrupts(dut):
    peer = await Peer(dut, 8, 0.1, 0.1).begin()
    for source, target, count in ((0x1000, 0x80000, 0), (0x1004, 0x80000, 1), (0x1000, 0x80001, 1)):
        await peer.start(count, source, target)
        assert await peer.read(ERRORS) == REFUSED
        assert not await peer.read(STATUS) & BUSY
        assert not peer.memory.asked and not peer.memory.written
    await peer.write(INTERRUPT, 1)
    for _ in range(3):
        await peer.start(2, *peer.places())
        await with_timeout(RisingEdge(dut.interrupt), 2000, "us")
        await peer.good()  # the answers are in memory when the interrupt comes
