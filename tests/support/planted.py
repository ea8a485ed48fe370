# SPDX-License-Identifier: BSD-3-Clause
"""Designs of one register, some with control that depends on data."""

from bonn_hw.emit.write import write
from bonn_hw.ir.rtl import Port, RtlProject
from bonn_hw.ir.stream import pack
from bonn_hw.ir.tensor import BIPOLAR, TensorType
from tests.support.bench import random_values

# A register between input and output. PLANTED 1: it is ready for a word of ones in every other
# cycle only. 2: a word of ones stops it for good. 3: it looks a word up at an address of data, and
# keeps the largest so far. 4: it is never ready.
PLANTED = """
module planted (
  input wire clk, input wire rst,
  input wire [3:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [3:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready,
  output wire step
);
  parameter integer PLANTED = 0;
  reg [3:0] word_q, largest_q;
  reg full_q, stopped_q, slow_q;
  reg [3:0] ring [0:15];
  reg [3:0] looked_up_q;
  wire wanted = PLANTED == 1 ? ~&s_axis_tdata | slow_q : PLANTED == 2 ? ~stopped_q : PLANTED != 4;
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
      slow_q <= 0;
      largest_q <= 0;
    end else begin
      if (m_axis_tready || !full_q) full_q <= step;
      if (step && &s_axis_tdata) stopped_q <= 1;
      slow_q <= !slow_q;
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
    """The project with a fault, in a folder, and 72 frames of 3 beats."""
    port = Port(4, BIPOLAR, 3)
    templates = folder / "templates"
    templates.mkdir(parents=True)
    (templates / "planted.sv").write_text(PLANTED)
    files = {"top.v": TOP % kind}
    project = RtlProject("top", ("planted.sv",), files, port, port, ("planted_0",))
    write(project, folder, templates)
    frames = random_values(TensorType((1, 3, 4), BIPOLAR), 72)
    options = {"folder": folder, "templates": templates, "timeout_cycles": 200}
    return project, pack(frames, 4, BIPOLAR), 72, options
