// SPDX-License-Identifier: BSD-3-Clause
// Channels of INPUTS streams side by side: a beat of each input is a whole pixel, and so is the
// output beat. The inputs are concatenated in the ports, the first one in the least significant
// bits; its channels are the first ones of the output. Elements are extended to OUT_BITS by zeros
// or by their sign.
//
// LANES, BITS: 32 bits for each input, the first one lowest: its channels, and the bits of each.
// SIGNED: one bit for each input: whether its elements are in two's complement.
//
// A step takes a beat of every input in the same cycle. Stalls when one of them is missing or when
// the output register is full and not taken.
module bonn_concat #(
  parameter int INPUTS = 2,
  parameter bit [32*INPUTS-1:0] LANES = {INPUTS{32'd1}},
  parameter bit [32*INPUTS-1:0] BITS = {INPUTS{32'd1}},
  parameter bit [INPUTS-1:0] SIGNED = '0,
  parameter int IN_WIDTH = 2,   // derived: bits of a beat of all inputs
  parameter int OUT_LANES = 2,  // derived: the sum of LANES
  parameter int OUT_BITS = 1    // at least BITS of any input
) (
  input  logic                          clk,
  input  logic                          rst,
  input  logic [IN_WIDTH-1:0]           s_axis_tdata,
  input  logic [INPUTS-1:0]             s_axis_tvalid,
  output logic [INPUTS-1:0]             s_axis_tready,
  output logic [OUT_LANES*OUT_BITS-1:0] m_axis_tdata,
  output logic                          m_axis_tvalid,
  input  logic                          m_axis_tready,
  output logic                          step
);
  // Lanes, and bits of a beat, of the inputs before one.
  function automatic int lanes_before(input int place);
    lanes_before = 0;
    for (int i = 0; i < place; i++) lanes_before += int'(LANES[32*i+:32]);
  endfunction
  function automatic int bits_before(input int place);
    bits_before = 0;
    for (int i = 0; i < place; i++) bits_before += int'(LANES[32*i+:32]) * int'(BITS[32*i+:32]);
  endfunction

  if (INPUTS < 2 || IN_WIDTH != bits_before(INPUTS) || OUT_LANES != lanes_before(INPUTS))
  begin : gen_illegal
    $error("concat: INPUTS %0d must be two or more, IN_WIDTH %0d the bits of all inputs and \
OUT_LANES %0d their lanes", INPUTS, IN_WIDTH, OUT_LANES);
  end

  logic ce;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && (&s_axis_tvalid);
  assign s_axis_tready = {INPUTS{step}};

  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else m_axis_tvalid <= step || !ce;
  end

  for (genvar i = 0; i < INPUTS; i++) begin : gen_input
    localparam int Lanes = int'(LANES[32*i+:32]);
    localparam int Bits = int'(BITS[32*i+:32]);
    localparam int From = bits_before(i);
    localparam int To = lanes_before(i);
    if (Lanes < 1 || Bits < 1 || Bits > OUT_BITS) begin : gen_illegal_input
      $error("concat: input %0d has %0d lanes of %0d bits; both must be positive, the bits at most \
OUT_BITS %0d", i, Lanes, Bits, OUT_BITS);
    end
    for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lane
      logic [Bits-1:0] element;
      logic [OUT_BITS-1:0] extended;
      assign element = s_axis_tdata[From+lane*Bits+:Bits];
      if (SIGNED[i]) begin : gen_signed
        assign extended = OUT_BITS'($signed(element));
      end else begin : gen_unsigned
        assign extended = OUT_BITS'(element);
      end
      always_ff @(posedge clk) begin
        if (step) m_axis_tdata[(To+lane)*OUT_BITS+:OUT_BITS] <= extended;
      end
    end
  end
endmodule
