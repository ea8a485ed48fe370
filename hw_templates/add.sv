// SPDX-License-Identifier: BSD-3-Clause
// Sum of two streams, lane by lane. They are concatenated in the ports, the left one in the least
// significant bits. Elements are extended to OUT_BITS by zeros or by their sign. Sums are taken
// modulo 2 ** OUT_BITS: a result is exact if OUT_BITS hold the sum, even if an operand is wider.
// A step takes a beat of both inputs in the same cycle. Stalls when one of them is missing or when
// the output register is full and not taken.
module bonn_add #(
  parameter int LANES = 1,
  parameter int LEFT_BITS = 1,
  parameter int RIGHT_BITS = 1,
  parameter bit LEFT_SIGNED = 0,
  parameter bit RIGHT_SIGNED = 0,
  parameter int OUT_BITS = 2  // derived: holds every sum
) (
  input  logic                                    clk,
  input  logic                                    rst,
  input  logic [LANES*(LEFT_BITS+RIGHT_BITS)-1:0] s_axis_tdata,
  input  logic [1:0]                              s_axis_tvalid,
  output logic [1:0]                              s_axis_tready,
  output logic [LANES*OUT_BITS-1:0]               m_axis_tdata,
  output logic                                    m_axis_tvalid,
  input  logic                                    m_axis_tready,
  output logic                                    step
);
  if (LANES < 1 || LEFT_BITS < 1 || RIGHT_BITS < 1 || OUT_BITS < 1) begin : gen_illegal
    $error("add: LANES %0d, LEFT_BITS %0d, RIGHT_BITS %0d, OUT_BITS %0d must be positive",
           LANES, LEFT_BITS, RIGHT_BITS, OUT_BITS);
  end

  logic ce;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && (&s_axis_tvalid);
  assign s_axis_tready = {2{step}};

  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else m_axis_tvalid <= step || !ce;
  end

  for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
    logic [LEFT_BITS-1:0] left;
    logic [RIGHT_BITS-1:0] right;
    logic [OUT_BITS-1:0] left_extended, right_extended;
    assign left = s_axis_tdata[lane*LEFT_BITS+:LEFT_BITS];
    assign right = s_axis_tdata[LANES*LEFT_BITS+lane*RIGHT_BITS+:RIGHT_BITS];
    if (LEFT_SIGNED) begin : gen_left_signed
      assign left_extended = OUT_BITS'($signed(left));
    end else begin : gen_left_unsigned
      assign left_extended = OUT_BITS'(left);
    end
    if (RIGHT_SIGNED) begin : gen_right_signed
      assign right_extended = OUT_BITS'($signed(right));
    end else begin : gen_right_unsigned
      assign right_extended = OUT_BITS'(right);
    end
    always_ff @(posedge clk) begin
      if (step) m_axis_tdata[lane*OUT_BITS+:OUT_BITS] <= left_extended + right_extended;
    end
  end
endmodule
