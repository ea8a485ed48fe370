# SPDX-License-Identifier: BSD-3-Clause
"""A serial port whose other end is simulated RTL: the line's levels, one a cycle, in and out."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from bonn_hw.emit.serial import emit_serial
from bonn_hw.emit.write import write
from bonn_hw.ir.rtl import Port, RtlProject
from bonn_hw.ir.tensor import Element
from bonn_hw.sim.run import simulate

CYCLES = 25  # a bit
# Stages of the simulator's interface: a level in, a level out, each cycle.
LINE = """
module line (
  input  wire clk, input wire rst,
  input  wire [0:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [0:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready
);
  wire [2:0] probe /* verilator public_flat_rd */ = 3'b000;
  assign s_axis_tready = m_axis_tready;
  assign m_axis_tvalid = s_axis_tvalid;
  serial_system system (.clk(clk), .rxd(rst | s_axis_tdata[0]), .txd(m_axis_tdata[0]));
endmodule
"""


class SimulatedPort:
    """As `serial.Serial`; every reading simulates all of the line's history anew."""

    def __init__(self, design, patience=200_000, off=0.0, cycles=CYCLES, netlist=None):
        """A ``netlist`` is Verilog of `serial_system`, in place of the RTL's."""
        self.project = emit_serial(design, cycles)
        if netlist is not None:
            files = {"netlist.v": netlist}
            self.project = replace(self.project, templates=(), files=files)
        self.cycles = cycles
        self.levels, self.read_before = [np.ones(20 * cycles, np.uint8)], 0
        self.patience, self.off, self.timeout = patience, off, 1.0
        self.closed = False

    def write(self, data):
        """Bytes, each bit ``off`` longer than the receiver thinks."""
        bits = np.array([bit for byte in data for bit in (0, *bits_of(byte), 1)], np.uint8)
        ends = np.rint(np.arange(1, len(bits) + 1) * self.cycles * (1 + self.off)).astype(int)
        self.levels.append(np.repeat(bits, np.diff(ends, prepend=0)))
        return len(data)

    def send_break(self, duration=0.25):
        self.levels += [np.zeros(30 * self.cycles, np.uint8), np.ones(20 * self.cycles, np.uint8)]

    def reset_input_buffer(self):
        self.read_before = len(self.heard())

    def flush(self):
        pass

    def read(self, count):
        self.levels.append(np.ones(self.patience, np.uint8))
        got = self.heard()[self.read_before :][:count]
        self.read_before += len(got)
        return bytes(got)

    def close(self):
        self.closed = True

    def heard(self):
        levels = np.concatenate(self.levels)
        port = Port(1, Element(0, 1), len(levels))
        files = {**self.project.files, "line.v": LINE}
        project = RtlProject("line", self.project.templates, files, port, port, ("line",))
        with tempfile.TemporaryDirectory() as name:
            write(project, Path(name))
            beats = levels.astype(np.uint32)[:, None]
            run = simulate(project, beats, 1, folder=Path(name), timeout_cycles=1000)
        return bytes_of(run.outputs[:, 0], self.cycles)


def bits_of(byte):
    return [byte >> place & 1 for place in range(8)]


def bytes_of(levels, cycles=CYCLES):
    """What a line says, read in the middle of its bits."""
    found, place = [], 0
    falls = np.flatnonzero((levels[:-1] == 1) & (levels[1:] == 0)) + 1
    for fall in falls:
        if fall < place or fall + 10 * cycles > len(levels):
            continue
        middles = levels[fall + cycles // 2 : fall + 10 * cycles : cycles]
        assert (middles[0], middles[9]) == (0, 1), "start or stop bit is wrong"
        found.append(int(sum(int(bit) << i for i, bit in enumerate(middles[1:9]))))
        place = fall + 9 * cycles + cycles // 2
    return found
