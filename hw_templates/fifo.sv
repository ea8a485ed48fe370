// SPDX-License-Identifier: BSD-3-Clause
// A queue of at most DEPTH beats in a ring memory that is read without a clock (LUT memory).
// A beat can leave in the cycle after it came. tready and tvalid come from registers alone,
// so no path runs through; it takes no beat while it is full, even if one leaves.
module fifo #(
  parameter int WIDTH = 1,
  parameter int DEPTH = 2
) (
  input  logic             clk,
  input  logic             rst,
  input  logic [WIDTH-1:0] s_axis_tdata,
  input  logic             s_axis_tvalid,
  output logic             s_axis_tready,
  output logic [WIDTH-1:0] m_axis_tdata,
  output logic             m_axis_tvalid,
  input  logic             m_axis_tready,
  output logic             step
);
  localparam int PointerBits = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam int FillBits = $clog2(DEPTH + 1);

  if (WIDTH < 1 || DEPTH < 2) begin : gen_illegal
    $error("fifo: WIDTH %0d must be positive and DEPTH %0d at least 2", WIDTH, DEPTH);
  end

  logic [WIDTH-1:0] ring[DEPTH];
  logic [PointerBits-1:0] write_q, read_q;
  logic [FillBits-1:0] fill_q;
  logic take;

  assign take = s_axis_tvalid && s_axis_tready;
  assign step = m_axis_tvalid && m_axis_tready;
  assign s_axis_tready = fill_q != FillBits'(DEPTH);
  assign m_axis_tvalid = fill_q != '0;
  assign m_axis_tdata = ring[read_q];

  always_ff @(posedge clk) begin
    if (rst) begin
      write_q <= '0;
      read_q <= '0;
      fill_q <= '0;
    end else begin
      if (take) write_q <= write_q == PointerBits'(DEPTH - 1) ? '0 : write_q + 1'b1;
      if (step) read_q <= read_q == PointerBits'(DEPTH - 1) ? '0 : read_q + 1'b1;
      if (take && !step) fill_q <= fill_q + 1'b1;
      if (step && !take) fill_q <= fill_q - 1'b1;
    end
  end

  always_ff @(posedge clk) if (take) ring[write_q] <= s_axis_tdata;
endmodule
