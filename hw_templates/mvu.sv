// SPDX-License-Identifier: BSD-3-Clause
// Matrix-vector unit: MH neurons of MW weights; PE neurons and SIMD inputs a step.
// WEIGHT_BITS 1: weights are bits, 1 is +1 and 0 is -1; else integers in two's complement.
// Inputs are bits (IN_KIND 0) or integers (1 unsigned, 2 signed).
// Bits times bits: p = popcount(x xnor w), in [0, MW]. Otherwise the sum of ±x, of ±w, or of
// products w x, whose multipliers are left to the synthesiser.
// HAS_THRESHOLDS: a neuron gives the bit "sum + level >= 0", the level being a negative threshold;
// otherwise the integer 2 p + level or sum + level, modulo 2 ** OUT_BITS. Levels belong to a border class and a neuron; the class of
// vector (y, x) is counted up where ROW_STEPS[y], COL_STEPS[x] say that the next one differs.
// Sums start at the level, so that neither a comparator nor another adder is needed.
//
// With NF = MH / PE, SF = MW / SIMD:
// WEIGHTS: NF * SF words; word nf * SF + sf, WEIGHT_BITS bits from (pe * SIMD + simd) * WEIGHT_BITS
// are the weight of neuron nf * PE + pe and input sf * SIMD + simd.
// LEVELS: classes * NF words; word class * NF + nf, LEVEL_BITS bits from pe * LEVEL_BITS.
//
// A step multiplies one input beat; the SF-th of a neuron fold gives an output beat, valid three
// cycles later. With NF = 1 a step takes its beat from the wire. Otherwise a ring of DEPTH beats (a
// power of two, SF at least) keeps the vector for all NF passes; the last pass gives it back
// beat by beat, so the next vector comes in meanwhile.
// Stalls when a beat of the first pass is missing or when the output is not taken.
module mvu #(
  parameter int MH = 1,
  parameter int MW = 1,
  parameter int PE = 1,
  parameter int SIMD = 1,
  parameter int WEIGHT_BITS = 1,
  parameter int IN_BITS = 1,
  parameter int IN_KIND = 0,
  parameter int ACC_BITS = 2,
  parameter bit HAS_THRESHOLDS = 1,
  parameter int OUT_BITS = 1,
  parameter int LEVEL_BITS = 2,
  parameter int DEPTH = 0,
  parameter int ROWS = 1,
  parameter int COLS = 1,
  parameter logic [ROWS-1:0] ROW_STEPS = '0,
  parameter logic [COLS-1:0] COL_STEPS = '0,
  parameter int ROW_CLASSES = 1,
  parameter int COL_CLASSES = 1,
  parameter WEIGHTS = "",
  parameter LEVELS = ""
) (
  input  logic                    clk,
  input  logic                    rst,
  input  logic [SIMD*IN_BITS-1:0] s_axis_tdata,
  input  logic                    s_axis_tvalid,
  output logic                    s_axis_tready,
  output logic [PE*OUT_BITS-1:0]  m_axis_tdata,
  output logic                    m_axis_tvalid,
  input  logic                    m_axis_tready,
  output logic                    step
);
  if (PE < 1 || SIMD < 1 || MH % PE != 0 || MW % SIMD != 0) begin : gen_illegal_folding
    $error("mvu: PE %0d must divide MH %0d and SIMD %0d must divide MW %0d", PE, MH, SIMD, MW);
  end
  localparam int NF = PE > 0 ? MH / PE : 1;
  localparam int SF = SIMD > 0 ? MW / SIMD : 1;
  if (NF > 1 && (DEPTH < SF || DEPTH < 2 || (DEPTH & (DEPTH - 1)) != 0)) begin : gen_illegal_depth
    $error("mvu: DEPTH %0d must be a power of two and hold a vector of %0d beats", DEPTH, SF);
  end
  if (IN_KIND < 0 || IN_KIND > 2 || (IN_KIND == 0 && IN_BITS != 1)) begin : gen_illegal_kind
    $error("mvu: IN_KIND %0d must be 0 (bits), 1 (unsigned) or 2 (signed), IN_BITS %0d",
           IN_KIND, IN_BITS);
  end
  if (WEIGHT_BITS < 1) begin : gen_illegal_weights
    $error("mvu: WEIGHT_BITS %0d must be 1 (bits) or more (integers)", WEIGHT_BITS);
  end

  localparam bit Popcount = IN_KIND == 0 && WEIGHT_BITS == 1;
  localparam int RowBits = SIMD * WEIGHT_BITS;
  localparam int Classes = ROW_CLASSES * COL_CLASSES;
  localparam int WeightAddressBits = NF * SF > 1 ? $clog2(NF * SF) : 1;
  localparam int LevelAddressBits = Classes * NF > 1 ? $clog2(Classes * NF) : 1;
  localparam int SfBits = SF > 1 ? $clog2(SF) : 1;
  localparam int NfBits = NF > 1 ? $clog2(NF) : 1;

  logic [PE*RowBits-1:0] weights[NF*SF];
  logic [PE*LEVEL_BITS-1:0] levels[Classes*NF];
  initial $readmemh(WEIGHTS, weights);
  initial $readmemh(LEVELS, levels);

  // Control: which words a step reads.
  logic ce, present, sf_first, sf_last, nf_last;
  logic [SfBits-1:0] sf_q;
  logic [NfBits-1:0] nf_q;
  logic [WeightAddressBits-1:0] weight_address_q;
  logic [LevelAddressBits-1:0] class_base;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && present;
  assign sf_first = sf_q == '0;
  assign sf_last = sf_q == SfBits'(SF - 1);
  assign nf_last = nf_q == NfBits'(NF - 1);

  always_ff @(posedge clk) begin
    if (rst) begin
      sf_q <= '0;
      nf_q <= '0;
      weight_address_q <= '0;
    end else if (step) begin
      sf_q <= sf_last ? '0 : sf_q + 1'b1;
      if (sf_last) nf_q <= nf_last ? '0 : nf_q + 1'b1;
      weight_address_q <= sf_last && nf_last ? '0 : weight_address_q + 1'b1;
    end
  end

  // Border classes: base address of the present vector's levels.
  if (Classes > 1) begin : gen_classes
    localparam int XBits = COLS > 1 ? $clog2(COLS) : 1;
    localparam int YBits = ROWS > 1 ? $clog2(ROWS) : 1;
    logic [XBits-1:0] x_q;
    logic [YBits-1:0] y_q;
    logic [LevelAddressBits-1:0] row_base_q, base_q, next_row_base;
    assign next_row_base =
        ROW_STEPS[y_q] ? row_base_q + LevelAddressBits'(COL_CLASSES * NF) : row_base_q;
    always_ff @(posedge clk) begin
      if (rst) begin
        x_q <= '0;
        y_q <= '0;
        row_base_q <= '0;
        base_q <= '0;
      end else if (step && sf_last && nf_last) begin
        if (x_q != XBits'(COLS - 1)) begin
          x_q <= x_q + 1'b1;
          if (COL_STEPS[x_q]) base_q <= base_q + LevelAddressBits'(NF);
        end else begin
          x_q <= '0;
          if (y_q != YBits'(ROWS - 1)) begin
            y_q <= y_q + 1'b1;
            row_base_q <= next_row_base;
            base_q <= next_row_base;
          end else begin
            y_q <= '0;
            row_base_q <= '0;
            base_q <= '0;
          end
        end
      end
    end
    assign class_base = base_q;
  end else begin : gen_one_class
    assign class_base = '0;
  end

  // Input: from the wire, or from the ring.
  logic [SIMD*IN_BITS-1:0] beat;
  if (NF == 1) begin : gen_wire
    assign beat = s_axis_tdata;
    assign present = s_axis_tvalid;
    assign s_axis_tready = ce;
  end else begin : gen_ring
    localparam int PointerBits = $clog2(DEPTH);
    localparam int FillBits = $clog2(DEPTH + 1);
    logic [SIMD*IN_BITS-1:0] ring[DEPTH];
    logic [PointerBits-1:0] write_q, read_q;
    logic [FillBits-1:0] held_q, unread_q;
    logic take, give_back, nf_first, first_read;
    assign nf_first = nf_q == '0;
    assign take = s_axis_tvalid && s_axis_tready;
    assign s_axis_tready = held_q != FillBits'(DEPTH);
    assign present = !nf_first || unread_q != '0;
    assign give_back = step && nf_last;
    assign first_read = step && nf_first;
    assign beat = ring[read_q];
    always_ff @(posedge clk) begin
      if (rst) begin
        write_q <= '0;
        read_q <= '0;
        held_q <= '0;
        unread_q <= '0;
      end else begin
        if (take) write_q <= write_q + 1'b1;
        if (step) read_q <= sf_last && !nf_last ? read_q - PointerBits'(SF - 1) : read_q + 1'b1;
        if (take && !give_back) held_q <= held_q + 1'b1;
        if (give_back && !take) held_q <= held_q - 1'b1;
        if (take && !first_read) unread_q <= unread_q + 1'b1;
        if (first_read && !take) unread_q <= unread_q - 1'b1;
      end
    end
    always_ff @(posedge clk) if (take) ring[write_q] <= s_axis_tdata;
  end

  // Stage 1: operands and levels. Stage 2: sums, which start at the level. Stage 3: output.
  logic [SIMD*IN_BITS-1:0] beat_q;
  logic [PE*RowBits-1:0] weight_q;
  logic [PE*LEVEL_BITS-1:0] level_q;
  logic active_q, first_q, last_q, done_q;

  always_ff @(posedge clk) begin
    if (rst) begin
      active_q <= 1'b0;
      last_q <= 1'b0;
      done_q <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end else if (ce) begin
      active_q <= step;
      last_q <= step && sf_last;
      done_q <= last_q;
      m_axis_tvalid <= done_q;
    end
  end

  always_ff @(posedge clk) begin
    if (step) begin
      beat_q <= beat;
      weight_q <= weights[weight_address_q];
      first_q <= sf_first;
    end
    if (step && sf_first) level_q <= levels[class_base + LevelAddressBits'(nf_q)];
  end

  // With thresholds the sign decides. Twice a popcount is even: the lowest bit of its offset goes
  // round the sum.
  localparam int SumBits = HAS_THRESHOLDS ? ACC_BITS + 1 : Popcount ? OUT_BITS - 1 : OUT_BITS;

  // The sum of one beat for one neuron.
  function automatic logic [SumBits-1:0] product(input logic [RowBits-1:0] row,
                                                  input logic [SIMD*IN_BITS-1:0] inputs);
    logic [SumBits-1:0] value;
    logic signed [WEIGHT_BITS-1:0] weight;
    logic signed [IN_BITS:0] wide;
    logic signed [WEIGHT_BITS+IN_BITS:0] term;
    product = '0;
    if (Popcount) begin
      product = SumBits'($countones(~(row[SIMD-1:0] ^ inputs[SIMD-1:0])));
    end else begin
      for (int lane = 0; lane < SIMD; lane++) begin
        if (WEIGHT_BITS == 1) begin
          if (IN_KIND == 2) value = SumBits'($signed(inputs[lane*IN_BITS+:IN_BITS]));
          else value = SumBits'(inputs[lane*IN_BITS+:IN_BITS]);
          product = row[lane] ? product + value : product - value;
        end else if (IN_KIND == 0) begin
          value = SumBits'($signed(row[lane*WEIGHT_BITS+:WEIGHT_BITS]));
          product = inputs[lane] ? product + value : product - value;
        end else begin
          weight = row[lane*WEIGHT_BITS+:WEIGHT_BITS];
          wide = {IN_KIND == 2 && inputs[lane*IN_BITS+IN_BITS-1], inputs[lane*IN_BITS+:IN_BITS]};
          term = weight * wide;
          product = product + SumBits'(term);
        end
      end
    end
  endfunction

  for (genvar pe = 0; pe < PE; pe++) begin : gen_pe
    logic [LEVEL_BITS-1:0] level;
    logic [SumBits-1:0] start, sum_q;
    logic [OUT_BITS-1:0] result;
    assign level = level_q[pe*LEVEL_BITS+:LEVEL_BITS];

    if (HAS_THRESHOLDS) begin : gen_threshold
      assign start = SumBits'($signed(level));
      assign result = !sum_q[SumBits-1];
    end else if (Popcount) begin : gen_even
      logic low_q;
      assign start = level[OUT_BITS-1:1];
      assign result = {sum_q, low_q};
      always_ff @(posedge clk) if (ce && active_q && first_q) low_q <= level[0];
    end else begin : gen_offset
      assign start = level[OUT_BITS-1:0];
      assign result = sum_q;
    end

    // Computed under the enables: a simulator then skips the sums of idle cycles.
    always_ff @(posedge clk) begin
      if (ce && done_q) m_axis_tdata[pe*OUT_BITS+:OUT_BITS] <= result;
      if (ce && active_q) begin
        sum_q <= (first_q ? start : sum_q) + product(weight_q[pe*RowBits+:RowBits], beat_q);
      end
    end
  end
endmodule
