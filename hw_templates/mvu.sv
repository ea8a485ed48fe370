// SPDX-License-Identifier: BSD-3-Clause
// Matrix-vector unit: MH neurons of MW weights; PE neurons and SIMD inputs a step.
// WEIGHT_BITS 1: weights are bits, 1 is +1 and 0 is -1; else integers in two's complement.
// Inputs are bits (IN_KIND 0) or integers (1 unsigned, 2 signed). The hardware computes a sum h;
// the sum s of weights times inputs follows from it:
//   bits and bits: h is the number of pairs that agree; s = 2 h - MW
//   only inputs are bits: h is the sum of the weights whose input is 1;
//     s = 2 h - the sum of all weights
//   only weights are bits: h is the sum of the inputs, inverted where the weight is 0;
//     s = h + the number of weights that are 0
//   both are integers: h = s, the sum of products, whose multipliers are left to the synthesiser
// A level is the number at which the sum h of a neuron starts. It contains the negated threshold
// (or the offset) and the difference between h and s, so that no comparator or further adder is
// needed.
// HAS_THRESHOLDS: the output of a neuron is the bit "h + level >= 0". Otherwise it is the integer
// h + level, or 2 h + level where inputs are bits, modulo 2 ** OUT_BITS.
// There is a level for each border class and neuron. The class of vector (y, x) is one higher in
// the next row if ROW_STEPS[y] is 1, and one higher in the next column if COL_STEPS[x] is 1.
//
// With NF = MH / PE, SF = MW / SIMD:
// WEIGHTS: NF * SF words; word nf * SF + sf, WEIGHT_BITS bits from (pe * SIMD + simd) * WEIGHT_BITS
// are the weight of neuron nf * PE + pe and input sf * SIMD + simd.
// PARITIES, for bits and bits: every third of these weights is stored as the parity of three
// (`xnor_popcount.sv`), which is smaller where many neurons share the parities of the inputs.
// LEVELS: classes * NF words; word class * NF + nf, LEVEL_BITS bits from pe * LEVEL_BITS.
//
// A step multiplies one input beat. The SF-th step of a neuron fold makes an output beat, which is
// valid 2 + CUTS cycles later: CUTS pipeline registers cut the sum of a beat. A vector takes NF
// passes over its beats (`vector_buffer.sv`).
// Stalls when a beat of the first pass is missing or when the output is not taken.
module bonn_mvu #(
  parameter int MH = 1,
  parameter int MW = 1,
  parameter int PE = 1,
  parameter int SIMD = 1,
  parameter int WEIGHT_BITS = 1,
  parameter int IN_BITS = 1,
  parameter int IN_KIND = 0,
  parameter int SUM_BITS = 2,     // derived: holds h + level of every neuron, or those of an offset
  parameter bit HAS_THRESHOLDS = 1,
  parameter int OUT_BITS = 1,
  parameter int LEVEL_BITS = 2,   // derived: holds every level
  parameter bit PARITIES = 0,
  parameter int CUTS = 0,         // derived: (levels of the adder tree + 2) / 3
  parameter bit WEIGHTS_IN_BLOCK = 0,
  parameter bit LEVELS_IN_BLOCK = 0,
  parameter bit SUMS_IN_DSP = 0,
  parameter int ROWS = 1,
  parameter int COLS = 1,
  parameter logic [ROWS-1:0] ROW_STEPS = '0,
  parameter logic [COLS-1:0] COL_STEPS = '0,
  parameter int ROW_CLASSES = 1,  // derived: 1 + the ones of ROW_STEPS
  parameter int COL_CLASSES = 1,  // derived: 1 + the ones of COL_STEPS
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
  if (IN_KIND < 0 || IN_KIND > 2 || (IN_KIND == 0 && IN_BITS != 1)) begin : gen_illegal_kind
    $error("mvu: IN_KIND %0d must be 0 (bits), 1 (unsigned) or 2 (signed), IN_BITS %0d",
           IN_KIND, IN_BITS);
  end
  if (WEIGHT_BITS < 1) begin : gen_illegal_weights
    $error("mvu: WEIGHT_BITS %0d must be 1 (bits) or more (integers)", WEIGHT_BITS);
  end
  if (PARITIES && (IN_KIND != 0 || WEIGHT_BITS != 1)) begin : gen_illegal_parities
    $error("mvu: PARITIES are of bits: IN_KIND %0d must be 0, WEIGHT_BITS %0d must be 1",
           IN_KIND, WEIGHT_BITS);
  end
  if (ROW_CLASSES != $countones(ROW_STEPS) + 1 || COL_CLASSES != $countones(COL_STEPS) + 1)
  begin : gen_illegal_classes
    $error("mvu: ROW_CLASSES %0d, COL_CLASSES %0d must be one more than the ones of ROW_STEPS %b, \
COL_STEPS %b", ROW_CLASSES, COL_CLASSES, ROW_STEPS, COL_STEPS);
  end
  if (HAS_THRESHOLDS ? OUT_BITS != 1 : SUM_BITS != OUT_BITS - int'(IN_KIND == 0))
  begin : gen_illegal_sum
    $error("mvu: SUM_BITS %0d, OUT_BITS %0d: a threshold gives 1 bit; an offset takes OUT_BITS of \
a sum, less 1 where inputs are bits", SUM_BITS, OUT_BITS);
  end

  localparam int RowBits = SIMD * WEIGHT_BITS;
  localparam int OperandBits = SIMD * IN_BITS + (PARITIES ? SIMD / 2 : 0);
  localparam int Classes = ROW_CLASSES * COL_CLASSES;
  localparam int SfBits = SF > 1 ? $clog2(SF) : 1;
  localparam int NfBits = NF > 1 ? $clog2(NF) : 1;

  // Control: the position of a step in the vector.
  logic ce, present, sf_first, sf_last, nf_first, nf_last;
  logic [SfBits-1:0] sf;
  logic [NfBits-1:0] nf;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && present;
  assign sf_first = sf == '0;
  assign nf_first = nf == '0;
  bonn_counter #(.STATES(SF)) sf_counter (.clk, .rst, .step, .value(sf), .last(sf_last));
  bonn_counter #(.STATES(NF)) nf_counter (
    .clk, .rst, .step(step && sf_last), .value(nf), .last(nf_last)
  );

  logic [SIMD*IN_BITS-1:0] beat;
  bonn_vector_buffer #(.PASSES(NF), .BEATS(SF), .BITS(SIMD * IN_BITS)) vectors (
    .clk, .rst, .s_axis_tdata, .s_axis_tvalid, .s_axis_tready,
    .ce, .step, .place(sf), .last(sf_last), .first_pass(nf_first), .last_pass(nf_last),
    .beat, .present
  );

  // Pipeline: the operands; CUTS cycles later the sums, and in the same cycle the output.
  logic [OperandBits-1:0] operands, operands_q;
  logic [PE*RowBits-1:0] weight;
  logic [PE*LEVEL_BITS-1:0] level;
  logic active_q, first_q, last_q;  // belong to the operands
  logic add, add_first, add_last;  // belong to the sums
  logic level_read;

  always_ff @(posedge clk) begin
    if (rst) begin
      active_q <= 1'b0;
      last_q <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end else if (ce) begin
      active_q <= step;
      last_q <= step && sf_last;
      m_axis_tvalid <= add_last;
    end
    if (step) begin
      operands_q <= operands;
      first_q <= sf_first;
    end
  end

  if (PARITIES) begin : gen_parities
    bonn_parities #(.N(SIMD)) parities (.bits(beat), .terms(operands));
  end else begin : gen_operands
    assign operands = beat;
  end

  // Delay of the control by the cuts. A level is read one cycle before it is needed.
  if (CUTS == 0) begin : gen_at_once
    assign {add, add_first, add_last} = {active_q, first_q, last_q};
    assign level_read = step && sf_first;
  end else begin : gen_later
    logic [CUTS:0] active, first, last;  // bit i: after i cuts
    logic [CUTS-1:0] cut_active_q, cut_first_q, cut_last_q;
    assign active = {cut_active_q, active_q};
    assign first = {cut_first_q, first_q};
    assign last = {cut_last_q, last_q};
    always_ff @(posedge clk) begin
      if (rst) begin
        cut_active_q <= '0;
        cut_last_q <= '0;
      end else if (ce) begin
        cut_active_q <= active[CUTS-1:0];
        cut_last_q <= last[CUTS-1:0];
      end
      if (ce) cut_first_q <= first[CUTS-1:0];
    end
    assign {add, add_first, add_last} = {active[CUTS], first[CUTS], last[CUTS]};
    assign level_read = ce && active[CUTS-1] && first[CUTS-1];
  end

  bonn_rom_sequence #(
    .DEPTH(NF * SF), .WIDTH(PE * RowBits), .BLOCK(WEIGHTS_IN_BLOCK), .FILE(WEIGHTS)
  ) weight_rom (
    .clk, .rst, .read(step), .word(weight)
  );

  // Levels: in order, or with border classes those of the vector's class.
  if (Classes == 1) begin : gen_one_class
    bonn_rom_sequence #(
      .DEPTH(NF), .WIDTH(PE * LEVEL_BITS), .BLOCK(LEVELS_IN_BLOCK), .FILE(LEVELS)
    ) level_rom (
      .clk, .rst, .read(level_read), .word(level)
    );
  end else begin : gen_classes
    localparam int AddressBits = $clog2(Classes * NF);
    localparam bit Apart = NF == 1 || NF == 1 << NfBits;  // class and neuron have bits of their own
    localparam int ClassBits = $clog2(Apart ? Classes : (Classes - 1) * NF + 1);
    logic [AddressBits-1:0] address;
    logic [ClassBits-1:0] border_class;
    logic [NfBits-1:0] neuron;
    logic vector_last;
    bonn_counter #(.STATES(NF)) level_counter (
      .clk, .rst, .step(level_read), .value(neuron), .last(vector_last)
    );
    bonn_border_class #(
      .ROWS(ROWS), .COLS(COLS), .ROW_STEPS(ROW_STEPS), .COL_STEPS(COL_STEPS),
      .ROW_CLASSES(ROW_CLASSES), .COL_CLASSES(COL_CLASSES), .PITCH(Apart ? 1 : NF)
    ) classes (
      .clk, .rst, .step(level_read && vector_last), .number(border_class)
    );
    if (NF == 1) begin : gen_class
      logic unused;
      assign unused = &{1'b0, neuron};
      assign address = border_class;
    end else if (Apart) begin : gen_side_by_side
      assign address = {border_class, neuron};
    end else begin : gen_sum
      assign address = AddressBits'(border_class) + AddressBits'(neuron);
    end
    bonn_rom #(
      .DEPTH(Classes * NF), .WIDTH(PE * LEVEL_BITS), .BLOCK(LEVELS_IN_BLOCK), .FILE(LEVELS)
    ) level_rom (
      .clk, .read(level_read), .address, .word(level)
    );
  end

  // 2 h is even: the lowest bit of the level goes directly to the output, not into the sum.
  localparam bit Twice = IN_KIND == 0 && !HAS_THRESHOLDS;
  localparam logic [SUM_BITS-1:0] Half = SUM_BITS'(1) << SUM_BITS - 1;

  // A sum is in its register when its output is due, and stays there while the output waits.
  logic [PE*SUM_BITS-1:0] starts, products, sums;
  bonn_accumulators #(.LANES(PE), .BITS(SUM_BITS), .DSP(SUMS_IN_DSP)) accumulators (
    .clk, .add(ce && add), .first(add_first), .starts, .addends(products), .sums
  );

  for (genvar pe = 0; pe < PE; pe++) begin : gen_pe
    logic [SUM_BITS-1:0] product, start, sum;
    logic [OUT_BITS-1:0] result;
    assign products[pe*SUM_BITS+:SUM_BITS] = product;
    assign starts[pe*SUM_BITS+:SUM_BITS] = start;
    assign sum = sums[pe*SUM_BITS+:SUM_BITS];
    assign m_axis_tdata[pe*OUT_BITS+:OUT_BITS] = result;

    bonn_beat_sum #(
      .SIMD(SIMD), .WEIGHT_BITS(WEIGHT_BITS), .IN_BITS(IN_BITS), .IN_KIND(IN_KIND),
      .PARITIES(PARITIES), .SUM_BITS(SUM_BITS), .CUTS(CUTS)
    ) beat_sum (
      .clk, .ce, .operands(operands_q), .weights(weight[pe*RowBits+:RowBits]), .sum(product)
    );

    if (HAS_THRESHOLDS) begin : gen_threshold
      // Half of the range is added, so that the highest bit of the sum is the answer (1 for >= 0).
      assign start = SUM_BITS'($signed(level[pe*LEVEL_BITS+:LEVEL_BITS])) ^ Half;
      assign result = sum[SUM_BITS-1];
    end else if (Twice) begin : gen_twice
      logic low_q;
      always_ff @(posedge clk) if (ce && add_last) low_q <= level[pe*LEVEL_BITS];
      assign start = level[pe*LEVEL_BITS+1+:SUM_BITS];
      assign result = {sum, low_q};
    end else begin : gen_offset
      assign start = level[pe*LEVEL_BITS+:SUM_BITS];
      assign result = sum;
    end
  end
endmodule
