// SPDX-License-Identifier: BSD-3-Clause
// One step of a binary search for the output code of every lane: one bit more of it, MSB first.
// The bits found so far, `s_code`, are the address of the threshold that decides the next one.
// LEVELS: FOLDS * 2 ** STEP words; the threshold of channel fold * LANES + lane for a code is in word
// fold * 2 ** STEP + code. A lane's field is a threshold of LEVEL_BITS; the first step has on top of
// it whether the channel is inverted: then a bit is set where the value is below its threshold.
// In the first step all lanes read one word. After it every lane has its own address and therefore a
// memory of its own, initialised with the whole file.
// A beat takes two cycles with `ce` set: to read, and to compare. A single word is a constant, which
// is not read: one cycle.
module bonn_search_step #(
  parameter int LANES = 1,
  parameter int BITS = 8,
  parameter bit IS_SIGNED = 1,
  parameter int FOLDS = 1,
  parameter int STEP = 0,
  parameter int LEVEL_BITS = 8,
  parameter bit BLOCK = 0,
  parameter LEVELS = "",
  localparam int FoldBits = FOLDS > 1 ? $clog2(FOLDS) : 1,
  localparam int CodeBits = STEP > 0 ? STEP : 1  // with 0 bits found, one that is not used
) (
  input  logic                        clk,
  input  logic                        ce,
  input  logic [FoldBits-1:0]         s_fold,
  input  logic [LANES*BITS-1:0]       s_value,
  input  logic [LANES*CodeBits-1:0]   s_code,
  input  logic [LANES-1:0]            s_inverted,
  output logic [FoldBits-1:0]         m_fold,
  output logic [LANES*BITS-1:0]       m_value,
  output logic [LANES*(STEP+1)-1:0]   m_code,
  output logic [LANES-1:0]            m_inverted
);
  localparam int Words = FOLDS << STEP;
  localparam int Field = LEVEL_BITS + (STEP == 0);
  localparam int AddressBits = Words > 1 ? $clog2(Words) : 1;

  logic [LANES*Field-1:0] field;
  logic [FoldBits-1:0] fold;
  logic [LANES*BITS-1:0] value;
  logic [LANES*CodeBits-1:0] code;
  logic [LANES-1:0] inverted;

  if (Words == 1) begin : gen_constant
    assign {fold, value, code, inverted} = {s_fold, s_value, s_code, s_inverted};
  end else begin : gen_read
    always_ff @(posedge clk) begin
      if (ce) {fold, value, code, inverted} <= {s_fold, s_value, s_code, s_inverted};
    end
  end

  if (STEP == 0) begin : gen_shared
    bonn_rom #(.DEPTH(Words), .WIDTH(LANES * Field), .BLOCK(BLOCK), .FILE(LEVELS)) levels (
      .clk, .read(ce), .address(AddressBits'(s_fold)), .word(field)
    );
  end

  for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
    logic [BITS-1:0] x;
    logic [LEVEL_BITS-1:0] extended, level;
    logic reached, falls, found;

    if (STEP > 0) begin : gen_own
      logic [LANES*Field-1:0] word;
      bonn_rom #(.DEPTH(Words), .WIDTH(LANES * Field), .BLOCK(BLOCK), .FILE(LEVELS)) levels (
        .clk, .read(ce), .address(AddressBits'({s_fold, s_code[lane*CodeBits+:CodeBits]})), .word
      );
      assign field[lane*Field+:Field] = word[lane*Field+:Field];
      if (LANES > 1) begin : gen_others
        logic unused;
        assign unused = &{1'b0, word};
      end
    end

    assign x = value[lane*BITS+:BITS];
    assign level = field[lane*Field+:LEVEL_BITS];
    if (IS_SIGNED) begin : gen_signed
      assign extended = LEVEL_BITS'($signed(x));
      assign reached = $signed(extended) >= $signed(level);
    end else begin : gen_unsigned
      assign extended = LEVEL_BITS'(x);
      assign reached = extended >= level;
    end
    if (STEP == 0) begin : gen_falls
      assign falls = field[lane*Field+LEVEL_BITS];
    end else begin : gen_fallen
      assign falls = inverted[lane];
    end
    assign found = reached != falls;

    always_ff @(posedge clk) begin
      if (ce) begin
        m_code[lane*(STEP+1)] <= found;
        m_inverted[lane] <= falls;
      end
    end
    if (STEP > 0) begin : gen_above
      always_ff @(posedge clk) begin
        if (ce) m_code[lane*(STEP+1)+1+:STEP] <= code[lane*CodeBits+:CodeBits];
      end
    end
  end

  always_ff @(posedge clk) begin
    if (ce) {m_fold, m_value} <= {fold, value};
  end

  logic unused;
  assign unused = &{1'b0, code, inverted};
endmodule
