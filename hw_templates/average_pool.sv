// SPDX-License-Identifier: BSD-3-Clause
// Sum over windows of KH x KW pixels that do not overlap, of frames of H x W pixels of FOLDS beats;
// rows and columns beyond the last whole window are dropped. Elements are extended to OUT_BITS,
// which must hold the sum of a window; nothing is divided.
// A step takes one input beat. The running sums of a row of windows are in a memory with
// asynchronous read (LUT memory); its address is {window in the row, fold}.
// Stalls when the output register is full and not taken.
module bonn_average_pool #(
  parameter int LANES = 1,
  parameter int BITS = 1,
  parameter bit IS_SIGNED = 0,
  parameter int OUT_BITS = 3,  // derived: holds the sum of a window
  parameter int H = 2,
  parameter int W = 2,
  parameter int FOLDS = 1,
  parameter int KH = 2,
  parameter int KW = 2
) (
  input  logic                      clk,
  input  logic                      rst,
  input  logic [LANES*BITS-1:0]     s_axis_tdata,
  input  logic                      s_axis_tvalid,
  output logic                      s_axis_tready,
  output logic [LANES*OUT_BITS-1:0] m_axis_tdata,
  output logic                      m_axis_tvalid,
  input  logic                      m_axis_tready,
  output logic                      step
);
  if (KH < 1 || KW < 1 || H < KH || W < KW) begin : gen_illegal
    $error("average_pool: a window of %0d x %0d must fit the frame of %0d x %0d", KH, KW, H, W);
  end
  if (LANES < 1 || FOLDS < 1 || BITS < 1 || OUT_BITS < BITS) begin : gen_illegal_beat
    $error("average_pool: LANES %0d, FOLDS %0d must be positive, OUT_BITS %0d at least BITS %0d",
           LANES, FOLDS, OUT_BITS, BITS);
  end

  localparam int Depth = (W / KW - 1) * (1 << $clog2(FOLDS)) + FOLDS;
  localparam int AddressBits = Depth > 1 ? $clog2(Depth) : 1;

  logic [LANES*OUT_BITS-1:0] sums[Depth];
  logic [LANES*OUT_BITS-1:0] running, sum;
  logic [AddressBits-1:0] address;
  logic ce, covered, first, last;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && s_axis_tvalid;
  assign s_axis_tready = ce;

  bonn_window_counter #(.H(H), .W(W), .FOLDS(FOLDS), .KH(KH), .KW(KW)) u_windows (
    .clk, .rst, .step, .address, .covered, .first, .last
  );

  assign running = first ? '0 : sums[address];
  for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
    logic [BITS-1:0] value;
    logic [OUT_BITS-1:0] extended;
    assign value = s_axis_tdata[lane*BITS+:BITS];
    if (IS_SIGNED) begin : gen_signed
      assign extended = OUT_BITS'($signed(value));
    end else begin : gen_unsigned
      assign extended = OUT_BITS'(value);
    end
    assign sum[lane*OUT_BITS+:OUT_BITS] = running[lane*OUT_BITS+:OUT_BITS] + extended;
  end

  always_ff @(posedge clk) if (step && covered) sums[address] <= sum;

  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else m_axis_tvalid <= (step && last) || !ce;
    if (step) m_axis_tdata <= sum;
  end
endmodule
