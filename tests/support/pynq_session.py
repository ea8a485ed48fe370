# SPDX-License-Identifier: BSD-3-Clause
"""A program on a board that has none: the packed driver and the real pynq, over a simulated shell.

``python pynq_session.py BOARD_FOLDER SCRATCH PORT`` runs with nothing of ours but the packed
folder. The lowest layer of pynq is replaced (sysfs, /dev/mem, calls of XRT): registers and memory
are those of the process that listens at PORT. What is above is pynq's own code.

Prints one JSON document: what the driver said and answered.
"""

import contextlib
import ctypes
import json
import os
import platform
import socket
import sys
import warnings
from pathlib import Path

import numpy as np

BOARD, SCRATCH, PORT = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
REGISTERS = 0x43C00000
SLCR, HP0 = 0xF8000000, 0xF8008000
PAGE = 4096
MEMORY = 1 << 22

sys.path.insert(0, str(BOARD))
os.environ["BOARD"] = "Pynq-Z2"
real = os.uname
os.uname = lambda: os.uname_result(("Linux", "pynq", "5.15", "#1", "armv7l"))
platform.machine = lambda: "armv7l"

import pynq
import pynq.buffer
from bonn_driver import Accelerator, AcceleratorError
from pynq.pl_server import device, embedded_device, global_state

os.uname = real


class Link:
    """The shell, in another process."""

    def __init__(self):
        self._file = socket.create_connection(("127.0.0.1", PORT)).makefile("rwb")

    def __call__(self, *words):
        self._file.write(json.dumps(words).encode() + b"\n")
        self._file.flush()
        return json.loads(self._file.readline())


link = Link()


class Words(np.ndarray):
    """A page of registers, as pynq.MMIO indexes it."""

    base = None

    def __new__(cls, base, count):
        made = np.zeros(count // 4, np.uint32).view(cls)
        made.base_address = base
        return made

    def __array_finalize__(self, other):
        self.base_address = getattr(other, "base_address", None)

    def __getitem__(self, index):
        if self.base_address == REGISTERS:
            return np.uint32(link("read", 4 * int(index)))
        return np.uint32(np.ndarray.__getitem__(self, index))

    def __setitem__(self, index, value):
        if self.base_address == REGISTERS:
            link("write", 4 * int(index), int(value))
        else:
            np.ndarray.__setitem__(self, index, value)


class Board(embedded_device.EmbeddedDevice):
    """A Zynq-7000 whose processor has a cache: the shell sees what was flushed, and no more."""

    def __init__(self):
        device.Device.__init__(self, "embedded_xrt0")
        self.capabilities = {"REGISTER_RW": False, "MEMORY_MAPPED": True, "CALLABLE": False}
        self._info = type("Info", (), {"mName": b"edge", "name": "edge"})()
        self._index, self.handle, self.arch = 0, 1, "armv7l"
        self.contexts, self._streams, self.active_bos, self._bo_cache = {}, {}, [], []
        self.pages, self.buffers, self.top, self.cacheable = {}, {}, PAGE, []
        self.cached = np.zeros(MEMORY, np.uint8)

    def mmap(self, base, length):
        if base not in self.pages:
            page = self.pages[base] = Words(base, length)
            if base == SLCR:  # 1000, 1300, 1050 MHz from 50 MHz; FCLK0 divided by 4 and 4
                page[0x108 // 4], page[0x100 // 4], page[0x104 // 4] = 20 << 12, 26 << 12, 21 << 12
                page[0x170 // 4] = 4 << 20 | 4 << 8
            if base == HP0:
                page[0], page[5] = 3, 0xF01  # 32 bits wide, as a boot loader may leave it
        return self.pages[base]

    def _xrt_download(self, data):
        pass

    def allocate_bo(self, size, idx, cacheable):
        number, whole = len(self.buffers) + 1, -(-size // PAGE) * PAGE
        self.buffers[number] = (self.top, whole)
        self.cacheable.append(cacheable)
        self.top += whole
        return number

    def map_bo(self, bo):
        start, size = self.buffers[bo]
        return self.cached[start : start + size].data

    def get_device_address(self, bo):
        return self.buffers[bo][0]

    def flush(self, bo, offset, ptr, size):
        start = self.buffers[bo][0] + offset
        link("store", start, self.cached[start : start + size].tobytes().hex())

    def invalidate(self, bo, offset, ptr, size):
        start = self.buffers[bo][0] + offset
        content = bytes.fromhex(link("load", start, size))
        self.cached[start : start + size] = np.frombuffer(content, np.uint8)


def without_a_board():
    """What the driver says where pynq finds no device: to root with and without XRT, to others."""
    said = []
    for user, xrt in ((1000, None), (0, None), (0, "/usr")):
        os.environ.pop("XILINX_XRT", None)
        if xrt:
            os.environ["XILINX_XRT"] = xrt
        os.geteuid = lambda user=user: user
        try:
            Accelerator(BOARD / "accelerator.bit")
        except AcceleratorError as error:
            said.append(str(error))
    os.environ["XILINX_XRT"] = "/usr"
    return said


def replace_the_lowest_layer():
    """Files of sysfs are in SCRATCH, the device is `Board`."""
    for name, content in {"firmware": "", "flags": "0", "state": "operating"}.items():
        (SCRATCH / name).write_text(content)
    global_state.STATE_DIR = str(SCRATCH)
    embedded_device.EmbeddedDevice.BS_FPGA_MAN = str(SCRATCH / "firmware")
    embedded_device.EmbeddedDevice.BS_FPGA_MAN_FLAGS = str(SCRATCH / "flags")
    for module in (embedded_device, device, global_state):
        module.initial_global_state_file_boot_check = lambda: None
    embedded_device._create_xclbin = lambda memory: embedded_device.DEFAULT_XCLBIN
    embedded_device._preload_binfile = preload
    pynq.buffer.libc = type("Libc", (), {"munmap": staticmethod(lambda *words: 0)})
    pynq.buffer.xrt = type("Xrt", (), {"xclFreeBO": staticmethod(lambda *words: 0)})
    pynq.buffer.ctypes = ctypes
    board = Board()
    device.Device._devices = [board]
    device.Device.active_device = board
    return board


def preload(bitstream, parser):
    """As pynq's own, but not to /lib/firmware."""
    data = getattr(parser, "bin_data", None)
    if data is None:
        handler = embedded_device._get_bitstream_handler(bitstream.bitfile_name)
        data = handler.get_bin_data()
    bitstream.binfile_name = Path(bitstream.bitfile_name).stem + ".bin"
    loaded.append(len(data))


loaded = []
with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    told = {"version": pynq.__version__, "without a board": without_a_board()}
    board = replace_the_lowest_layer()
    images = np.load(SCRATCH / "images.npy")
    with Accelerator(BOARD / "accelerator.bit", batch=4) as accelerator:
        np.save(SCRATCH / "answers.npy", accelerator.predict(images))
        told["benchmark"] = accelerator.benchmark(4)
    told["loaded"] = loaded
    told["cacheable"] = board.cacheable
    told["port"] = [int(board.pages[HP0][place]) for place in (0, 5)]
    told["fclk0_mhz"] = float(pynq.Clocks.fclk0_mhz)
print(json.dumps(told))
