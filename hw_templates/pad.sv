// SPDX-License-Identifier: BSD-3-Clause
// Frames of H x W pixels of FOLDS beats, with TOP, LEFT, BOTTOM, RIGHT pixels of VALUE around them.
// A step makes one output beat: it takes an input beat inside the frame, and none in the border.
// Stalls when the output register is full and not taken, or when a beat of the frame is missing.
module bonn_pad #(
  parameter int LANES = 1,
  parameter int BITS = 1,
  parameter int H = 1,
  parameter int W = 1,
  parameter int FOLDS = 1,
  parameter int TOP = 0,
  parameter int LEFT = 0,
  parameter int BOTTOM = 0,
  parameter int RIGHT = 0,
  parameter logic [BITS-1:0] VALUE = '0
) (
  input  logic                  clk,
  input  logic                  rst,
  input  logic [LANES*BITS-1:0] s_axis_tdata,
  input  logic                  s_axis_tvalid,
  output logic                  s_axis_tready,
  output logic [LANES*BITS-1:0] m_axis_tdata,
  output logic                  m_axis_tvalid,
  input  logic                  m_axis_tready,
  output logic                  step
);
  localparam int Rows = TOP + H + BOTTOM;
  localparam int Cols = LEFT + W + RIGHT;
  localparam int FoldBits = FOLDS > 1 ? $clog2(FOLDS) : 1;
  localparam int XBits = Cols > 1 ? $clog2(Cols) : 1;
  localparam int YBits = Rows > 1 ? $clog2(Rows) : 1;

  if (LANES < 1 || BITS < 1 || H < 1 || W < 1 || FOLDS < 1) begin : gen_illegal
    $error("pad: LANES %0d, BITS %0d, H %0d, W %0d, FOLDS %0d must be positive",
           LANES, BITS, H, W, FOLDS);
  end
  if (TOP < 0 || LEFT < 0 || BOTTOM < 0 || RIGHT < 0) begin : gen_illegal_pads
    $error("pad: TOP %0d, LEFT %0d, BOTTOM %0d, RIGHT %0d must not be negative",
           TOP, LEFT, BOTTOM, RIGHT);
  end

  // Two state bits for "inside" are cheaper than comparing both counters with both ends.
  logic [FoldBits-1:0] unused_fold;
  logic [XBits-1:0] x;
  logic [YBits-1:0] y;
  logic x_in_frame_q, y_in_frame_q;
  logic ce, in_frame, fold_last, x_last, y_last, next_x, next_y;

  assign in_frame = x_in_frame_q && y_in_frame_q;
  assign next_x = step && fold_last;
  assign next_y = next_x && x_last;
  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && (s_axis_tvalid || !in_frame);
  assign s_axis_tready = ce && in_frame;

  bonn_counter #(.STATES(FOLDS)) folds (.clk, .rst, .step, .value(unused_fold), .last(fold_last));
  bonn_counter #(.STATES(Cols)) columns (.clk, .rst, .step(next_x), .value(x), .last(x_last));
  bonn_counter #(.STATES(Rows)) rows (.clk, .rst, .step(next_y), .value(y), .last(y_last));

  always_ff @(posedge clk) begin
    if (rst) begin
      x_in_frame_q <= LEFT == 0;
      y_in_frame_q <= TOP == 0;
    end else begin
      if (next_x) begin
        if (x_last) x_in_frame_q <= LEFT == 0;
        else if (int'(x) == LEFT - 1) x_in_frame_q <= 1'b1;
        else if (int'(x) == LEFT + W - 1) x_in_frame_q <= 1'b0;
      end
      if (next_y) begin
        if (y_last) y_in_frame_q <= TOP == 0;
        else if (int'(y) == TOP - 1) y_in_frame_q <= 1'b1;
        else if (int'(y) == TOP + H - 1) y_in_frame_q <= 1'b0;
      end
    end
  end

  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else m_axis_tvalid <= step || !ce;
    if (step) m_axis_tdata <= in_frame ? s_axis_tdata : {LANES{VALUE}};
  end
endmodule
