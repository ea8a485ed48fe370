// SPDX-License-Identifier: BSD-3-Clause
// Maximum over windows of KH x KW pixels that do not overlap, of frames of H x W pixels of FOLDS
// beats; rows and columns over the last whole window are dropped. Bits are unsigned: an OR.
// A step takes one input beat. Running maxima of a row of windows stand in a memory of
// (W / KW) * FOLDS words: window x, fold f at x * FOLDS + f, read without a clock (LUT memory).
// Stalls when the output register is full and not taken.
module max_pool #(
  parameter int LANES = 1,
  parameter int BITS = 1,
  parameter bit IS_SIGNED = 0,
  parameter int H = 2,
  parameter int W = 2,
  parameter int FOLDS = 1,
  parameter int KH = 2,
  parameter int KW = 2
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
  if (LANES < 1 || BITS < 1 || FOLDS < 1 || KH < 1 || KW < 1 || H < KH || W < KW)
  begin : gen_illegal
    $error("max_pool: a window of %0d x %0d must fit the frame of %0d x %0d, LANES %0d, FOLDS %0d",
           KH, KW, H, W, LANES, FOLDS);
  end

  localparam int Rows = H / KH;
  localparam int Cols = W / KW;
  localparam int Depth = Cols * FOLDS;
  localparam int AddressBits = Depth > 1 ? $clog2(Depth) : 1;
  localparam int FoldBits = FOLDS > 1 ? $clog2(FOLDS) : 1;
  localparam int XBits = W > 1 ? $clog2(W) : 1;
  localparam int YBits = H > 1 ? $clog2(H) : 1;
  localparam int KxBits = KW > 1 ? $clog2(KW) : 1;
  localparam int KyBits = KH > 1 ? $clog2(KH) : 1;

  logic [LANES*BITS-1:0] maxima[Depth];
  logic [LANES*BITS-1:0] running, larger;
  logic [AddressBits-1:0] address_q;
  logic [FoldBits-1:0] fold_q;
  logic [XBits-1:0] x_q;
  logic [YBits-1:0] y_q;
  logic [KxBits-1:0] kx_q;
  logic [KyBits-1:0] ky_q;
  logic ce, fold_last, x_last, y_last, kx_last, ky_last, covered;

  assign fold_last = fold_q == FoldBits'(FOLDS - 1);
  assign x_last = x_q == XBits'(W - 1);
  assign y_last = y_q == YBits'(H - 1);
  assign kx_last = kx_q == KxBits'(KW - 1);
  assign ky_last = ky_q == KyBits'(KH - 1);
  assign covered = int'(x_q) < Cols * KW && int'(y_q) < Rows * KH;
  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && s_axis_tvalid;
  assign s_axis_tready = ce;

  always_ff @(posedge clk) begin
    if (rst) begin
      address_q <= '0;
      fold_q <= '0;
      x_q <= '0;
      y_q <= '0;
      kx_q <= '0;
      ky_q <= '0;
    end else if (step) begin
      fold_q <= fold_last ? '0 : fold_q + 1'b1;
      if (!fold_last) address_q <= address_q + 1'b1;
      else if (x_last || int'(address_q) == Depth - 1 && kx_last) address_q <= '0;
      else if (kx_last) address_q <= address_q + 1'b1;
      else address_q <= address_q - AddressBits'(FOLDS - 1);
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

  assign running = maxima[address_q];
  if (BITS == 1) begin : gen_or
    assign larger = (kx_q == '0 && ky_q == '0) ? s_axis_tdata : s_axis_tdata | running;
  end else begin : gen_max
    for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
      logic [BITS-1:0] one, other;
      logic less;
      assign one = s_axis_tdata[lane*BITS+:BITS];
      assign other = running[lane*BITS+:BITS];
      assign less = IS_SIGNED ? $signed(one) < $signed(other) : one < other;
      assign larger[lane*BITS+:BITS] = less && (kx_q != '0 || ky_q != '0) ? other : one;
    end
  end

  always_ff @(posedge clk) if (step && covered) maxima[address_q] <= larger;

  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else if (ce) m_axis_tvalid <= step && covered && kx_last && ky_last;
    if (step) m_axis_tdata <= larger;
  end
endmodule
