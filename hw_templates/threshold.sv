// SPDX-License-Identifier: BSD-3-Clause
// Output bit (x >= level) != inverted for every lane; a level is the threshold of a channel.
// LEVELS: FOLDS words; channel fold * LANES + lane is at bit lane * (LEVEL_BITS + 1) of word fold,
// the level below, the inversion on top of it.
// BLOCK: the levels are in block memory.
// A step takes a beat; its result is valid two cycles later, or one where FOLDS is 1: a single word
// is not read from a memory. Stalls when the output is not taken.
module bonn_threshold #(
  parameter int LANES = 1,
  parameter int BITS = 8,
  parameter bit IS_SIGNED = 0,
  parameter int FOLDS = 1,
  parameter int LEVEL_BITS = 8,  // derived: holds every level
  parameter bit BLOCK = 0,
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

  logic [LANES*BITS-1:0] beat;
  logic [LANES*Field-1:0] word;
  logic ce, valid, load;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && s_axis_tvalid;
  assign s_axis_tready = ce;
  assign load = ce && valid;

  bonn_rom_sequence #(.DEPTH(FOLDS), .WIDTH(LANES * Field), .BLOCK(BLOCK), .FILE(LEVELS)) u_levels (
    .clk, .rst, .read(step), .word
  );

  if (FOLDS == 1) begin : gen_constant
    assign beat = s_axis_tdata;
    assign valid = s_axis_tvalid;
  end else begin : gen_read
    logic [LANES*BITS-1:0] beat_q;
    logic valid_q;
    always_ff @(posedge clk) begin
      if (rst) valid_q <= 1'b0;
      else if (ce) valid_q <= s_axis_tvalid;
      if (step) beat_q <= s_axis_tdata;
    end
    assign beat = beat_q;
    assign valid = valid_q;
  end

  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else m_axis_tvalid <= valid || !ce;
  end

  for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
    logic [BITS-1:0] value;
    logic [LEVEL_BITS-1:0] extended, level;
    logic above;
    assign value = beat[lane*BITS+:BITS];
    assign level = word[lane*Field+:LEVEL_BITS];
    if (IS_SIGNED) begin : gen_signed
      assign extended = LEVEL_BITS'($signed(value));
      assign above = $signed(extended) >= $signed(level);
    end else begin : gen_unsigned
      assign extended = LEVEL_BITS'(value);
      assign above = extended >= level;
    end
    always_ff @(posedge clk) begin
      if (load) m_axis_tdata[lane] <= above != word[lane*Field+LEVEL_BITS];
    end
  end
endmodule
