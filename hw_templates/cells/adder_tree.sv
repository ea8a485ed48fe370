// SPDX-License-Identifier: BSD-3-Clause
// The exact sum of N numbers of BITS bits, as a tree that adds three numbers at a time. One LUT
// adds one bit of three numbers: it holds a full adder and a bit of the carry chain that adds the
// full adders' outputs.
// CUTS pipeline registers, enabled by ce, cut the tree after its first level of additions, after
// the third, and so on. The sum comes CUTS cycles later. Between two registers there are at most
// two additions, with a logic depth of four LUTs.
module bonn_adder_tree #(
  parameter int N = 1,
  parameter int BITS = 2,
  parameter bit IS_SIGNED = 0,
  parameter int CUTS = 0,
  localparam int SumBits = IS_SIGNED ? BITS + $clog2(N) : $clog2(N * (2 ** BITS - 1) + 1)
) (
  input  logic               clk,
  input  logic               ce,
  input  logic [N*BITS-1:0]  numbers,
  output logic [SumBits-1:0] sum
);
  // Inputs that a number of a level is the sum of; bits of the number; numbers of the level.
  function automatic int span(input int level);
    span = 1;
    for (int i = 0; i < level; i++) span *= 3;
    if (span > N) span = N;
  endfunction
  function automatic int width(input int level);
    width = IS_SIGNED ? BITS + $clog2(span(level)) : $clog2(span(level) * (2 ** BITS - 1) + 1);
  endfunction
  function automatic int count(input int level);
    count = (N + span(level) - 1) / span(level);
  endfunction
  function automatic int levels();
    levels = 0;
    while (span(levels) < N) levels++;
  endfunction
  localparam int Levels = levels();

  if (N < 1 || BITS < 1 || (!IS_SIGNED && BITS > 8) || CUTS < 0 || 2 * CUTS - 1 > Levels)
  begin : gen_illegal
    $error("adder_tree: N %0d, BITS %0d must be positive (unsigned: 8 at most), %0d levels cannot be \
cut at %0d places", N, BITS, Levels, CUTS);
  end

  for (genvar level = 0; level <= Levels; level++) begin : gen_level
    localparam int Count = count(level);
    localparam int Width = width(level);
    logic [Count*Width-1:0] sums, out;
    if (level == 0) begin : gen_numbers
      assign sums = numbers;
    end else begin : gen_additions
      localparam int Narrow = width(level - 1);
      localparam int Below = count(level - 1);
      for (genvar i = 0; i < Count; i++) begin : gen_addition
        logic [Width-1:0] operands[3];
        for (genvar j = 0; j < 3; j++) begin : gen_operand
          if (3 * i + j >= Below) begin : gen_none
            assign operands[j] = '0;
          end else if (IS_SIGNED) begin : gen_signed
            assign operands[j] = Width'($signed(gen_level[level-1].out[(3*i+j)*Narrow+:Narrow]));
          end else begin : gen_unsigned
            assign operands[j] = Width'(gen_level[level-1].out[(3*i+j)*Narrow+:Narrow]);
          end
        end
        logic [Width-1:0] a, b, c, ones, twos;
        assign {a, b, c} = {operands[0], operands[1], operands[2]};
        assign ones = a ^ b ^ c;
        assign twos = a & b | a & c | b & c;
        assign sums[i*Width+:Width] = ones + (twos << 1);
      end
    end
    if (level % 2 == 1 && level < 2 * CUTS) begin : gen_cut
      always_ff @(posedge clk) if (ce) out <= sums;
    end else begin : gen_wire
      assign out = sums;
    end
  end
  assign sum = gen_level[Levels].out;

  if (CUTS == 0) begin : gen_at_once
    logic unused;
    assign unused = &{1'b0, clk, ce};
  end
endmodule
