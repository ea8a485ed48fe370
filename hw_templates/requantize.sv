// SPDX-License-Identifier: BSD-3-Clause
// Integers to few-bit integers: (slope * low + offset) >>> SHIFT, clipped to [LOW, HIGH].
// The top SEGMENT_BITS bits of an input are its segment; the bits below are `low`, unsigned.
// Without segments `low` is the whole input. Every channel and segment has a line: a slope and an
// offset.
// TIES_EVEN: if the SHIFT bits that are shifted out are all zero, the lowest bit of the result is
// cleared. (Offsets contain one half, so this rounds ties to even.)
//
// LINES: FOLDS * 2 ** SEGMENT_BITS words; word fold * 2 ** SEGMENT_BITS + segment has the line of
// channel fold * LANES + lane from bit lane * (SLOPE_BITS + OFFSET_BITS), the slope below, the
// offset on top, both in two's complement. ALIKE: one fold, one line per word, for all channels.
// Without segments a beat reads one word for all lanes. With segments every lane has an address
// and therefore a memory of its own: each is initialised with the whole file and uses its own
// columns. A synthesiser removes the columns that are never read (but perhaps not unused rows).
// BLOCK: the lines are in block memory.
// SLOPE_MASK: bits that are set in any slope. Up to three become shifted sums, more a multiplier.
// SUM_BITS must hold every slope * low + offset, and every output shifted up.
//
// A step takes a beat. Its result is valid one cycle later, plus one if lines are read from a
// memory or multiplied, plus one if there is a sum (a table has none). Stalls when the output is
// not taken.
module bonn_requantize #(
  parameter int LANES = 1,
  parameter int BITS = 8,
  parameter bit IS_SIGNED = 1,
  parameter int FOLDS = 1,
  parameter bit ALIKE = 0,
  parameter int SEGMENT_BITS = 0,
  parameter int SLOPE_BITS = 2,                     // derived: holds every slope
  parameter logic [SLOPE_BITS-1:0] SLOPE_MASK = '1,  // derived: the bits set in any slope
  parameter int OFFSET_BITS = 2,                    // derived: holds every offset
  parameter int SUM_BITS = 10,                      // derived: see above
  parameter int SHIFT = 2,
  parameter bit TIES_EVEN = 1,
  parameter int OUT_BITS = 4,
  parameter int LOW = -8,
  parameter int HIGH = 7,
  parameter bit BLOCK = 0,
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
  localparam int ShiftedBits = SUM_BITS - SHIFT;
  localparam logic [OUT_BITS-1:0] Lowest = OUT_BITS'(LOW);
  localparam logic [OUT_BITS-1:0] Highest = OUT_BITS'(HIGH);
  localparam bit Multiplies = $countones(SLOPE_MASK) > 3;
  localparam bit Reads = Words > 1 || Multiplies;  // a DSP slice has registers at its inputs

  localparam bit Sums = LowBits > 0;  // otherwise the segment is the whole input: a table

  logic ce, valid, summed;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && s_axis_tvalid;
  assign s_axis_tready = ce;

  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else m_axis_tvalid <= summed || !ce;
  end

  // Stage 1: the lines of all lanes. The bits of the inputs that they are applied to are below.
  logic [LANES*LineBits-1:0] line;

  if (Reads) begin : gen_read
    logic valid_q;
    always_ff @(posedge clk) begin
      if (rst) valid_q <= 1'b0;
      else if (ce) valid_q <= s_axis_tvalid;
    end
    assign valid = valid_q;
  end else begin : gen_taken
    assign valid = s_axis_tvalid;
  end

  if (Sums) begin : gen_summed
    logic summed_q;
    always_ff @(posedge clk) begin
      if (rst) summed_q <= 1'b0;
      else if (ce) summed_q <= valid;
    end
    assign summed = summed_q;
  end else begin : gen_table
    assign summed = valid;
  end

  if (SEGMENT_BITS == 0) begin : gen_line
    logic [Columns*LineBits-1:0] word;
    bonn_rom_sequence #(
      .DEPTH(FOLDS), .WIDTH(Columns * LineBits), .BLOCK(BLOCK), .FILE(LINES)
    ) u_lines (.clk, .rst, .read(step), .word);
    assign line = {(LANES / Columns) {word}};
  end else begin : gen_segments
    localparam int FoldBits = FOLDS > 1 ? $clog2(FOLDS) : 1;
    localparam int AddressBits = $clog2(Words);
    logic [FoldBits-1:0] fold_q;
    always_ff @(posedge clk) begin
      if (rst) fold_q <= '0;
      else if (step) fold_q <= fold_q == FoldBits'(FOLDS - 1) ? '0 : fold_q + 1'b1;
    end
    for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
      localparam int Column = ALIKE ? 0 : lane;
      logic [Columns*LineBits-1:0] word;
      logic [SEGMENT_BITS-1:0] segment;
      assign segment = s_axis_tdata[lane*BITS+LowBits+:SEGMENT_BITS];
      bonn_rom #(.DEPTH(Words), .WIDTH(Columns * LineBits), .BLOCK(BLOCK), .FILE(LINES)) u_lines (
        .clk, .read(step), .address(AddressBits'({fold_q, segment})), .word
      );
      assign line[lane*LineBits+:LineBits] = word[Column*LineBits+:LineBits];
      if (Columns > 1) begin : gen_others
        logic unused;
        assign unused = &{1'b0, word};
      end
    end
  end

  for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
    logic [SLOPE_BITS-1:0] slope;
    logic [OFFSET_BITS-1:0] offset;
    logic [SUM_BITS-1:0] sum_q;
    logic [ShiftedBits-1:0] rounded;
    logic [OUT_BITS-1:0] code;
    logic negative, fits, is_below, is_above;
    assign {offset, slope} = line[lane*LineBits+:LineBits];

    // Stage 2: the sum, modulo 2 ** SUM_BITS.
    if (Sums) begin : gen_sum
      logic [LowBits-1:0] below;
      logic [SUM_BITS-1:0] low, sum;
      if (Reads) begin : gen_read
        logic [LowBits-1:0] below_q;
        always_ff @(posedge clk) if (step) below_q <= s_axis_tdata[lane*BITS+:LowBits];
        assign below = below_q;
      end else begin : gen_taken
        assign below = s_axis_tdata[lane*BITS+:LowBits];
      end
      if (IS_SIGNED && SEGMENT_BITS == 0) begin : gen_signed
        assign low = SUM_BITS'($signed(below));
      end else begin : gen_unsigned
        assign low = SUM_BITS'(below);
      end
      if (Multiplies) begin : gen_multiplier
        assign sum = SUM_BITS'($signed(slope)) * low + SUM_BITS'($signed(offset));
      end else begin : gen_shifts
        always_comb begin
          sum = SUM_BITS'($signed(offset));
          for (int i = 0; i < SLOPE_BITS; i++) begin
            if (SLOPE_MASK[i]) begin
              // Selected before it is added: one LUT per bit does both.
              if (i == SLOPE_BITS - 1) sum = sum - ((low << i) & {SUM_BITS{slope[i]}});
              else sum = sum + ((low << i) & {SUM_BITS{slope[i]}});
            end
          end
        end
      end
      always_ff @(posedge clk) if (ce && valid) sum_q <= sum;
    end else begin : gen_offset
      logic unused;
      assign unused = &{1'b0, slope};
      assign sum_q = SUM_BITS'($signed(offset));
    end

    // Stage 3: the output. If OUT_BITS hold the rounded value (`fits`), it is compared with LOW and
    // HIGH in OUT_BITS; otherwise its sign says at which end it is clipped.
    if (TIES_EVEN) begin : gen_even
      logic odd;
      assign odd = sum_q[SHIFT] && sum_q[SHIFT-1:0] != '0;
      assign rounded = ShiftedBits'({sum_q >> (SHIFT + 1), odd});
    end else begin : gen_floor
      assign rounded = sum_q[SUM_BITS-1:SHIFT];
    end
    assign code = rounded[OUT_BITS-1:0];
    assign negative = rounded[ShiftedBits-1];
    if (LOW < 0) begin : gen_signed_code
      assign fits = &rounded[ShiftedBits-1:OUT_BITS-1] || !(|rounded[ShiftedBits-1:OUT_BITS-1]);
      assign is_below = fits ? $signed(code) < $signed(Lowest) : negative;
      assign is_above = fits ? $signed(code) > $signed(Highest) : !negative;
    end else begin : gen_unsigned_code
      assign fits = !(|rounded[ShiftedBits-1:OUT_BITS]);
      if (LOW == 0) begin : gen_no_low  // no code is below it
        assign is_below = !fits && negative;
      end else begin : gen_low
        assign is_below = fits ? code < Lowest : negative;
      end
      if (Highest == '1) begin : gen_no_high
        assign is_above = !fits && !negative;
      end else begin : gen_high
        assign is_above = fits ? code > Highest : !negative;
      end
    end

    always_ff @(posedge clk) begin
      if (ce && summed) begin
        m_axis_tdata[lane*OUT_BITS+:OUT_BITS] <= is_below ? Lowest : is_above ? Highest : code;
      end
    end
  end
endmodule
