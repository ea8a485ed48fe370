// SPDX-License-Identifier: BSD-3-Clause
// Depthwise convolution behind a sliding window: every channel has MULTIPLIER sums of its own taps.
// A window is TAPS x FOLDS beats, of LANES channels of one tap each, all channels of a tap in a row.
// IN_KIND: 0 bits (1 is +1, 0 is -1), 1 unsigned, 2 signed. WEIGHT_BITS 1: weights are such bits too,
// otherwise two's complement.
// WEIGHTS: TAPS * FOLDS words; word tap * FOLDS + fold has the weight of output j of channel
// fold * LANES + lane from bit (lane * MULTIPLIER + j) * WEIGHT_BITS. BLOCK: in block memory.
// SUM_BITS must hold every sum of a whole window; partial sums may wrap.
// A step takes a beat. The last tap's steps send their sums, valid three cycles later: a register for
// weights and inputs, one for products, one for sums. The sums of the folds are in a memory with
// asynchronous read (LUT memory). Stalls when the output is not taken.
module bonn_depthwise #(
  parameter int LANES = 1,
  parameter int MULTIPLIER = 1,
  parameter int IN_BITS = 4,
  parameter int IN_KIND = 1,
  parameter int WEIGHT_BITS = 4,
  parameter int TAPS = 9,
  parameter int FOLDS = 1,
  parameter int SUM_BITS = 12,  // derived: holds every sum
  parameter bit BLOCK = 0,
  parameter WEIGHTS = "",
  localparam int Sums = LANES * MULTIPLIER
) (
  input  logic                     clk,
  input  logic                     rst,
  input  logic [LANES*IN_BITS-1:0] s_axis_tdata,
  input  logic                     s_axis_tvalid,
  output logic                     s_axis_tready,
  output logic [Sums*SUM_BITS-1:0] m_axis_tdata,
  output logic                     m_axis_tvalid,
  input  logic                     m_axis_tready,
  output logic                     step
);
  if (LANES < 1 || MULTIPLIER < 1 || TAPS < 1 || FOLDS < 1) begin : gen_illegal
    $error("depthwise: LANES %0d, MULTIPLIER %0d, TAPS %0d and FOLDS %0d must be positive",
           LANES, MULTIPLIER, TAPS, FOLDS);
  end
  if (IN_KIND < 0 || IN_KIND > 2 || WEIGHT_BITS < 1 || (IN_KIND == 0 && IN_BITS != 1))
  begin : gen_illegal_kind
    $error("depthwise: IN_KIND %0d must be 0, of IN_BITS %0d 1, or 1 or 2; WEIGHT_BITS %0d positive",
           IN_KIND, IN_BITS, WEIGHT_BITS);
  end

  // A bit as a factor negates the other factor; of two bits the product is +1 or -1.
  localparam bit Negates = (IN_KIND == 0) != (WEIGHT_BITS == 1);
  localparam int ProductBits = !Negates ? IN_BITS + WEIGHT_BITS
                             : IN_KIND == 0 ? WEIGHT_BITS : IN_BITS + (IN_KIND == 1);
  localparam int AddressBits = FOLDS > 1 ? $clog2(FOLDS) : 1;

  logic ce, read, multiplied, adds, last_fold, first, last, unused_weights;
  logic [LANES*IN_BITS-1:0] value_q;
  logic [Sums*WEIGHT_BITS-1:0] weights;
  logic [Sums*SUM_BITS-1:0] stored, running, sum;
  logic [AddressBits-1:0] fold;
  logic [(TAPS > 1 ? $clog2(TAPS) : 1)-1:0] unused_tap;

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && s_axis_tvalid;
  assign s_axis_tready = ce;

  always_ff @(posedge clk) begin
    if (rst) {multiplied, read} <= '0;
    else if (ce) {multiplied, read} <= {read, s_axis_tvalid};
    if (ce) value_q <= s_axis_tdata;
  end

  bonn_rom_sequence #(
    .DEPTH(TAPS * FOLDS), .WIDTH(Sums * WEIGHT_BITS), .BLOCK(BLOCK), .FILE(WEIGHTS)
  ) u_weights (.clk, .rst, .read(step), .word(weights));

  // Which sum a product belongs to is counted where it is added.
  assign adds = ce && multiplied;
  bonn_counter #(.STATES(FOLDS)) u_folds (.clk, .rst, .step(adds), .value(fold), .last(last_fold));
  bonn_counter #(.STATES(TAPS)) u_taps (
    .clk, .rst, .step(adds && last_fold), .value(unused_tap), .last
  );
  // A register: what chooses a sum's first addend is one bit, however many taps there are.
  always_ff @(posedge clk) begin
    if (rst) first <= 1'b1;
    else if (adds && last_fold) first <= last;
  end
  assign running = first ? '0 : stored;

  for (genvar i = 0; i < Sums; i++) begin : gen_sum
    logic [IN_BITS-1:0] x;
    logic [WEIGHT_BITS-1:0] w;
    logic [ProductBits-1:0] product, product_q;
    logic [SUM_BITS-1:0] addend;
    logic negative;  // the product is inverted, and one more is to be added
    assign x = value_q[i/MULTIPLIER*IN_BITS+:IN_BITS];
    assign w = weights[i*WEIGHT_BITS+:WEIGHT_BITS];
    if (IN_KIND == 0 && WEIGHT_BITS == 1) begin : gen_bits
      assign product = {x != w, 1'b1};
      assign negative = 1'b0;
    end else if (IN_KIND == 0) begin : gen_weight
      assign negative = !x[0];
      assign product = w ^ {WEIGHT_BITS{negative}};
    end else if (WEIGHT_BITS == 1) begin : gen_value
      assign negative = !w[0];
      assign product = ProductBits'(x) ^ {ProductBits{negative}};
    end else if (IN_KIND == 2) begin : gen_signed
      assign product = ProductBits'($signed(x)) * ProductBits'($signed(w));
      assign negative = 1'b0;
    end else begin : gen_unsigned
      assign product = ProductBits'(x) * ProductBits'($signed(w));
      assign negative = 1'b0;
    end
    always_ff @(posedge clk) if (ce) product_q <= product;
    assign addend = SUM_BITS'($signed(product_q));
    // The operand from a register comes first: a carry chain takes it as it is.
    if (Negates) begin : gen_carry
      logic negative_q, carried;
      always_ff @(posedge clk) if (ce) negative_q <= negative;
      assign {sum[i*SUM_BITS+:SUM_BITS], carried} =
          {addend, negative_q} + {running[i*SUM_BITS+:SUM_BITS], 1'b1};
      logic unused;
      assign unused = &{1'b0, carried};
    end else begin : gen_plain
      assign sum[i*SUM_BITS+:SUM_BITS] = addend + running[i*SUM_BITS+:SUM_BITS];
      logic unused;
      assign unused = &{1'b0, negative};
    end
  end

  if (FOLDS == 1) begin : gen_register
    always_ff @(posedge clk) if (adds) stored <= sum;
    logic unused;
    assign unused = &{1'b0, fold};
  end else begin : gen_memory
    // The synthesiser does not choose: an address from a register fits a block memory, too.
    (* ram_style = "distributed" *) logic [Sums*SUM_BITS-1:0] sums[FOLDS];
    always_ff @(posedge clk) if (adds) sums[fold] <= sum;
    assign stored = sums[fold];
  end

  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else m_axis_tvalid <= (adds && last) || !ce;
    if (adds) m_axis_tdata <= sum;
  end

  assign unused_weights = &{1'b0, weights};
endmodule
