// SPDX-License-Identifier: BSD-3-Clause
// Indices of the COUNT largest of FOLDS * LANES numbers, the largest first; of equal ones the lowest
// index first. After the last beat of a frame the output is these indices, INDEX_BITS wide each.
// A step takes a beat of LANES numbers. COUNT 1: a tournament finds the largest of them, which is compared with the largest
// of the beats before. COUNT > 1, where LANES is 1: each number is inserted into a sorted list.
// The tournament is not pipelined: its logic depth is up to three LUTs per round, in
// ceil(log2(LANES)) rounds, plus one where FOLDS > 1. Use few lanes for a high clock.
// Stalls when the output register is full and not taken.
module bonn_label_select #(
  parameter int LANES = 1,
  parameter int BITS = 2,
  parameter bit IS_SIGNED = 0,
  parameter int FOLDS = 2,
  parameter int INDEX_BITS = 1,  // derived: holds every index
  parameter int COUNT = 1
) (
  input  logic                  clk,
  input  logic                  rst,
  input  logic [LANES*BITS-1:0] s_axis_tdata,
  input  logic                  s_axis_tvalid,
  output logic                  s_axis_tready,
  output logic [COUNT*INDEX_BITS-1:0] m_axis_tdata,
  output logic                  m_axis_tvalid,
  input  logic                  m_axis_tready,
  output logic                  step
);
  if (LANES < 1 || BITS < 1 || FOLDS < 1 || 2 ** INDEX_BITS < LANES * FOLDS) begin : gen_illegal
    $error("label_select: INDEX_BITS %0d must hold LANES %0d times FOLDS %0d indices",
           INDEX_BITS, LANES, FOLDS);
  end

  if (COUNT < 1 || COUNT > LANES * FOLDS || (COUNT > 1 && LANES > 1)) begin : gen_illegal_count
    $error("label_select: COUNT %0d must be 1 to %0d, and 1 where LANES %0d is more than 1",
           COUNT, LANES * FOLDS, LANES);
  end

  logic ce, first, last;
  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && s_axis_tvalid;
  assign s_axis_tready = ce;

  localparam int FoldBits = FOLDS > 1 ? $clog2(FOLDS) : 1;
  logic [FoldBits-1:0] fold;
  bonn_counter #(.STATES(FOLDS)) u_fold (.clk, .rst, .step, .value(fold), .last);
  assign first = fold == '0;

  // With the sign bit inverted, signed codes compare like unsigned numbers.
  localparam logic [BITS-1:0] Sign = IS_SIGNED ? BITS'(1) << (BITS - 1) : '0;

  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else m_axis_tvalid <= (step && last) || !ce;
  end

  if (COUNT == 1) begin : gen_one
    // Tournament, a binary tree: node i is the larger of nodes 2i and 2i + 1; node 1 is the result.
    // Leaves without a lane are zeros: they are on the right, where only a larger number wins.
    localparam int Leaves = 1 << $clog2(LANES);
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
  end else begin : gen_list
    // Places 0 to COUNT - 1, the largest first. A number takes the first place that is empty or holds
    // a smaller one; the places below move down. COUNT beats fill all places.
    logic [BITS-1:0] value;
    logic [BITS-1:0] best[COUNT];
    logic [INDEX_BITS-1:0] index;
    logic [COUNT*INDEX_BITS-1:0] indices_q, indices;
    logic [COUNT-1:0] filled_q, better;
    assign value = s_axis_tdata ^ Sign;
    assign index = INDEX_BITS'(fold);

    for (genvar place = 0; place < COUNT; place++) begin : gen_place
      assign better[place] = first || !filled_q[place] || value > best[place];
      if (place == 0) begin : gen_top
        assign indices[0+:INDEX_BITS] = better[0] ? index : indices_q[0+:INDEX_BITS];
        always_ff @(posedge clk) if (step && better[0]) best[0] <= value;
      end else begin : gen_below
        assign indices[place*INDEX_BITS+:INDEX_BITS] =
            !better[place] ? indices_q[place*INDEX_BITS+:INDEX_BITS]
            : better[place-1] ? indices_q[(place-1)*INDEX_BITS+:INDEX_BITS] : index;
        always_ff @(posedge clk) begin
          if (step && better[place]) best[place] <= better[place-1] ? best[place-1] : value;
        end
      end
    end

    always_ff @(posedge clk) begin
      if (step) begin
        filled_q <= first ? COUNT'(1) : {filled_q[COUNT-2:0], 1'b1};
        indices_q <= indices;
        m_axis_tdata <= indices;
      end
    end
  end
endmodule
