// SPDX-License-Identifier: BSD-3-Clause
// Sends every beat to each of COPIES output streams. They are concatenated in the ports, stream 0
// in the least significant bits. ("fork" is a keyword of SystemVerilog.)
// A step takes a beat of WIDTH bits into one register, which is offered on every output until that
// output takes it. Stalls until all outputs have: a slow output delays the next beat only.
module bonn_stream_fork #(
  parameter int WIDTH = 1,
  parameter int COPIES = 2
) (
  input  logic                    clk,
  input  logic                    rst,
  input  logic [WIDTH-1:0]        s_axis_tdata,
  input  logic                    s_axis_tvalid,
  output logic                    s_axis_tready,
  output logic [COPIES*WIDTH-1:0] m_axis_tdata,
  output logic [COPIES-1:0]       m_axis_tvalid,
  input  logic [COPIES-1:0]       m_axis_tready,
  output logic                    step
);
  if (WIDTH < 1 || COPIES < 2) begin : gen_illegal
    $error("stream_fork: WIDTH %0d must be positive and COPIES %0d at least 2", WIDTH, COPIES);
  end

  logic [WIDTH-1:0] beat_q;
  logic ce;

  assign ce = &(~m_axis_tvalid | m_axis_tready);
  assign step = ce && s_axis_tvalid;
  assign s_axis_tready = ce;
  assign m_axis_tdata = {COPIES{beat_q}};

  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= '0;
    else if (step) m_axis_tvalid <= '1;
    else m_axis_tvalid <= m_axis_tvalid & ~m_axis_tready;
    if (step) beat_q <= s_axis_tdata;
  end
endmodule
