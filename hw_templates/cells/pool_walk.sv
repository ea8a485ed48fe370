// SPDX-License-Identifier: BSD-3-Clause
// The walk of a pool over frames of H x W pixels of FOLDS beats, a beat a step, in windows of
// KH x KW pixels that do not overlap. Of the beat that the next step takes it tells:
// address: the word of its window, x * FOLDS + fold of (W / KW) * FOLDS for window x of the row;
// covered: it lies in a window, not in the rows and columns over; else its address means nothing;
// first, last: it belongs to the first, the last pixel of its window.
// The module that instantiates it checks the parameters.
module pool_walk #(
  parameter int H = 2,
  parameter int W = 2,
  parameter int FOLDS = 1,
  parameter int KH = 2,
  parameter int KW = 2,
  localparam int Depth = W / KW * FOLDS,
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
  localparam int FoldBits = FOLDS > 1 ? $clog2(FOLDS) : 1;
  localparam int XBits = W > 1 ? $clog2(W) : 1;
  localparam int YBits = H > 1 ? $clog2(H) : 1;
  localparam int KxBits = KW > 1 ? $clog2(KW) : 1;
  localparam int KyBits = KH > 1 ? $clog2(KH) : 1;

  logic [FoldBits-1:0] fold_q;
  logic [XBits-1:0] x_q;
  logic [YBits-1:0] y_q;
  logic [KxBits-1:0] kx_q;
  logic [KyBits-1:0] ky_q;
  logic fold_last, x_last, y_last, kx_last, ky_last;

  assign fold_last = fold_q == FoldBits'(FOLDS - 1);
  assign x_last = x_q == XBits'(W - 1);
  assign y_last = y_q == YBits'(H - 1);
  assign kx_last = kx_q == KxBits'(KW - 1);
  assign ky_last = ky_q == KyBits'(KH - 1);
  assign covered = int'(x_q) < W / KW * KW && int'(y_q) < H / KH * KH;
  assign first = kx_q == '0 && ky_q == '0;
  // What is over is narrower than a window, so its counters never get here.
  assign last = kx_last && ky_last;

  always_ff @(posedge clk) begin
    if (rst) begin
      address <= '0;
      fold_q <= '0;
      x_q <= '0;
      y_q <= '0;
      kx_q <= '0;
      ky_q <= '0;
    end else if (step) begin
      fold_q <= fold_last ? '0 : fold_q + 1'b1;
      if (!fold_last) address <= address + 1'b1;
      else if (x_last || int'(address) == Depth - 1 && kx_last) address <= '0;
      else if (kx_last) address <= address + 1'b1;
      else address <= address - AddressBits'(FOLDS - 1);
      if (fold_last) begin
        x_q <= x_last ? '0 : x_q + 1'b1;
        kx_q <= x_last || kx_last ? '0 : kx_q + 1'b1;
        if (x_last) begin
          y_q <= y_last ? '0 : y_q + 1'b1;
          ky_q <= y_last || ky_last ? '0 : ky_q + 1'b1;
        end
      end
    end
  end
endmodule
