// SPDX-License-Identifier: BSD-3-Clause
// Depth to space: a pixel of SY * SX * C channels becomes SY rows of SX pixels of C channels; its
// channels are in the order row, pixel, channel. FOLDS beats are SX pixels; a row of W pixels arrives
// as W * SY * FOLDS beats, and is sent as SY rows of W * FOLDS beats.
// Two pages, written in turn: one row of pixels arrives while the one before is sent. Beat p of the
// row is at address p of its page. STYLE: 0 in LUT memory, 1 in block memory.
// A step sends a beat. It waits until the whole row of pixels has arrived; the last step of a row
// frees its page. Input stalls while both pages are full; output stalls when not taken or when its
// row is missing.
module bonn_depth_to_space #(
  parameter int LANES = 1,
  parameter int BITS = 1,
  parameter int W = 2,
  parameter int FOLDS = 1,
  parameter int SY = 2,
  parameter int STYLE = 0
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
  if (LANES < 1 || BITS < 1 || W < 1 || FOLDS < 1 || SY < 2) begin : gen_illegal
    $error("depth_to_space: LANES %0d, BITS %0d, W %0d, FOLDS %0d must be positive, SY %0d at least \
two", LANES, BITS, W, FOLDS, SY);
  end

  localparam int Pixel = SY * FOLDS;
  localparam int Row = W * Pixel;
  localparam int AddressBits = Row > 1 ? $clog2(Row) : 1;
  // From the last beat of a pixel's part to the same part of the next pixel, and from the last part
  // of a row to the first one of the next.
  localparam logic [AddressBits-1:0] Next = AddressBits'(Pixel - FOLDS + 1);
  localparam logic [AddressBits-1:0] Back = AddressBits'(1 - (W - 1) * Pixel);

  logic ce, take, write_last, fold_last, x_last, row_last, filled, freed;
  logic [AddressBits-1:0] written, read_q;
  logic write_page_q, read_page_q;
  logic one_q, both_q;  // a page is full, both are
  logic [(FOLDS > 1 ? $clog2(FOLDS) : 1)-1:0] unused_fold;
  logic [(W > 1 ? $clog2(W) : 1)-1:0] unused_x;
  logic [$clog2(SY)-1:0] unused_row;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && one_q;
  assign s_axis_tready = !both_q;
  assign take = s_axis_tvalid && s_axis_tready;
  assign filled = take && write_last;
  assign freed = step && fold_last && x_last && row_last;

  bonn_counter #(.STATES(Row)) writes (
    .clk, .rst, .step(take), .value(written), .last(write_last)
  );
  bonn_counter #(.STATES(FOLDS)) folds (.clk, .rst, .step, .value(unused_fold), .last(fold_last));
  bonn_counter #(.STATES(W)) columns (
    .clk, .rst, .step(step && fold_last), .value(unused_x), .last(x_last)
  );
  bonn_counter #(.STATES(SY)) rows (
    .clk, .rst, .step(step && fold_last && x_last), .value(unused_row), .last(row_last)
  );

  always_ff @(posedge clk) begin
    if (rst) begin
      write_page_q <= 1'b0;
      read_page_q <= 1'b0;
      one_q <= 1'b0;
      both_q <= 1'b0;
      read_q <= '0;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (filled) write_page_q <= !write_page_q;
      if (freed) read_page_q <= !read_page_q;
      if (filled && !freed) begin
        one_q <= 1'b1;
        both_q <= one_q;
      end else if (freed && !filled) begin
        one_q <= both_q;
        both_q <= 1'b0;
      end
      if (freed) read_q <= '0;
      else if (step) begin
        if (!fold_last) read_q <= read_q + 1'b1;
        else read_q <= read_q + (x_last ? Back : Next);
      end
      if (ce) m_axis_tvalid <= step;
    end
  end

  if (STYLE == 0) begin : gen_lut
    (* ram_style = "distributed" *) logic [LANES*BITS-1:0] pages[2 << AddressBits];
    always_ff @(posedge clk) begin
      if (take) pages[{write_page_q, written}] <= s_axis_tdata;
      if (step) m_axis_tdata <= pages[{read_page_q, read_q}];
    end
  end else begin : gen_block
    (* ram_style = "block" *) logic [LANES*BITS-1:0] pages[2 << AddressBits];
    always_ff @(posedge clk) begin
      if (take) pages[{write_page_q, written}] <= s_axis_tdata;
      if (step) m_axis_tdata <= pages[{read_page_q, read_q}];
    end
  end

  logic unused;
  assign unused = &{1'b0, unused_fold, unused_x, unused_row};
endmodule
