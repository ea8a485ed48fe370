// SPDX-License-Identifier: BSD-3-Clause
// Bit 1 where (x >= level) differs from inverted, for every lane; levels by channel.
// LEVELS: FOLDS words; channel fold * LANES + lane is at bit lane * (LEVEL_BITS + 1) of word fold,
// the level below, the inversion on top of it.
// A step takes a beat; its result is valid two cycles later. Stalls when the output is not taken.
module threshold #(
  parameter int LANES = 1,
  parameter int BITS = 8,
  parameter bit IS_SIGNED = 0,
  parameter int FOLDS = 1,
  parameter int LEVEL_BITS = 9,
  parameter LEVELS = ""
) (
  input  logic                  clk,
  input  logic                  rst,
  input  logic [LANES*BITS-1:0] s_axis_tdata,
  input  logic                  s_axis_tvalid,
  output logic                  s_axis_tready,
  output logic [LANES-1:0]      m_axis_tdata,
  output logic                  m_axis_tvalid,
  input  logic                  m_axis_tready,
  output logic                  step
);
  if (LANES < 1 || BITS < 1 || FOLDS < 1 || LEVEL_BITS < BITS) begin : gen_illegal
    $error("threshold: LANES %0d, FOLDS %0d must be positive, LEVEL_BITS %0d at least BITS %0d",
           LANES, FOLDS, LEVEL_BITS, BITS);
  end

  localparam int Field = LEVEL_BITS + 1;
  localparam int FoldBits = FOLDS > 1 ? $clog2(FOLDS) : 1;

  logic [LANES*Field-1:0] levels[FOLDS];
  initial $readmemh(LEVELS, levels);

  logic [LANES*BITS-1:0] beat_q;
  logic [LANES*Field-1:0] level_q;
  logic [FoldBits-1:0] fold_q;
  logic valid_q, ce;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && s_axis_tvalid;
  assign s_axis_tready = ce;

  always_ff @(posedge clk) begin
    if (rst) begin
      fold_q <= '0;
      valid_q <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end else if (ce) begin
      if (step) fold_q <= fold_q == FoldBits'(FOLDS - 1) ? '0 : fold_q + 1'b1;
      valid_q <= step;
      m_axis_tvalid <= valid_q;
    end
    if (step) beat_q <= s_axis_tdata;
    if (step) level_q <= levels[fold_q];
  end

  for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
    logic [BITS-1:0] value;
    logic [LEVEL_BITS-1:0] extended, level;
    logic above;
    assign value = beat_q[lane*BITS+:BITS];
    assign level = level_q[lane*Field+:LEVEL_BITS];
    if (IS_SIGNED) begin : gen_signed
      assign extended = LEVEL_BITS'($signed(value));
      assign above = $signed(extended) >= $signed(level);
    end else begin : gen_unsigned
      assign extended = LEVEL_BITS'(value);
      assign above = extended >= level;
    end
    always_ff @(posedge clk) begin
      if (ce && valid_q) m_axis_tdata[lane] <= above != level_q[lane*Field+LEVEL_BITS];
    end
  end
endmodule
