// SPDX-License-Identifier: BSD-3-Clause
// Maximum over windows of KH x KW pixels that do not overlap, of frames of H x W pixels of FOLDS
// beats; rows and columns beyond the last whole window are dropped. The maximum of bits is an OR.
// A step takes one input beat. The running maxima of a row of windows are in a memory with
// asynchronous read (LUT memory); its address is {window in the row, fold}.
// Stalls when the output register is full and not taken.
module bonn_max_pool #(
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

  localparam int Depth = (W / KW - 1) * (1 << $clog2(FOLDS)) + FOLDS;
  localparam int AddressBits = Depth > 1 ? $clog2(Depth) : 1;

  logic [LANES*BITS-1:0] maxima[Depth];
  logic [LANES*BITS-1:0] running, larger;
  logic [AddressBits-1:0] address;
  logic ce, covered, first, last;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && s_axis_tvalid;
  assign s_axis_tready = ce;

  bonn_window_counter #(.H(H), .W(W), .FOLDS(FOLDS), .KH(KH), .KW(KW)) u_windows (
    .clk, .rst, .step, .address, .covered, .first, .last
  );

  assign running = maxima[address];
  if (BITS == 1) begin : gen_or
    assign larger = first ? s_axis_tdata : s_axis_tdata | running;
  end else begin : gen_max
    // With the sign bit inverted, signed codes compare like unsigned numbers. A further bit on top
    // lets the first pixel of a window always win. So a single bit selects the larger one, and two
    // bits of the result share a LUT.
    localparam logic [BITS:0] Sign = IS_SIGNED ? (BITS + 1)'(1) << (BITS - 1) : '0;
    for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
      logic [BITS-1:0] one, other;
      logic less;
      assign one = s_axis_tdata[lane*BITS+:BITS];
      assign other = running[lane*BITS+:BITS];
      assign less = ({first, one} ^ Sign) < ({1'b0, other} ^ Sign);
      assign larger[lane*BITS+:BITS] = less ? other : one;
    end
  end

  always_ff @(posedge clk) if (step && covered) maxima[address] <= larger;

  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else m_axis_tvalid <= (step && last) || !ce;
    if (step) m_axis_tdata <= larger;
  end
endmodule
