// SPDX-License-Identifier: BSD-3-Clause
// A staircase of 2 ** OUT_BITS levels for every channel: the output code is the number of its
// 2 ** OUT_BITS - 1 thresholds that a value reaches; for an inverted channel, that it does not reach.
// The code is found by binary search, a bit a step (cells/search_step.sv), so that a channel needs
// OUT_BITS comparisons and not one for each threshold.
// OUT_SIGNED: the lowest code is the most negative number, otherwise 0.
// LEVELS_0 ... LEVELS_7: the thresholds of each step; BLOCKS: whether a step's are in block memory.
// A step takes a beat. Its result is valid 2 * OUT_BITS cycles later, or one less where FOLDS is 1:
// the first threshold is then a constant. Stalls when the output is not taken.
module bonn_multi_threshold #(
  parameter int LANES = 1,
  parameter int BITS = 8,
  parameter bit IS_SIGNED = 1,
  parameter int FOLDS = 1,
  parameter int LEVEL_BITS = 8,  // derived: holds every threshold
  parameter int OUT_BITS = 2,
  parameter bit OUT_SIGNED = 0,
  parameter logic [7:0] BLOCKS = '0,
  parameter LEVELS_0 = "",
  parameter LEVELS_1 = "",
  parameter LEVELS_2 = "",
  parameter LEVELS_3 = "",
  parameter LEVELS_4 = "",
  parameter LEVELS_5 = "",
  parameter LEVELS_6 = "",
  parameter LEVELS_7 = ""
) (
  input  logic                      clk,
  input  logic                      rst,
  input  logic [LANES*BITS-1:0]     s_axis_tdata,
  input  logic                      s_axis_tvalid,
  output logic                      s_axis_tready,
  output logic [LANES*OUT_BITS-1:0] m_axis_tdata,
  output logic                      m_axis_tvalid,
  input  logic                      m_axis_tready,
  output logic                      step
);
  if (LANES < 1 || BITS < 1 || FOLDS < 1 || LEVEL_BITS < BITS) begin : gen_illegal
    $error("multi_threshold: LANES %0d, FOLDS %0d must be positive, LEVEL_BITS %0d at least BITS %0d",
           LANES, FOLDS, LEVEL_BITS, BITS);
  end
  if (OUT_BITS < 1 || OUT_BITS > 8) begin : gen_illegal_code
    $error("multi_threshold: OUT_BITS %0d must be from 1 to 8", OUT_BITS);
  end

  localparam int FoldBits = FOLDS > 1 ? $clog2(FOLDS) : 1;
  localparam int Latency = 2 * OUT_BITS - (FOLDS == 1);

  logic ce, unused_last;
  logic [Latency-1:0] valid;  // valid[i]: a beat is i + 1 cycles behind the input
  logic [FoldBits-1:0] first;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && s_axis_tvalid;
  assign s_axis_tready = ce;
  assign m_axis_tvalid = valid[Latency-1];

  always_ff @(posedge clk) begin
    if (rst) valid <= '0;
    else if (ce) valid <= Latency'({valid, s_axis_tvalid});
  end

  bonn_counter #(.STATES(FOLDS)) folds (.clk, .rst, .step, .value(first), .last(unused_last));

  for (genvar i = 0; i < OUT_BITS; i++) begin : gen_step
    localparam int Found = i > 0 ? i : 1;
    logic [FoldBits-1:0] s_fold, m_fold;
    logic [LANES*BITS-1:0] s_value, m_value;
    logic [LANES*Found-1:0] s_code;
    logic [LANES*(i+1)-1:0] m_code;
    logic [LANES-1:0] s_inverted, m_inverted;
    if (i == 0) begin : gen_first
      assign s_fold = first;
      assign s_value = s_axis_tdata;
      assign s_code = '0;
      assign s_inverted = '0;
    end else begin : gen_next
      assign s_fold = gen_step[i-1].m_fold;
      assign s_value = gen_step[i-1].m_value;
      assign s_code = gen_step[i-1].m_code;
      assign s_inverted = gen_step[i-1].m_inverted;
    end
    // A file name cannot be chosen by an index.
    case (i)
      0: begin : gen_0
        bonn_search_step #(
          .LANES(LANES), .BITS(BITS), .IS_SIGNED(IS_SIGNED), .FOLDS(FOLDS), .STEP(i),
          .LEVEL_BITS(LEVEL_BITS), .BLOCK(BLOCKS[i]), .LEVELS(LEVELS_0)
        ) search (.*);
      end
      1: begin : gen_1
        bonn_search_step #(
          .LANES(LANES), .BITS(BITS), .IS_SIGNED(IS_SIGNED), .FOLDS(FOLDS), .STEP(i),
          .LEVEL_BITS(LEVEL_BITS), .BLOCK(BLOCKS[i]), .LEVELS(LEVELS_1)
        ) search (.*);
      end
      2: begin : gen_2
        bonn_search_step #(
          .LANES(LANES), .BITS(BITS), .IS_SIGNED(IS_SIGNED), .FOLDS(FOLDS), .STEP(i),
          .LEVEL_BITS(LEVEL_BITS), .BLOCK(BLOCKS[i]), .LEVELS(LEVELS_2)
        ) search (.*);
      end
      3: begin : gen_3
        bonn_search_step #(
          .LANES(LANES), .BITS(BITS), .IS_SIGNED(IS_SIGNED), .FOLDS(FOLDS), .STEP(i),
          .LEVEL_BITS(LEVEL_BITS), .BLOCK(BLOCKS[i]), .LEVELS(LEVELS_3)
        ) search (.*);
      end
      4: begin : gen_4
        bonn_search_step #(
          .LANES(LANES), .BITS(BITS), .IS_SIGNED(IS_SIGNED), .FOLDS(FOLDS), .STEP(i),
          .LEVEL_BITS(LEVEL_BITS), .BLOCK(BLOCKS[i]), .LEVELS(LEVELS_4)
        ) search (.*);
      end
      5: begin : gen_5
        bonn_search_step #(
          .LANES(LANES), .BITS(BITS), .IS_SIGNED(IS_SIGNED), .FOLDS(FOLDS), .STEP(i),
          .LEVEL_BITS(LEVEL_BITS), .BLOCK(BLOCKS[i]), .LEVELS(LEVELS_5)
        ) search (.*);
      end
      6: begin : gen_6
        bonn_search_step #(
          .LANES(LANES), .BITS(BITS), .IS_SIGNED(IS_SIGNED), .FOLDS(FOLDS), .STEP(i),
          .LEVEL_BITS(LEVEL_BITS), .BLOCK(BLOCKS[i]), .LEVELS(LEVELS_6)
        ) search (.*);
      end
      default: begin : gen_7
        bonn_search_step #(
          .LANES(LANES), .BITS(BITS), .IS_SIGNED(IS_SIGNED), .FOLDS(FOLDS), .STEP(i),
          .LEVEL_BITS(LEVEL_BITS), .BLOCK(BLOCKS[i]), .LEVELS(LEVELS_7)
        ) search (.*);
      end
    endcase
    if (i == OUT_BITS - 1) begin : gen_last
      logic unused;
      assign unused = &{1'b0, m_fold, m_value, m_inverted};
      for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
        logic [OUT_BITS-1:0] code;
        assign code = m_code[lane*OUT_BITS+:OUT_BITS];
        // Codes count from the lowest output: its top bit is the sign, the other way round.
        assign m_axis_tdata[lane*OUT_BITS+:OUT_BITS] =
            code ^ (OUT_SIGNED ? OUT_BITS'(1) << (OUT_BITS - 1) : '0);
      end
    end
  end
endmodule
