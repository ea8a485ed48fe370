// SPDX-License-Identifier: BSD-3-Clause
// A queue of at most DEPTH beats. A beat can leave in the cycle after it arrived. tready and tvalid
// depend on registers only, so there is no combinational path through the queue. It accepts no beat
// while it is full, even if one leaves: with DEPTH 1 a beat moves every other cycle at most.
// STYLE selects the storage and does not change the timing: 0 a register (DEPTH 1), 1 a shift
// register (DEPTH 2 to 32), 2 a ring in LUT memory, 3 a ring in block memory, 4 two registers
// (DEPTH 2; a skid buffer), of which the second is used while the output waits.
// TAPS: the order of the places of a ring. 0: one after the other. Otherwise the taps of a shift
// register with feedback, whose period is one less than a power of two: as a pointer it takes one
// LUT instead of one for each bit, and one place is never used.
module bonn_fifo #(
  parameter int WIDTH = 1,
  parameter int DEPTH = 2,
  parameter int STYLE = 1,
  parameter int TAPS = 0
) (
  input  logic             clk,
  input  logic             rst,
  input  logic [WIDTH-1:0] s_axis_tdata,
  input  logic             s_axis_tvalid,
  output logic             s_axis_tready,
  output logic [WIDTH-1:0] m_axis_tdata,
  output logic             m_axis_tvalid,
  input  logic             m_axis_tready,
  output logic             step
);
  localparam int Register = 0;
  localparam int Shift = 1;
  localparam int LutRing = 2;
  localparam int BlockRing = 3;
  localparam int Skid = 4;

  if (WIDTH < 1 || DEPTH < 1) begin : gen_illegal
    $error("fifo: WIDTH %0d and DEPTH %0d must be positive", WIDTH, DEPTH);
  end
  if (STYLE < Register || STYLE > Skid || (STYLE == Register) != (DEPTH == 1) ||
      (STYLE == Shift && DEPTH > 32) || (STYLE == Skid && DEPTH != 2)) begin : gen_illegal_style
    $error("fifo: STYLE %0d cannot hold DEPTH %0d: 0 holds 1, 1 holds 2 to 32, 2 and 3 at least 2, \
4 holds 2", STYLE, DEPTH);
  end
  if (TAPS < 0 || (TAPS != 0 && (1 << $clog2(TAPS + 1)) <= DEPTH)) begin : gen_illegal_taps
    $error("fifo: TAPS %0d must be 0, or those of a shift register of more than DEPTH %0d states",
           TAPS, DEPTH);
  end

  logic take;
  assign take = s_axis_tvalid && s_axis_tready;
  assign step = m_axis_tvalid && m_axis_tready;

  if (STYLE == Register) begin : gen_register
    assign s_axis_tready = !m_axis_tvalid;
    always_ff @(posedge clk) begin
      if (rst) m_axis_tvalid <= 1'b0;
      else if (take || step) m_axis_tvalid <= take;
      if (take) m_axis_tdata <= s_axis_tdata;
    end
  end else if (STYLE == Skid) begin : gen_skid
    logic [WIDTH-1:0] second_q;
    logic two_q;  // the second register is in use
    assign s_axis_tready = !two_q;
    always_ff @(posedge clk) begin
      if (rst) begin
        m_axis_tvalid <= 1'b0;
        two_q <= 1'b0;
      end else begin
        if (m_axis_tready || !m_axis_tvalid) m_axis_tvalid <= take || two_q;
        two_q <= m_axis_tvalid && !m_axis_tready && (take || two_q);
      end
      if (m_axis_tready || !m_axis_tvalid) m_axis_tdata <= two_q ? second_q : s_axis_tdata;
      if (!two_q) second_q <= s_axis_tdata;
    end
  end else if (STYLE == Shift) begin : gen_shift
    // Shift registers of fewer than three places would become plain registers, which are larger.
    localparam int Places = DEPTH > 3 ? DEPTH : 3;
    localparam int PlaceBits = $clog2(Places);
    logic [PlaceBits:0] oldest_q;  // place of the oldest beat (the newest is at 0); -1: empty
    assign m_axis_tvalid = !oldest_q[PlaceBits];
    assign s_axis_tready = oldest_q != (PlaceBits + 1)'(DEPTH - 1);
    always_ff @(posedge clk) begin
      if (rst) oldest_q <= '1;
      else if (take != step) oldest_q <= oldest_q + {{PlaceBits{step}}, 1'b1};
    end
    // One vector per bit: not all synthesisers recognise a shift register in an array of beats.
    for (genvar place = 0; place < WIDTH; place++) begin : gen_bit
      logic [Places-1:0] bits_q;
      always_ff @(posedge clk) if (take) bits_q <= {bits_q[Places-2:0], s_axis_tdata[place]};
      assign m_axis_tdata[place] = bits_q[oldest_q[PlaceBits-1:0]];
    end
  end else begin : gen_ring
    localparam int CountBits = DEPTH > 1 ? $clog2(DEPTH) : 1;
    localparam int AddressBits = TAPS != 0 ? $clog2(TAPS + 1) : CountBits;
    localparam int Places = TAPS != 0 ? 1 << AddressBits : DEPTH;
    logic [AddressBits-1:0] write_q;
    // Beats held, modulo 2 ** CountBits. What they say of the next cycle becomes registers, so
    // that no comparison is on the way of tready and tvalid.
    logic [CountBits-1:0] count_q;
    logic full_q, one;

    function automatic logic [AddressBits-1:0] next(input logic [AddressBits-1:0] pointer);
      if (TAPS != 0) begin  // all ones would stay, and are not reached from zero
        next = AddressBits'({pointer, ~^(pointer & AddressBits'(TAPS))});
      end else begin
        // Written as toggling bits, not as a sum: a carry chain takes a LUT per bit.
        next[0] = !pointer[0];
        for (int i = 1; i < AddressBits; i++) next[i] = pointer[i] ^ &(pointer | ~'0 << i);
        if (DEPTH != 1 << AddressBits && pointer == AddressBits'(DEPTH - 1)) next = '0;
      end
    endfunction

    assign one = count_q == CountBits'(1);
    assign s_axis_tready = !full_q;
    always_ff @(posedge clk) begin
      if (rst) begin
        write_q <= '0;
        count_q <= '0;
        full_q <= 1'b0;
        m_axis_tvalid <= 1'b0;
      end else begin
        if (take) write_q <= next(write_q);
        if (take != step) begin
          count_q <= count_q + (step ? '1 : CountBits'(1));
          full_q <= take && count_q == CountBits'(DEPTH - 1);
          m_axis_tvalid <= take || !one;
        end
      end
    end

    if (STYLE == LutRing) begin : gen_lut
      // The initial value is not needed for its value. Without it, Yosys merges read_q into the
      // memory as an address register, which LUT memory does not have, and builds it twice.
      logic [AddressBits-1:0] read_q = '0;
      always_ff @(posedge clk) begin
        if (rst) read_q <= '0;
        else if (step) read_q <= next(read_q);
      end
      (* ram_style = "distributed" *) logic [WIDTH-1:0] ring[Places];
      always_ff @(posedge clk) if (take) ring[write_q] <= s_axis_tdata;
      assign m_axis_tdata = ring[read_q];
    end else if (STYLE == BlockRing) begin : gen_block
      // Synchronous read: a step reads the beat after the one that leaves. A beat that arrives when
      // the memory has none to read would be too late, so it bypasses the memory.
      (* ram_style = "block" *) logic [WIDTH-1:0] ring[Places];
      logic [WIDTH-1:0] read_beat_q, bypass_q;
      logic bypass_d, is_bypassed_q;
      // The place of the beat after the oldest one.
      logic [AddressBits-1:0] ahead_q;
      always_ff @(posedge clk) begin
        if (rst) ahead_q <= next('0);
        else if (step) ahead_q <= next(ahead_q);
      end
      assign bypass_d = take && (!m_axis_tvalid || (step && one));
      always_ff @(posedge clk) begin
        if (take) ring[write_q] <= s_axis_tdata;
        if (step) read_beat_q <= ring[ahead_q];
        if (bypass_d) bypass_q <= s_axis_tdata;
        if (bypass_d || step) is_bypassed_q <= bypass_d;
      end
      assign m_axis_tdata = is_bypassed_q ? bypass_q : read_beat_q;
    end
  end
endmodule
