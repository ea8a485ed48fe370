// SPDX-License-Identifier: BSD-3-Clause
// Position of a pool in a frame of H x W pixels of FOLDS beats, one beat per step, with windows of
// KH x KW pixels that do not overlap. The outputs describe the beat that the next step takes:
// address: the memory word of its window, {window in the row, fold};
// covered: it is in a window, not in the rows and columns beyond the last whole window; otherwise
// the address is meaningless;
// first, last: it belongs to the first or last pixel of its window.
// Counts pixels within windows, and windows in a row. Rows of windows are counted only if there are
// rows beyond the last whole window; otherwise a frame ends with a window. The module that
// instantiates it checks the parameters.
module bonn_window_counter #(
  parameter int H = 2,
  parameter int W = 2,
  parameter int FOLDS = 1,
  parameter int KH = 2,
  parameter int KW = 2,
  localparam int Depth = (W / KW - 1) * (1 << $clog2(FOLDS)) + FOLDS,
  localparam int AddressBits = Depth > 1 ? $clog2(Depth) : 1
) (
  input  logic                   clk,
  input  logic                   rst,
  input  logic                   step,
  output logic [AddressBits-1:0] address,
  output logic                   covered,
  output logic                   first,
  output logic                   last
);
  localparam int OverX = W % KW;
  localparam int OverY = H % KH;
  localparam int Windows = (W + KW - 1) / KW;  // including an incomplete one
  localparam int Rows = OverY == 0 ? 1 : (H + KH - 1) / KH;
  localparam int FoldBits = FOLDS > 1 ? $clog2(FOLDS) : 1;
  localparam int WindowBits = Windows > 1 ? $clog2(Windows) : 1;
  localparam int RowBits = Rows > 1 ? $clog2(Rows) : 1;
  localparam int KxBits = KW > 1 ? $clog2(KW) : 1;
  localparam int KyBits = KH > 1 ? $clog2(KH) : 1;

  // The initial values are not needed for their value. Without them, Yosys merges the address into
  // the memory as a register of its read port, and builds a memory with two ports instead of one.
  logic [FoldBits-1:0] fold_q = '0;
  logic [WindowBits-1:0] window_q = '0;
  logic [KxBits-1:0] kx;
  logic [KyBits-1:0] ky;
  logic [RowBits-1:0] unused_row;
  logic fold_last, kx_last, ky_last, window_last, row_last, x_last, y_last, next_x, next_y;

  assign x_last = window_last && (OverX == 0 ? kx_last : kx == KxBits'(OverX - 1));
  assign y_last = row_last && (OverY == 0 ? ky_last : ky == KyBits'(OverY - 1));
  assign next_x = step && fold_last;
  assign next_y = next_x && x_last;
  assign address = AddressBits'(FOLDS > 1 ? {window_q, fold_q} : (WindowBits + FoldBits)'(window_q));
  assign covered = (OverX == 0 || !window_last) && (OverY == 0 || !row_last);
  // An incomplete window is smaller than a window, so its counters never reach these ends.
  assign last = kx_last && ky_last;

  // count + 1, without the carry chain of +, which takes a whole LUT per bit.
  function automatic int after(input int count);
    after[0] = !count[0];
    for (int i = 1; i < 32; i++) after[i] = count[i] != &(count | ~0 << i);
  endfunction

  assign fold_last = fold_q == FoldBits'(FOLDS - 1);
  assign window_last = window_q == WindowBits'(Windows - 1);
  always_ff @(posedge clk) begin
    if (rst) begin
      {window_q, fold_q} <= '0;
      first <= 1'b1;
    end else begin
      if (step) fold_q <= fold_last ? '0 : FoldBits'(after(int'(fold_q)));
      if (next_x && x_last) window_q <= '0;
      else if (next_x && kx_last) window_q <= WindowBits'(after(int'(window_q)));
      // A register, because every bit of a pool depends on it: one input of its LUT instead of two.
      if (next_x) first <= (kx_last || x_last) && (x_last ? ky_last || y_last : ky == '0);
    end
  end

  bonn_counter #(.STATES(KW)) columns (
    .clk, .rst(rst || OverX != 0 && next_y), .step(next_x), .value(kx), .last(kx_last)
  );
  bonn_counter #(.STATES(KH)) lines (
    .clk, .rst(rst || OverY != 0 && next_y && y_last), .step(next_y), .value(ky), .last(ky_last)
  );
  bonn_counter #(.STATES(Rows)) rows (
    .clk, .rst(rst || OverY != 0 && next_y && y_last), .step(next_y && ky_last),
    .value(unused_row), .last(row_last)
  );
endmodule
