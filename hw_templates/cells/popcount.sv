// SPDX-License-Identifier: BSD-3-Clause
// The number of ones among N bits, CUTS enabled clocks later. The count of three bits is a number
// of two bits, two LUTs even if each bit is an XNOR; an adder tree sums these numbers.
// Alone, groups of six that make numbers of three bits take fewer LUTs at 32 bits
// (docs/synthesis.md). Within a matrix unit this structure takes fewer: 335 against 371 LUTs for
// 8 neurons and 32 inputs.
module bonn_popcount #(
  parameter int N = 1,
  parameter int CUTS = 0,
  localparam int Groups = (N + 2) / 3,
  localparam int CountBits = $clog2(3 * Groups + 1)
) (
  input  logic                 clk,
  input  logic                 ce,
  input  logic [N-1:0]         bits,
  output logic [CountBits-1:0] count
);
  // For simulation: one instruction instead of one per gate, which makes whole simulations five
  // times faster in Verilator. Icarus has four states: what is unknown stays unknown. Tests show
  // that the structure counts the same (tests/synth/test_netlists.py).
`ifdef VERILATOR
  bonn_delay #(.BITS(CountBits), .CYCLES(CUTS)) cut (
    .clk, .ce, .from(CountBits'($countones(bits))), .to(count)
  );
`elsif __ICARUS__
  logic [CountBits-1:0] ones;
  assign ones = ^bits === 1'bx ? 'x : CountBits'($countones(bits));
  bonn_delay #(.BITS(CountBits), .CYCLES(CUTS)) cut (.clk, .ce, .from(ones), .to(count));
`else
  logic [3*Groups-1:0] padded;
  logic [2*Groups-1:0] numbers;
  assign padded = (3 * Groups)'(bits);
  for (genvar i = 0; i < Groups; i++) begin : gen_group
    logic a, b, c;
    assign {a, b, c} = padded[3*i+:3];
    assign numbers[2*i+:2] = {a & b | a & c | b & c, a ^ b ^ c};
  end
  bonn_adder_tree #(.N(Groups), .BITS(2), .CUTS(CUTS)) tree (.clk, .ce, .numbers, .sum(count));
`endif
endmodule
