// SPDX-License-Identifier: BSD-3-Clause
// Integers to few-bit integers: (slope * low + offset) >>> SHIFT, clipped to [LOW, HIGH].
// The top SEGMENT_BITS bits of an input are its segment; the bits below are low, unsigned. Without
// segments low is the input as it is. Every channel and segment has a line, a slope and an offset.
// TIES_EVEN: where the SHIFT bits that fall off are all zero, the lowest bit that stays is cleared.
//
// LINES: FOLDS * 2 ** SEGMENT_BITS words; word fold * 2 ** SEGMENT_BITS + segment has the line of
// channel fold * LANES + lane from bit lane * (SLOPE_BITS + OFFSET_BITS), the slope below, the
// offset on top, both in two's complement. ALIKE: one fold, one line a word, for all channels.
// Without segments a beat reads one word for all lanes. With them every lane has an address, so
// every lane has a memory: each reads the whole file and uses its own columns, and a synthesiser
// drops columns that nobody reads (it may well keep rows that are never addressed).
// SLOPE_MASK: bits that are set in any slope. Up to three make shifted sums, more a multiplier.
// SUM_BITS must hold every slope * low + offset, and every output shifted up.
//
// A step takes a beat; its result is valid three cycles later. Stalls when the output is not taken.
module requantize #(
  parameter int LANES = 1,
  parameter int BITS = 8,
  parameter bit IS_SIGNED = 1,
  parameter int FOLDS = 1,
  parameter bit ALIKE = 0,
  parameter int SEGMENT_BITS = 0,
  parameter int SLOPE_BITS = 2,
  parameter logic [SLOPE_BITS-1:0] SLOPE_MASK = '1,
  parameter int OFFSET_BITS = 2,
  parameter int SUM_BITS = 10,
  parameter int SHIFT = 2,
  parameter bit TIES_EVEN = 1,
  parameter int OUT_BITS = 4,
  parameter int LOW = -8,
  parameter int HIGH = 7,
  parameter LINES = ""
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
  if (LANES < 1 || FOLDS < 1 || (ALIKE && FOLDS != 1)) begin : gen_illegal_lanes
    $error("requantize: LANES %0d, FOLDS %0d must be positive, FOLDS 1 where ALIKE is %0d",
           LANES, FOLDS, ALIKE);
  end
  if (SEGMENT_BITS < 0 || SEGMENT_BITS > BITS) begin : gen_illegal_segments
    $error("requantize: SEGMENT_BITS %0d must be from 0 to BITS %0d", SEGMENT_BITS, BITS);
  end
  if (SHIFT < 0 || (TIES_EVEN && SHIFT == 0) || SUM_BITS < SHIFT + OUT_BITS) begin : gen_illegal_sum
    $error("requantize: SUM_BITS %0d must hold SHIFT %0d, at least TIES_EVEN %0d, and OUT_BITS %0d",
           SUM_BITS, SHIFT, TIES_EVEN, OUT_BITS);
  end

  localparam int LowBits = BITS - SEGMENT_BITS;
  localparam int LineBits = SLOPE_BITS + OFFSET_BITS;
  localparam int Columns = ALIKE ? 1 : LANES;
  localparam int Words = FOLDS << SEGMENT_BITS;
  localparam int FoldBits = FOLDS > 1 ? $clog2(FOLDS) : 1;
  localparam int AddressBits = Words > 1 ? $clog2(Words) : 1;
  localparam int ShiftedBits = SUM_BITS - SHIFT;
  localparam logic signed [ShiftedBits-1:0] Lowest = ShiftedBits'(LOW);
  localparam logic signed [ShiftedBits-1:0] Highest = ShiftedBits'(HIGH);

  logic [FoldBits-1:0] fold_q;
  logic valid_q, summed_q, ce;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && s_axis_tvalid;
  assign s_axis_tready = ce;

  always_ff @(posedge clk) begin
    if (rst) begin
      fold_q <= '0;
      valid_q <= 1'b0;
      summed_q <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end else if (ce) begin
      if (step) fold_q <= fold_q == FoldBits'(FOLDS - 1) ? '0 : fold_q + 1'b1;
      valid_q <= step;
      summed_q <= valid_q;
      m_axis_tvalid <= summed_q;
    end
  end

  // Stage 1: the lines of all lanes. A single word is no memory: it stays a constant.
  logic [LANES*LineBits-1:0] line;
  if (SEGMENT_BITS == 0) begin : gen_line
    logic [Columns*LineBits-1:0] lines[Words];
    logic [Columns*LineBits-1:0] word;
    initial $readmemh(LINES, lines);
    if (Words == 1) begin : gen_constant
      assign word = lines[0];
    end else begin : gen_word
      always_ff @(posedge clk) if (step) word <= lines[fold_q];
    end
    assign line = {(LANES / Columns) {word}};
  end else begin : gen_segments
    for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
      localparam int Column = ALIKE ? 0 : lane;
      logic [Columns*LineBits-1:0] lines[Words];
      logic [SEGMENT_BITS-1:0] segment;
      logic [AddressBits-1:0] address;
      initial $readmemh(LINES, lines);
      assign segment = s_axis_tdata[lane*BITS+LowBits+:SEGMENT_BITS];
      assign address = AddressBits'({fold_q, segment});
      always_ff @(posedge clk) begin
        if (step) line[lane*LineBits+:LineBits] <= lines[address][Column*LineBits+:LineBits];
      end
    end
  end

  for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
    logic [SLOPE_BITS-1:0] slope;
    logic [OFFSET_BITS-1:0] offset;
    logic [SUM_BITS-1:0] low, product, sum_q;
    logic signed [ShiftedBits-1:0] shifted, rounded;
    assign {offset, slope} = line[lane*LineBits+:LineBits];

    if (LowBits == 0) begin : gen_table
      assign low = '0;
    end else begin : gen_low
      logic [LowBits-1:0] low_q;
      always_ff @(posedge clk) if (step) low_q <= s_axis_tdata[lane*BITS+:LowBits];
      if (IS_SIGNED && SEGMENT_BITS == 0) begin : gen_signed
        assign low = SUM_BITS'($signed(low_q));
      end else begin : gen_unsigned
        assign low = SUM_BITS'(low_q);
      end
    end

    // Stage 2: the sum, modulo 2 ** SUM_BITS.
    if ($countones(SLOPE_MASK) > 3) begin : gen_multiplier
      assign product = SUM_BITS'($signed(slope)) * low;
    end else begin : gen_shifts
      always_comb begin
        product = '0;
        for (int i = 0; i < SLOPE_BITS; i++) begin
          if (SLOPE_MASK[i] && slope[i]) begin
            product = i == SLOPE_BITS - 1 ? product - (low << i) : product + (low << i);
          end
        end
      end
    end

    // Stage 3: the output.
    assign shifted = ShiftedBits'($signed(sum_q) >>> SHIFT);
    if (TIES_EVEN) begin : gen_even
      logic tie;
      assign tie = SHIFT'(sum_q) == '0;
      assign rounded = shifted & ~ShiftedBits'(tie);
    end else begin : gen_floor
      assign rounded = shifted;
    end

    always_ff @(posedge clk) begin
      if (ce && valid_q) sum_q <= product + SUM_BITS'($signed(offset));
      if (ce && summed_q) begin
        if (rounded < Lowest) m_axis_tdata[lane*OUT_BITS+:OUT_BITS] <= OUT_BITS'(LOW);
        else if (rounded > Highest) m_axis_tdata[lane*OUT_BITS+:OUT_BITS] <= OUT_BITS'(HIGH);
        else m_axis_tdata[lane*OUT_BITS+:OUT_BITS] <= OUT_BITS'(rounded);
      end
    end
  end
endmodule
