# SPDX-License-Identifier: BSD-3-Clause
"""RTL that breaks its promises, and places that are full, shared or interrupted."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from bonn_hw.emit.write import write
from bonn_hw.errors import Hang, UserError
from bonn_hw.ir.rtl import Port, RtlProject
from bonn_hw.ir.stream import pack, unpack
from bonn_hw.ir.tensor import Element
from bonn_hw.sim import build as building
from bonn_hw.sim import locate
from bonn_hw.sim import run as running
from bonn_hw.sim.build import build
from bonn_hw.sim.hang import Surplus
from bonn_hw.sim.waves import _whole

# Joins two beats into one. FAULT 1 loses the third beat, FAULT 2 repeats beat 6 for ever.
PAIR = """
module pair #(parameter int FAULT = 0) (
  input logic clk, input logic rst,
  input logic [7:0] s_axis_tdata, input logic s_axis_tvalid, output logic s_axis_tready,
  output logic [15:0] m_axis_tdata, output logic m_axis_tvalid, input logic m_axis_tready,
  output logic step
);
  logic half_q;
  logic [7:0] low_q;
  int taken_q, given_q;
  assign s_axis_tready = m_axis_tready || !m_axis_tvalid;
  assign step = s_axis_tvalid && s_axis_tready;
  always_ff @(posedge clk) begin
    if (rst) begin
      m_axis_tvalid <= 1'b0;
      half_q <= 1'b0;
      taken_q <= 0;
      given_q <= 0;
    end else begin
      if (step) taken_q <= taken_q + 1;
      if (m_axis_tvalid && m_axis_tready) given_q <= given_q + 1;
      if (m_axis_tready || !m_axis_tvalid) begin
        m_axis_tvalid <= step && half_q || FAULT == 2 && given_q >= 5 && m_axis_tvalid;
      end
      if (step && !(FAULT == 1 && taken_q == 2)) half_q <= !half_q;
    end
    if (step && !half_q) low_q <= s_axis_tdata;
    if (step && half_q) m_axis_tdata <= {s_axis_tdata, low_q};
  end
endmodule
"""
TOP = """
module top (
  input wire clk, input wire rst,
  input wire [7:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [15:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready
);
  wire [2:0] probe /* verilator public_flat_rd */;
  assign probe[0] = s_axis_tvalid & s_axis_tready;
  assign probe[2] = m_axis_tvalid & m_axis_tready;
  pair #(.FAULT(%d)) pair_0 (
    .clk(clk), .rst(rst), .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tready(s_axis_tready), .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready), .step(probe[1]));
endmodule
"""
BYTE = Element(0, 255)
FRAMES = 2  # of six bytes, three pairs


class Bench:
    def __init__(self, folder, fault=0):
        self.templates, self.folder = folder / "templates", folder / "project"
        self.templates.mkdir()
        (self.templates / "pair.sv").write_text(PAIR)
        ports = Port(1, BYTE, 6), Port(2, BYTE, 3)
        self.project = RtlProject("top", ("pair.sv",), {"top.v": TOP % fault}, *ports, ("pair_0",))
        write(self.project, self.folder, self.templates)

    def run(self, **options):
        values = np.arange(6 * FRAMES)
        run = running.simulate(
            self.project,
            pack(values, 1, BYTE),
            FRAMES,
            folder=self.folder,
            timeout_cycles=100,
            templates=self.templates,
            **options,
        )
        np.testing.assert_array_equal(unpack(run.outputs, 2, BYTE), values)
        return run


@pytest.mark.rtl
def test_two_beats_become_one(tmp_path):
    bench = Bench(tmp_path)
    run = bench.run()
    assert run.output_cycles.tolist() == [2, 4, 6, 8, 10, 12]
    assert run.first_in.tolist() == [0, 6]
    assert (run.interval, run.latency, run.cycles, run.stage_cycles) == (6, 2, 13, (6,))
    for seed in range(3):
        bench.run(stall=seed, jobs=2)


@pytest.mark.rtl
def test_a_lost_beat_is_a_hang_and_its_waves_are_kept(tmp_path):
    wave = tmp_path / "w.vcd"
    with pytest.raises(Hang) as error:
        Bench(tmp_path, fault=1).run(trace=wave)
    assert str(error.value) == (
        "the RTL hangs: no beat moved at either end after cycle 11 (waited until cycle 111); input "
        "stream: 12 of 12 beats sent; output stream: 5 of 6 beats received; all input is accepted, "
        "and pair_0 does not output beat 6; inside:\n"
        "  pair_0: 12 beats in, 5 beats out, no movement since cycle 11"
    )
    assert "$enddefinitions" in wave.read_text()
    assert sorted(tmp_path.glob(".*")) == []


@pytest.mark.rtl
def test_a_frame_too_many_is_told(tmp_path):
    with pytest.raises(Surplus) as error:
        Bench(tmp_path, fault=2).run()
    assert str(error.value) == (
        "the RTL outputs too much: the input had 2 frames, and the output stream completed frame 3 "
        "in cycle 15"
    )


@pytest.mark.rtl
def test_verilators_own_words_come_through(tmp_path):
    bench = Bench(tmp_path)
    (bench.templates / "pair.sv").write_text("module pair; nonsense endmodule\n")
    with pytest.raises(RuntimeError, match=r"%Error: pair\.sv:1"):
        bench.run()


@pytest.mark.rtl
def test_a_full_disk_is_told(tmp_path, monkeypatch):
    tool = tmp_path / "g++"
    tool.write_text(
        "#!/bin/sh\ncase $1 in -pipe) echo 'fatal: No space left on device' >&2; exit 1;; esac\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", str(tool))
    with pytest.raises(UserError, match=r"cannot write .*bonn_hw: No space left on device; "):
        Bench(tmp_path).run()
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


@pytest.mark.rtl
def test_an_interrupt_ends_the_compilers_and_leaves_nothing(tmp_path, monkeypatch):
    tool, pids = tmp_path / "g++", tmp_path / "pids"
    tool.write_text(f"#!/bin/sh\ncase $1 in -pipe) sleep 60 & echo $! >> {pids}; wait;; esac\n")
    tool.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", str(tool))
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from tests.sim.test_failures import Bench; Bench(Path(sys.argv[2])).run()"
    )
    inner = tmp_path / "inner"
    inner.mkdir()
    command = [sys.executable, "-c", program, str(Path(__file__).parents[2]), str(inner)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        begin = time.monotonic()
        while not (pids.exists() and pids.read_text().endswith("\n")):
            assert time.monotonic() - begin < 300 and process.poll() is None
            time.sleep(0.05)
        process.send_signal(2)
        errors = process.communicate(timeout=300)[1]
    assert "KeyboardInterrupt" in errors
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
    for pid in map(int, pids.read_text().split()):
        assert ended(pid)


def ended(pid):
    """Whether a process is gone, or waits for its new parent to notice."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.rtl
def test_parallel_builds_of_the_same_design_agree(tmp_path, monkeypatch):
    bench, made = Bench(tmp_path), []
    build(bench.project, templates=bench.templates)
    fresh = (*building.VERILATE, f"-D{tmp_path.name.upper()}_{os.getpid()}")
    monkeypatch.setattr(building, "VERILATE", fresh)  # another place in the cache, the same runtime

    def one():
        made.append(build(bench.project, templates=bench.templates).executable)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 2 and made[0] == made[1] and made[0].is_file()


def test_a_torn_wave_file_is_seen(tmp_path):
    wave = tmp_path / "w.fst"
    block = b"\x00" + (20).to_bytes(8, "big") + bytes(12)
    for content, good in ((block * 2, True), (block + block[:15], False), (b"", False)):
        wave.write_bytes(content)
        assert _whole(wave) == good


def test_a_wrapper_elsewhere_tells_where_verilator_is(tmp_path, monkeypatch):
    monkeypatch.delenv(locate.CHOICE, raising=False)
    real = locate.verilator()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "verilator_bin").symlink_to(real.binary)
    (tmp_path / "include").symlink_to(real.include)
    wrapper = tmp_path / "verilator-wrapper"
    wrapper.write_text(f"#!/bin/sh\necho {tmp_path}\n")
    wrapper.chmod(0o755)
    monkeypatch.setenv(locate.CHOICE, str(wrapper))
    found = locate.verilator()
    assert (found.root, found.version) == (tmp_path, real.version)
