// SPDX-License-Identifier: BSD-3-Clause
// Beats of IN_LANES elements to beats of OUT_LANES elements; order stays, element 0 is lowest.
// Up: a step takes an input beat, every RATIO-th step gives an output beat.
// Down: a step gives an output beat, every RATIO-th step (the first of them) takes an input beat.
// One register of the wide side is all the storage. Stalls when the output is not taken.
module width_converter #(
  parameter int IN_LANES = 1,
  parameter int OUT_LANES = 2,
  parameter int BITS = 1
) (
  input  logic                      clk,
  input  logic                      rst,
  input  logic [IN_LANES*BITS-1:0]  s_axis_tdata,
  input  logic                      s_axis_tvalid,
  output logic                      s_axis_tready,
  output logic [OUT_LANES*BITS-1:0] m_axis_tdata,
  output logic                      m_axis_tvalid,
  input  logic                      m_axis_tready,
  output logic                      step
);
  localparam bit Up = OUT_LANES > IN_LANES;
  localparam int Wide = (Up ? OUT_LANES : IN_LANES) * BITS;
  localparam int Narrow = (Up ? IN_LANES : OUT_LANES) * BITS;
  localparam int Ratio = Narrow > 0 ? Wide / Narrow : 1;
  localparam int CountBits = Ratio > 1 ? $clog2(Ratio) : 1;

  if (IN_LANES < 1 || OUT_LANES < 1 || BITS < 1 || Ratio < 2 || Wide != Ratio * Narrow)
  begin : gen_illegal
    $error("width_converter: IN_LANES %0d and OUT_LANES %0d must differ and one divide the other",
           IN_LANES, OUT_LANES);
  end

  logic [Wide-1:0] beat_q;
  logic [CountBits-1:0] count_q;
  logic ce, count_last;

  assign count_last = count_q == CountBits'(Ratio - 1);
  assign ce = m_axis_tready || !m_axis_tvalid;

  always_ff @(posedge clk) begin
    if (rst) count_q <= '0;
    else if (step) count_q <= count_last ? '0 : count_q + 1'b1;
  end

  if (Up) begin : gen_up
    assign step = ce && s_axis_tvalid;
    assign s_axis_tready = ce;
    always_ff @(posedge clk) begin
      if (rst) m_axis_tvalid <= 1'b0;
      else if (ce) m_axis_tvalid <= step && count_last;
      if (step) beat_q <= {s_axis_tdata, beat_q[Wide-1:Narrow]};
    end
    assign m_axis_tdata = beat_q;
  end else begin : gen_down
    assign step = ce && (s_axis_tvalid || count_q != '0);
    assign s_axis_tready = ce && count_q == '0;
    always_ff @(posedge clk) begin
      if (rst) m_axis_tvalid <= 1'b0;
      else if (ce) m_axis_tvalid <= step;
      if (step) beat_q <= count_q == '0 ? s_axis_tdata : beat_q >> Narrow;
    end
    assign m_axis_tdata = beat_q[Narrow-1:0];
  end
endmodule
