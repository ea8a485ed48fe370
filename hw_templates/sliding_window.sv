// SPDX-License-Identifier: BSD-3-Clause
// Every window of KH x KW pixels at strides SY, SX that lies inside a frame of H x W pixels of
// FOLDS beats: its beats in the order ky, kx, fold. A step gives one output beat.
// The line buffer is a ring of DEPTH beats (a power of two that holds a window's span at least):
// beat p of the frame at p mod DEPTH. What lies before the present window's first beat is free.
// Input stalls while the ring is full; output stalls when not taken or when its beat is missing.
module sliding_window #(
  parameter int LANES = 1,
  parameter int BITS = 1,
  parameter int H = 3,
  parameter int W = 3,
  parameter int FOLDS = 1,
  parameter int KH = 3,
  parameter int KW = 3,
  parameter int SY = 1,
  parameter int SX = 1,
  parameter int DEPTH = 16
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
  localparam int Rows = SY > 0 ? (H - KH) / SY + 1 : 1;
  localparam int Cols = SX > 0 ? (W - KW) / SX + 1 : 1;
  localparam int Span = ((KH - 1) * W + KW) * FOLDS;

  if (LANES < 1 || BITS < 1 || FOLDS < 1 || KH < 1 || KW < 1 || H < KH || W < KW || SY < 1 ||
      SX < 1) begin : gen_illegal
    $error("sliding_window: a window of %0d x %0d must fit the frame of %0d x %0d, strides %0d, %0d",
           KH, KW, H, W, SY, SX);
  end
  if (DEPTH < Span || (DEPTH & (DEPTH - 1)) != 0) begin : gen_illegal_depth
    $error("sliding_window: DEPTH %0d must be a power of two and hold the span %0d", DEPTH, Span);
  end

  // What a window's last step gives back: to the next window, the next row of windows, the frame.
  localparam int ReleaseX = SX * FOLDS;
  localparam int ReleaseY = (SY * W - (Cols - 1) * SX) * FOLDS;
  localparam int ReleaseFrame = (H * W - (Rows - 1) * SY * W - (Cols - 1) * SX) * FOLDS;
  // From a window's last tap of a row of taps to its first of the next.
  localparam int NextTapRow = (W - KW) * FOLDS + 1;

  localparam int AddressBits = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam int OffsetBits = Span > 1 ? $clog2(Span) : 1;
  // More may be given back than has arrived (a stride over unused beats): the fill is signed.
  localparam int FillBits = $clog2(DEPTH + H * W * FOLDS + 1) + 1;
  localparam int TapRowBits = KW * FOLDS > 1 ? $clog2(KW * FOLDS) : 1;
  localparam int KyBits = KH > 1 ? $clog2(KH) : 1;
  localparam int XBits = Cols > 1 ? $clog2(Cols) : 1;
  localparam int YBits = Rows > 1 ? $clog2(Rows) : 1;

  logic [LANES*BITS-1:0] ring[DEPTH];
  logic [AddressBits-1:0] write_q, corner_q;
  logic [OffsetBits-1:0] offset_q;
  logic signed [FillBits-1:0] fill_q, fill_d;  // beats from the window's corner that have arrived
  logic [TapRowBits-1:0] tap_q;
  logic [KyBits-1:0] ky_q;
  logic [XBits-1:0] x_q;
  logic [YBits-1:0] y_q;
  logic ce, take, present, tap_last, ky_last, x_last, y_last, window_last;
  logic signed [FillBits-1:0] given_back;

  assign tap_last = tap_q == TapRowBits'(KW * FOLDS - 1);
  assign ky_last = ky_q == KyBits'(KH - 1);
  assign x_last = x_q == XBits'(Cols - 1);
  assign y_last = y_q == YBits'(Rows - 1);
  assign window_last = step && tap_last && ky_last;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign present = fill_q > $signed(FillBits'(offset_q));
  assign step = ce && present;
  assign s_axis_tready = fill_q < $signed(FillBits'(DEPTH));
  assign take = s_axis_tvalid && s_axis_tready;

  assign given_back = !x_last ? FillBits'(ReleaseX) : !y_last ? FillBits'(ReleaseY) :
                                FillBits'(ReleaseFrame);
  always_comb begin
    fill_d = fill_q;
    if (take) fill_d = fill_d + 1'b1;
    if (window_last) fill_d = fill_d - given_back;
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      write_q <= '0;
      corner_q <= '0;
      offset_q <= '0;
      fill_q <= '0;
      tap_q <= '0;
      ky_q <= '0;
      x_q <= '0;
      y_q <= '0;
    end else begin
      fill_q <= fill_d;
      if (take) write_q <= write_q + 1'b1;
      if (step) begin
        tap_q <= tap_last ? '0 : tap_q + 1'b1;
        if (!tap_last) offset_q <= offset_q + 1'b1;
        else begin
          ky_q <= ky_last ? '0 : ky_q + 1'b1;
          offset_q <= ky_last ? '0 : offset_q + OffsetBits'(NextTapRow);
        end
      end
      if (window_last) begin
        corner_q <= corner_q + AddressBits'(given_back);
        x_q <= x_last ? '0 : x_q + 1'b1;
        if (x_last) y_q <= y_last ? '0 : y_q + 1'b1;
      end
    end
  end

  always_ff @(posedge clk) if (take) ring[write_q] <= s_axis_tdata;

  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else if (ce) m_axis_tvalid <= step;
    if (step) m_axis_tdata <= ring[corner_q + AddressBits'(offset_q)];
  end
endmodule
