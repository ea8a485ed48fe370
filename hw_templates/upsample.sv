// SPDX-License-Identifier: BSD-3-Clause
// Nearest-neighbour upsampling: every pixel (FOLDS beats) of a row of W pixels is sent KX times in
// succession, and every row KY times. A step makes one output beat.
// Beats that are read again (a row if KY > 1, a pixel if only KX > 1) are kept in a ring of DEPTH
// beats (a power of two): beat p of the frame at p mod DEPTH, in LUT memory behind a register.
// A beat leaves the ring with the last step that reads it.
// Input stalls while the ring is full; output stalls when not taken or when its beat is missing.
module bonn_upsample #(
  parameter int LANES = 1,
  parameter int BITS = 1,
  parameter int W = 2,
  parameter int FOLDS = 1,
  parameter int KY = 2,
  parameter int KX = 2,
  parameter int DEPTH = 2
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
  localparam int Row = W * FOLDS;
  localparam int Again = KY > 1 ? Row : KX > 1 ? FOLDS : 1;
  localparam int AddressBits = $clog2(DEPTH);

  if (LANES < 1 || BITS < 1 || W < 1 || FOLDS < 1 || KY < 1 || KX < 1) begin : gen_illegal
    $error("upsample: LANES %0d, BITS %0d, W %0d, FOLDS %0d, KY %0d, KX %0d must be positive",
           LANES, BITS, W, FOLDS, KY, KX);
  end
  if (DEPTH < 2 || DEPTH < Again || (DEPTH & (DEPTH - 1)) != 0) begin : gen_illegal_depth
    $error("upsample: DEPTH %0d must be a power of two, at least 2, and hold %0d beats",
           DEPTH, Again);
  end

  (* ram_style = "distributed" *) logic [LANES*BITS-1:0] ring[DEPTH];
  // Number of beats in the ring; the beat to read, and its distance from the oldest beat.
  logic [AddressBits:0] fill_q, distance_q, jump;
  logic [AddressBits-1:0] write_address, read_q;
  logic ce, take, given_back, fold_last, kx_last, x_last, ky_last, unused_last;
  logic [(FOLDS > 1 ? $clog2(FOLDS) : 1)-1:0] unused_fold;
  logic [(KX > 1 ? $clog2(KX) : 1)-1:0] unused_kx;
  logic [(W > 1 ? $clog2(W) : 1)-1:0] unused_x;
  logic [(KY > 1 ? $clog2(KY) : 1)-1:0] unused_ky;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && fill_q > distance_q;
  assign s_axis_tready = !fill_q[AddressBits];
  assign take = s_axis_tvalid && s_axis_tready;
  assign given_back = step && kx_last && ky_last;

  bonn_counter #(.STATES(FOLDS)) folds (.clk, .rst, .step, .value(unused_fold), .last(fold_last));
  bonn_counter #(.STATES(KX)) copies (
    .clk, .rst, .step(step && fold_last), .value(unused_kx), .last(kx_last)
  );
  bonn_counter #(.STATES(W)) columns (
    .clk, .rst, .step(step && fold_last && kx_last), .value(unused_x), .last(x_last)
  );
  bonn_counter #(.STATES(KY)) rows (
    .clk, .rst, .step(step && fold_last && kx_last && x_last), .value(unused_ky), .last(ky_last)
  );
  bonn_counter #(.STATES(DEPTH)) writes (
    .clk, .rst, .step(take), .value(write_address), .last(unused_last)
  );

  always_comb begin
    jump = (AddressBits + 1)'(1);
    if (fold_last && !kx_last) jump = (AddressBits + 1)'(1 - FOLDS);
    else if (fold_last && x_last && !ky_last) jump = (AddressBits + 1)'(1 - Row);
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      fill_q <= '0;
      distance_q <= '0;
      read_q <= '0;
      m_axis_tvalid <= 1'b0;
    end else begin
      fill_q <= fill_q + (AddressBits + 1)'(take) - (AddressBits + 1)'(given_back);
      if (step) begin
        distance_q <= distance_q + jump - (AddressBits + 1)'(given_back);
        read_q <= read_q + jump[AddressBits-1:0];
      end
      if (ce) m_axis_tvalid <= step;
    end
    if (take) ring[write_address] <= s_axis_tdata;
    if (step) m_axis_tdata <= ring[read_q];
  end
endmodule
