// SPDX-License-Identifier: BSD-3-Clause
// The number of pairs of an input and a weight that agree, among N pairs, CUTS enabled clocks later.
//
// Three pairs at a time make a full adder. Its carry is one LUT of six inputs. Its sum is a pair
// again: the parity of the three inputs, and that of the three weights. So the sums take no LUT
// here: matrix units share the parities of the inputs (`parities.sv`), and of three weights the
// memory holds the first two and the parity, which is as many bits. Such pairs go through further
// full adders, until one is left, the lowest bit of the count. The N / 2 carries are counted in
// groups of six, whose counts an adder tree sums. Other structures: docs/synthesis.md.
//
// inputs: the N inputs, and the N / 2 parities of `parities.sv`.
// weights: bit 3 i + 2 is the parity of the weights 3 i to 3 i + 2; the others are weights.
module bonn_xnor_popcount #(
  parameter int N = 1,
  parameter int CUTS = 0,
  localparam int Adders = N / 2,
  localparam int Terms = N + Adders,
  localparam int CountBits = $clog2(N + 1)
) (
  input  logic                 clk,
  input  logic                 ce,
  input  logic [Terms-1:0]     inputs,
  input  logic [N-1:0]         weights,
  output logic [CountBits-1:0] count
);
  function automatic logic [N-1:0] thirds();
    thirds = '0;
    for (int i = 2; i < N; i += 3) thirds[i] = 1'b1;
  endfunction
  localparam logic [N-1:0] Thirds = thirds();

  logic [N-1:0] plain;  // the weights themselves
  assign plain = weights ^ (N'({weights, 1'b0}) ^ N'({weights, 2'b00})) & Thirds;

  // For simulation: one instruction instead of one per gate, which makes whole simulations five
  // times faster in Verilator. Icarus has four states: what is unknown stays unknown. Tests show
  // that the structure counts the same (tests/synth/test_netlists.py).
`ifdef VERILATOR
  bonn_delay #(.BITS(CountBits), .CYCLES(CUTS)) cut (
    .clk, .ce, .from(CountBits'($countones(inputs[N-1:0] ~^ plain))), .to(count)
  );
  logic unused;
  assign unused = &{1'b0, inputs};
`elsif __ICARUS__
  logic [N-1:0] agree;
  logic [CountBits-1:0] ones;
  assign agree = inputs[N-1:0] ~^ plain;
  assign ones = ^agree === 1'bx ? 'x : CountBits'($countones(agree));
  bonn_delay #(.BITS(CountBits), .CYCLES(CUTS)) cut (.clk, .ce, .from(ones), .to(count));
`else
  localparam int Groups = (Adders + 5) / 6;
  localparam int Padded = Groups > 0 ? Groups : 1;

  // A half adder, the last one if N is even, has a third pair that does not agree: 0 and 1.
  logic [Terms-1:0] terms, agree;  // the weights and their parities; pairs that agree
  logic [6*Padded-1:0] carries;
  always_comb begin
    terms = {{Adders{1'b1}}, plain};
    for (int i = 0; i < Adders; i++)
      terms[N+i] = 3 * i + 2 < N ? weights[3*i+2] : terms[3*i] ^ terms[3*i+1] ^ terms[3*i+2];
    agree = inputs ~^ terms;
    carries = '0;
    for (int i = 0; i < Adders; i++) begin
      carries[i] = agree[3*i] & agree[3*i+1];
      if (3 * i + 2 < N + i) carries[i] |= (agree[3*i] | agree[3*i+1]) & agree[3*i+2];
    end
  end

  logic [3*Padded-1:0] numbers, cut_numbers;
  for (genvar i = 0; i < Padded; i++) begin : gen_group
    always_comb begin
      numbers[3*i+:3] = '0;
      for (int j = 0; j < 6; j++) numbers[3*i+:3] += 3'(carries[6*i+j]);
    end
  end

  localparam int First = CUTS > 0 ? 1 : 0;
  localparam int SumBits = $clog2(7 * Padded + 1);
  logic [SumBits-1:0] sum;
  logic one;
  bonn_delay #(.BITS(3 * Padded), .CYCLES(First)) cut (.clk, .ce, .from(numbers), .to(cut_numbers));
  bonn_delay #(.BITS(1), .CYCLES(CUTS)) later (.clk, .ce, .from(agree[Terms-1]), .to(one));
  bonn_adder_tree #(.N(Padded), .BITS(3), .CUTS(CUTS - First)) tree (
    .clk, .ce, .numbers(cut_numbers), .sum
  );
  assign count = CountBits'({sum, one});
`endif
endmodule
