// SPDX-License-Identifier: BSD-3-Clause
// Beats of IN_LANES elements to beats of OUT_LANES elements, in the same order, element 0 lowest.
// Up: a step takes an input beat, every RATIO-th step makes an output beat.
// Down: a step makes an output beat, every RATIO-th step (the first of them) takes an input beat.
// The only storage is one register of the wide side. Stalls when the output is not taken.
module bonn_width_converter #(
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
  logic [CountBits-1:0] unused_count;
  logic ce, count_last;

  assign ce = m_axis_tready || !m_axis_tvalid;

  bonn_counter #(.STATES(Ratio)) beats (.clk, .rst, .step, .value(unused_count), .last(count_last));

  if (Up) begin : gen_up
    assign step = ce && s_axis_tvalid;
    assign s_axis_tready = ce;
    always_ff @(posedge clk) begin
      if (rst) m_axis_tvalid <= 1'b0;
      else m_axis_tvalid <= (step && count_last) || !ce;
      if (step) beat_q <= {s_axis_tdata, beat_q[Wide-1:Narrow]};
    end
    assign m_axis_tdata = beat_q;
  end else begin : gen_down
    // The next step takes a beat. A register instead of the comparison "count is 0": with a single
    // bit that selects the input or the shifted beat, two bits share a LUT.
    logic take_q;
    assign step = ce && (s_axis_tvalid || !take_q);
    assign s_axis_tready = ce && take_q;
    always_ff @(posedge clk) begin
      if (rst) take_q <= 1'b1;
      else if (step) take_q <= count_last;
      if (rst) m_axis_tvalid <= 1'b0;
      else m_axis_tvalid <= step || !ce;
      if (step) begin
        beat_q[Wide-1-:Narrow] <= s_axis_tdata[Wide-1-:Narrow];  // no bits are shifted in here
        beat_q[Wide-Narrow-1:0] <=
            take_q ? s_axis_tdata[Wide-Narrow-1:0] : beat_q[Wide-1:Narrow];
      end
    end
    assign m_axis_tdata = beat_q[Narrow-1:0];
  end
endmodule
