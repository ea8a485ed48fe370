# SPDX-License-Identifier: BSD-3-Clause
"""The bit-sliced simulator gives what Verilator gives: each output beat, and its cycle."""

import re

import numpy as np
import pytest

from bonn_hw.emit.top import emit
from bonn_hw.emit.write import write
from bonn_hw.errors import Hang
from bonn_hw.ir.rtl import Port, RtlProject
from bonn_hw.ir.stream import pack
from bonn_hw.ir.tensor import BIPOLAR, TensorType
from bonn_hw.sim import run as verilator
from bonn_hw.sliced import run as sliced
from bonn_hw.sliced.independence import DataDependent
from tests.support import every_kernel
from tests.support.bench import random_values

pytestmark = pytest.mark.rtl
LANES = 64
PATIENCE = 20_000


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network with every kernel, its RTL in a folder, and frames."""
    design = every_kernel.design()
    project, folder = emit(design), tmp_path_factory.mktemp("every")
    write(project, folder)
    frames = random_values(design.graph.tensors[design.graph.input], 200)
    return project, folder, pack(frames, project.source.lanes, project.source.element), frames


@pytest.mark.parametrize("stall", [None, 1])
def test_every_kernel(network, stall):
    project, folder, beats, frames = network
    options = {"folder": folder, "timeout_cycles": PATIENCE, "stall": stall}
    gates = sliced.simulate(project, beats, len(frames), lanes=LANES, **options)
    depth = gates.shards[0][1]
    assert depth == 4  # 200 frames are 64 images at once, and 8 bits without their own
    assert gates.shards[-1] == (196, 4) and len(gates.shards) == 50
    rtl = verilator.simulate(project, beats, len(frames), jobs=50, **options)
    assert rtl.shards == gates.shards
    for name in ("outputs", "output_cycles", "first_in", "first_out", "last_out"):
        np.testing.assert_array_equal(getattr(gates, name), getattr(rtl, name), name)
    assert gates.stage_cycles == rtl.stage_cycles
    assert (gates.interval, gates.latency) == (rtl.interval, rtl.latency)
    assert len(np.unique(gates.outputs)) > 2


def test_several_processes_give_the_same(network):
    project, folder, beats, frames = network
    options = {"folder": folder, "timeout_cycles": PATIENCE, "lanes": LANES}
    one = sliced.simulate(project, beats, len(frames), **options)
    two = sliced.simulate(project, beats, len(frames), jobs=2, **options)
    assert [len(run.shards) for run in (one, two)] == [50, 67]
    assert two.shards[-1] == (198, 2)
    np.testing.assert_array_equal(one.outputs, two.outputs)


# A register between input and output. PLANTED 1: it is not ready for a word of ones. 2: a word of
# ones stops it for good. 3: it looks a word up at an address of data, and keeps the largest so far.
# 4: it is never ready.
PLANTED = """
module planted (
  input wire clk, input wire rst,
  input wire [3:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [3:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready,
  output wire step
);
  parameter integer PLANTED = 0;
  reg [3:0] word_q, largest_q;
  reg full_q, stopped_q;
  reg [3:0] ring [0:15];
  reg [3:0] looked_up_q;
  wire wanted = PLANTED == 1 ? ~&s_axis_tdata : PLANTED == 2 ? ~stopped_q : PLANTED != 4;
  assign s_axis_tready = (m_axis_tready || !full_q) && wanted;
  assign step = s_axis_tvalid && s_axis_tready;
  assign m_axis_tvalid = full_q;
  assign m_axis_tdata = PLANTED == 3 ? largest_q : word_q;
  integer i;
  initial for (i = 0; i < 16; i = i + 1) ring[i] = 5 * i + 3;
  wire [3:0] found = ring[s_axis_tdata];
  always @(posedge clk) begin
    if (rst) begin
      full_q <= 0;
      stopped_q <= 0;
      largest_q <= 0;
    end else begin
      if (m_axis_tready || !full_q) full_q <= step;
      if (step && &s_axis_tdata) stopped_q <= 1;
      if (step && found > largest_q) largest_q <= found;
    end
    if (step) word_q <= s_axis_tdata;
  end
endmodule
"""
TOP = """
module top (
  input wire clk, input wire rst,
  input wire [3:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [3:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready
);
  wire [2:0] probe /* verilator public_flat_rd */;
  assign probe[0] = s_axis_tvalid & s_axis_tready;
  assign probe[2] = m_axis_tvalid & m_axis_tready;
  planted #(.PLANTED(%d)) planted_0 (
    .clk(clk), .rst(rst), .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tready(s_axis_tready), .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready), .step(probe[1]));
endmodule
"""


def planted(kind, folder):
    """The project with a fault, in a folder, and 70 frames of 3 beats."""
    port = Port(4, BIPOLAR, 3)
    templates = folder / "templates"
    templates.mkdir(parents=True)
    (templates / "planted.sv").write_text(PLANTED)
    files = {"top.v": TOP % kind}
    project = RtlProject("top", ("planted.sv",), files, port, port, ("planted_0",))
    write(project, folder, templates)
    frames = random_values(TensorType((1, 3, 4), BIPOLAR), 70)
    options = {"folder": folder, "templates": templates, "timeout_cycles": 200}
    return project, pack(frames, 4, BIPOLAR), 70, options


def test_control_that_depends_on_data_is_refused_by_name(tmp_path):
    """At once, and through a register."""
    for kind, named in ((1, "s_axis_tdata"), (2, "planted_0.wanted")):
        project, beats, frames, options = planted(kind, tmp_path / str(kind))
        with pytest.raises(DataDependent) as error:
            sliced.simulate(project, beats, frames, lanes=LANES, **options)
        assert re.fullmatch(
            rf"simulate: s_axis_tready depends on data, through {named}(\[\d\])?: its cycles "
            "differ from image to image, and the bit-sliced engine needs that they are the same: "
            "choose --engine verilator",
            str(error.value),
        )


def test_lookups_and_enables_may_depend_on_data(tmp_path):
    project, beats, frames, options = planted(3, tmp_path)
    gates = sliced.simulate(project, beats, frames, lanes=LANES, **options)
    rtl = verilator.simulate(project, beats, frames, jobs=24, **options)
    assert rtl.shards == gates.shards
    np.testing.assert_array_equal(gates.outputs, rtl.outputs)
    np.testing.assert_array_equal(gates.output_cycles, rtl.output_cycles)


def test_a_hang_is_told_as_by_verilator(tmp_path):
    project, beats, _, options = planted(4, tmp_path)
    told = []
    for engine, extra in ((sliced, {"lanes": LANES}), (verilator, {})):
        with pytest.raises(Hang) as error:
            engine.simulate(project, beats[: 3 * 2], 2, **options, **extra)
        told.append(str(error.value))
    assert told[0] == told[1]
    assert "planted_0 does not accept beat 1" in told[0]
