// SPDX-License-Identifier: BSD-3-Clause
// Two streams combined lane by lane. They are concatenated in the ports, the left one in the least
// significant bits. FUNCTION: 0 left - right, 1 left * right, 2 the larger, 3 the smaller one.
// Elements are extended by zeros or by their sign. Results are taken modulo 2 ** OUT_BITS: they are
// exact if OUT_BITS hold them, even if an operand is wider.
// A step takes a beat of both inputs in the same cycle. Stalls when one of them is missing or when
// the output register is full and not taken.
module bonn_combine #(
  parameter int LANES = 1,
  parameter int LEFT_BITS = 1,
  parameter int RIGHT_BITS = 1,
  parameter bit LEFT_SIGNED = 0,
  parameter bit RIGHT_SIGNED = 0,
  parameter int OUT_BITS = 2,  // derived: holds every result
  parameter int FUNCTION = 0
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
    $error("combine: LANES %0d, LEFT_BITS %0d, RIGHT_BITS %0d, OUT_BITS %0d must be positive",
           LANES, LEFT_BITS, RIGHT_BITS, OUT_BITS);
  end
  if (FUNCTION < 0 || FUNCTION > 3) begin : gen_illegal_function
    $error("combine: FUNCTION %0d must be 0, 1, 2 or 3", FUNCTION);
  end

  // Bits that hold both operands, with a sign if one of them has one, and the results.
  localparam bit Signed = LEFT_SIGNED || RIGHT_SIGNED;
  localparam int LeftBits = LEFT_BITS + (Signed && !LEFT_SIGNED ? 1 : 0);
  localparam int RightBits = RIGHT_BITS + (Signed && !RIGHT_SIGNED ? 1 : 0);
  localparam int WideBits = LeftBits > RightBits ? LeftBits : RightBits;
  localparam int Bits = WideBits > OUT_BITS ? WideBits : OUT_BITS;
  // With the sign bit inverted, signed numbers compare like unsigned ones.
  localparam logic [WideBits-1:0] Sign = Signed ? WideBits'(1) << (WideBits - 1) : '0;

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
    logic [Bits-1:0] left_extended, right_extended, result;
    assign left = s_axis_tdata[lane*LEFT_BITS+:LEFT_BITS];
    assign right = s_axis_tdata[LANES*LEFT_BITS+lane*RIGHT_BITS+:RIGHT_BITS];
    if (LEFT_SIGNED) begin : gen_left_signed
      assign left_extended = Bits'($signed(left));
    end else begin : gen_left_unsigned
      assign left_extended = Bits'(left);
    end
    if (RIGHT_SIGNED) begin : gen_right_signed
      assign right_extended = Bits'($signed(right));
    end else begin : gen_right_unsigned
      assign right_extended = Bits'(right);
    end
    if (FUNCTION == 0) begin : gen_difference
      assign result = left_extended - right_extended;
    end else if (FUNCTION == 1) begin : gen_product
      assign result = left_extended * right_extended;
    end else begin : gen_choice
      logic larger;  // the left one
      assign larger = (left_extended[WideBits-1:0] ^ Sign) > (right_extended[WideBits-1:0] ^ Sign);
      assign result = larger == (FUNCTION == 2) ? left_extended : right_extended;
    end
    always_ff @(posedge clk) begin
      if (step) m_axis_tdata[lane*OUT_BITS+:OUT_BITS] <= result[OUT_BITS-1:0];
    end
    if (Bits > OUT_BITS) begin : gen_unused
      logic unused;
      assign unused = &{1'b0, result[Bits-1:OUT_BITS]};
    end
  end
endmodule
