// SPDX-License-Identifier: BSD-3-Clause
// What one beat adds to the sum h of a neuron (`mvu.sv`), CUTS enabled clocks later.
//
// operands: SIMD inputs of IN_BITS bits; with PARITIES, the inputs' parities too (`parities.sv`).
// weights: SIMD weights of WEIGHT_BITS bits; with PARITIES, as `xnor_popcount.sv` takes them.
// WEIGHT_BITS, IN_KIND: as in `mvu.sv`.
module bonn_beat_sum #(
  parameter int SIMD = 1,
  parameter int WEIGHT_BITS = 1,
  parameter int IN_BITS = 1,
  parameter int IN_KIND = 0,
  parameter bit PARITIES = 0,
  parameter int SUM_BITS = 2,
  parameter int CUTS = 0,
  localparam int OperandBits = SIMD * IN_BITS + (PARITIES ? SIMD / 2 : 0)
) (
  input  logic                        clk,
  input  logic                        ce,
  input  logic [OperandBits-1:0]      operands,
  input  logic [SIMD*WEIGHT_BITS-1:0] weights,
  output logic [SUM_BITS-1:0]         sum
);
  if (PARITIES) begin : gen_xnor_popcount
    logic [$clog2(SIMD+1)-1:0] count;
    bonn_xnor_popcount #(.N(SIMD), .CUTS(CUTS)) popcount (
      .clk, .ce, .inputs(operands), .weights, .count
    );
    assign sum = SUM_BITS'(count);
  end else if (IN_KIND == 0 && WEIGHT_BITS == 1) begin : gen_popcount
    logic [$clog2((SIMD+2)/3*3+1)-1:0] count;
    bonn_popcount #(.N(SIMD), .CUTS(CUTS)) popcount (
      .clk, .ce, .bits(~(weights ^ operands)), .count
    );
    assign sum = SUM_BITS'(count);
  end else begin : gen_terms
    localparam int TermBits = IN_KIND == 0 ? WEIGHT_BITS :
                              WEIGHT_BITS == 1 ? IN_BITS + int'(IN_KIND == 1) :
                              WEIGHT_BITS + IN_BITS;
    logic [SIMD*TermBits-1:0] terms;
    logic [TermBits+$clog2(SIMD)-1:0] total;
    for (genvar lane = 0; lane < SIMD; lane++) begin : gen_lane
      logic signed [WEIGHT_BITS-1:0] weight;
      logic [IN_BITS-1:0] value;
      logic [TermBits-1:0] term;
      assign weight = weights[lane*WEIGHT_BITS+:WEIGHT_BITS];
      assign value = operands[lane*IN_BITS+:IN_BITS];
      if (IN_KIND == 0) begin : gen_chosen
        assign term = value[0] ? weight : '0;
      end else if (WEIGHT_BITS == 1) begin : gen_inverted
        assign term = TermBits'(value) ^ {TermBits{!weight[0]}};
      end else if (IN_KIND == 1) begin : gen_unsigned
        assign term = TermBits'(weight * $signed({1'b0, value}));
      end else begin : gen_signed
        assign term = TermBits'(weight * $signed(value));
      end
      assign terms[lane*TermBits+:TermBits] = term;
    end
    bonn_adder_tree #(.N(SIMD), .BITS(TermBits), .IS_SIGNED(1), .CUTS(CUTS)) tree (
      .clk, .ce, .numbers(terms), .sum(total)
    );
    assign sum = SUM_BITS'($signed(total));  // may be narrower than a beat's sum
    logic unused;
    assign unused = &{1'b0, total};
  end
endmodule
