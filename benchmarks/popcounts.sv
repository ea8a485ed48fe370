// SPDX-License-Identifier: BSD-3-Clause
// Structures that count the ones of N bits, for comparison: what `popcount.sv` could have been.
module trial #(
  parameter int N = 9,
  parameter int STRUCTURE = 0,
  localparam int SumBits = $clog2(N + 1) + 4
) (
  input  logic               clk,
  input  logic               first,
  input  logic [N-1:0]       data,
  input  logic [N-1:0]       weights,
  output logic [SumBits-1:0] sum
);
  // As in a matrix unit: both operands come from registers, the count is added to a register.
  logic [N-1:0] x, w, ones;
  logic [$clog2(N+1)-1:0] count;
  assign ones = ~(x ^ w);
  always_ff @(posedge clk) begin
    x <= data;
    w <= weights;
    sum <= (first ? SumBits'(0) : sum) + SumBits'(count);
  end

  if (STRUCTURE == 0) begin : gen_behaviour
    always_comb begin
      count = '0;
      for (int i = 0; i < N; i++) count += ($clog2(N + 1))'(ones[i]);
    end
  end else if (STRUCTURE == 1) begin : gen_full_adders
    full_adders #(.N(N)) counter (.bits(ones), .count(count));
  end else begin : gen_groups
    // Groups of six into three bits, or of three into two; then adders of two numbers, or of three.
    localparam int Group = STRUCTURE == 2 ? 6 : 3;
    localparam int Groups = (N + Group - 1) / Group;
    localparam int Bits = STRUCTURE == 2 ? 3 : 2;
    logic [Groups*Group-1:0] padded;
    logic [Groups*Bits-1:0] numbers;
    assign padded = (Groups * Group)'(ones);
    for (genvar i = 0; i < Groups; i++) begin : gen_group
      logic [Group-1:0] bits;
      assign bits = padded[i*Group+:Group];
      always_comb begin
        numbers[i*Bits+:Bits] = '0;
        for (int j = 0; j < Group; j++) numbers[i*Bits+:Bits] += Bits'(bits[j]);
      end
    end
    if (STRUCTURE == 4) begin : gen_by_three
      localparam int TreeBits = $clog2(Groups * 3 + 1);
      logic [TreeBits-1:0] all;
      bonn_adder_tree #(.N(Groups), .BITS(Bits)) tree (.clk, .ce(1'b1), .numbers, .sum(all));
      assign count = ($clog2(N + 1))'(all);
    end else begin : gen_by_two
      pairs #(.N(Groups), .BITS(Bits), .OUT_BITS($clog2(N + 1))) tree (.numbers, .sum(count));
    end
  end
endmodule

// Full adders written one by one: two halves and the last bit as the carry that comes in.
module full_adders #(
  parameter int N = 3,
  localparam int Bits = $clog2(N + 1)
) (
  input  logic [N-1:0]    bits,
  output logic [Bits-1:0] count
);
  if (N == 1) begin : gen_bit
    assign count = bits;
  end else begin : gen_halves
    localparam int Low = N / 2;
    localparam int High = N - 1 - Low;
    localparam int HalfBits = $clog2(Low + 1);
    logic [HalfBits-1:0] low, high, total;
    logic [HalfBits:0] carry;
    full_adders #(.N(Low)) low_half (.bits(bits[Low-1:0]), .count(low));
    if (High > 0) begin : gen_high
      logic [$clog2(High+1)-1:0] few;
      full_adders #(.N(High)) high_half (.bits(bits[Low+:High]), .count(few));
      assign high = HalfBits'(few);
    end else begin : gen_none
      assign high = '0;
    end
    assign carry[0] = bits[N-1];
    for (genvar i = 0; i < HalfBits; i++) begin : gen_adder
      assign total[i] = low[i] ^ high[i] ^ carry[i];
      assign carry[i+1] = low[i] & high[i] | low[i] & carry[i] | high[i] & carry[i];
    end
    assign count = Bits'({carry[HalfBits], total});
  end
endmodule

// The sum of N numbers, two to one.
module pairs #(
  parameter int N = 2,
  parameter int BITS = 2,
  parameter int OUT_BITS = 3
) (
  input  logic [N*BITS-1:0]   numbers,
  output logic [OUT_BITS-1:0] sum
);
  if (N == 1) begin : gen_one
    assign sum = OUT_BITS'(numbers);
  end else begin : gen_two
    localparam int Few = N / 2;
    localparam int Many = N - Few;
    localparam int Half = BITS + $clog2(Many);
    logic [Half-1:0] low, high;
    pairs #(.N(Many), .BITS(BITS), .OUT_BITS(Half)) low_half (
      .numbers(numbers[Many*BITS-1:0]), .sum(low)
    );
    pairs #(.N(Few), .BITS(BITS), .OUT_BITS(Half)) high_half (
      .numbers(numbers[N*BITS-1:Many*BITS]), .sum(high)
    );
    assign sum = OUT_BITS'({1'b0, low} + {1'b0, high});
  end
endmodule
