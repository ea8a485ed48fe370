// SPDX-License-Identifier: BSD-3-Clause
// Index of the largest of FOLDS * LANES numbers, the lowest index of equal ones. A step takes a
// beat of LANES numbers. A tournament finds the largest of them, which is compared with the largest
// of the beats before. After the last beat of a frame the output is the index, INDEX_BITS wide.
// The tournament is not pipelined: its logic depth is up to three LUTs per round, in
// ceil(log2(LANES)) rounds, plus one where FOLDS > 1. Use few lanes for a high clock.
// Stalls when the output register is full and not taken.
module bonn_label_select #(
  parameter int LANES = 1,
  parameter int BITS = 2,
  parameter bit IS_SIGNED = 0,
  parameter int FOLDS = 2,
  parameter int INDEX_BITS = 1  // derived: holds every index
) (
  input  logic                  clk,
  input  logic                  rst,
  input  logic [LANES*BITS-1:0] s_axis_tdata,
  input  logic                  s_axis_tvalid,
  output logic                  s_axis_tready,
  output logic [INDEX_BITS-1:0] m_axis_tdata,
  output logic                  m_axis_tvalid,
  input  logic                  m_axis_tready,
  output logic                  step
);
  if (LANES < 1 || BITS < 1 || FOLDS < 1 || 2 ** INDEX_BITS < LANES * FOLDS) begin : gen_illegal
    $error("label_select: INDEX_BITS %0d must hold LANES %0d times FOLDS %0d indices",
           INDEX_BITS, LANES, FOLDS);
  end

  logic ce, first, last;
  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && s_axis_tvalid;
  assign s_axis_tready = ce;

  localparam int FoldBits = FOLDS > 1 ? $clog2(FOLDS) : 1;
  logic [FoldBits-1:0] fold;
  bonn_counter #(.STATES(FOLDS)) u_fold (.clk, .rst, .step, .value(fold), .last);
  assign first = fold == '0;

  // Tournament, a binary tree: node i is the larger of nodes 2i and 2i + 1; node 1 is the result.
  // With the sign bit inverted, signed codes compare like unsigned numbers. Leaves without a lane are
  // zeros: they are on the right, where only a larger number wins.
  localparam int Leaves = 1 << $clog2(LANES);
  localparam logic [BITS-1:0] Sign = IS_SIGNED ? BITS'(1) << (BITS - 1) : '0;
  logic [BITS-1:0] value[2*Leaves];
  logic [INDEX_BITS-1:0] index[2*Leaves];
  assign value[0] = '0;
  assign index[0] = '0;
  for (genvar leaf = 0; leaf < Leaves; leaf++) begin : gen_leaf
    if (leaf < LANES) begin : gen_lane
      assign value[Leaves+leaf] = s_axis_tdata[leaf*BITS+:BITS] ^ Sign;
    end else begin : gen_none
      assign value[Leaves+leaf] = '0;
    end
    assign index[Leaves+leaf] = INDEX_BITS'(leaf);
  end
  for (genvar place = 1; place < Leaves; place++) begin : gen_place
    logic right;
    assign right = value[2*place+1] > value[2*place];
    assign value[place] = right ? value[2*place+1] : value[2*place];
    assign index[place] = right ? index[2*place+1] : index[2*place];
  end

  logic [BITS-1:0] best;
  logic [INDEX_BITS-1:0] best_index, base;
  logic better;
  assign better = first || value[1] > best;

  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else m_axis_tvalid <= (step && last) || !ce;
    if (rst) base <= '0;
    else if (step) base <= last ? '0 : base + INDEX_BITS'(LANES);
    if (step && better) begin
      best <= value[1];
      best_index <= base + index[1];
    end
    if (step) m_axis_tdata <= better ? base + index[1] : best_index;
  end

  logic unused;
  assign unused = &{1'b0, value[0], index[0]};
endmodule
