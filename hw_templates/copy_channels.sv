// SPDX-License-Identifier: BSD-3-Clause
// Copies of channels: a pixel of IN_FOLDS beats of IN_LANES channels becomes OUT_FOLDS beats of
// OUT_LANES channels, each of which is the input channel that its index names.
// Two pages of LUT memory, written in turn: one pixel arrives while the one before is sent. Every
// output lane has pages of its own, since each reads another beat.
//
// INDICES: OUT_FOLDS words; word fold, bits from lane * IndexBits are the index of output channel
// fold * OUT_LANES + lane: the lane of its input beat below, the beat of the pixel on top. The
// highest bit of a word is 1 in the last one.
// BLOCK: the indices are in block memory.
//
// A step sends a beat. It waits until the whole pixel has arrived; the last step of a pixel frees
// its page. Input stalls while both pages are full; output stalls when not taken or when its pixel
// is missing.
module bonn_copy_channels #(
  parameter int IN_LANES = 1,
  parameter int OUT_LANES = 1,
  parameter int BITS = 1,
  parameter int IN_FOLDS = 1,
  parameter int OUT_FOLDS = 1,
  parameter bit BLOCK = 0,
  parameter INDICES = ""
) (
  input  logic                      clk,
  input  logic                      rst,
  input  logic [IN_LANES*BITS-1:0]  s_axis_tdata,
  input  logic                      s_axis_tvalid,
  output logic                      s_axis_tready,
  output logic [OUT_LANES*BITS-1:0] m_axis_tdata,
  output logic                      m_axis_tvalid,
  input  logic                      m_axis_tready,
  output logic                      step
);
  if (IN_LANES < 1 || OUT_LANES < 1 || BITS < 1 || IN_FOLDS < 1 || OUT_FOLDS < 1)
  begin : gen_illegal
    $error("copy_channels: IN_LANES %0d, OUT_LANES %0d, BITS %0d, IN_FOLDS %0d, OUT_FOLDS %0d \
must be positive", IN_LANES, OUT_LANES, BITS, IN_FOLDS, OUT_FOLDS);
  end

  localparam int BeatBits = IN_FOLDS > 1 ? $clog2(IN_FOLDS) : 0;
  localparam int LaneBits = IN_LANES > 1 ? $clog2(IN_LANES) : 0;
  localparam int IndexBits = BeatBits + LaneBits > 0 ? BeatBits + LaneBits : 1;
  localparam int WordBits = OUT_LANES * IndexBits + 1;
  localparam int CountBits = BeatBits > 0 ? BeatBits : 1;

  logic ce, take, write_last, read_last, filled, freed;
  logic [CountBits-1:0] beat;
  logic [BeatBits:0] write_address;
  logic [WordBits-1:0] word;
  logic primed_q;  // the indices of the next step are in the register of the ROM
  logic write_page_q, read_page_q;
  logic one_q, both_q;  // a page is full, both are

  assign ce = m_axis_tready || !m_axis_tvalid;
  assign step = ce && one_q;
  assign s_axis_tready = !both_q;
  assign take = s_axis_tvalid && s_axis_tready;
  assign filled = take && write_last;
  assign freed = step && read_last;
  assign read_last = word[WordBits-1];

  bonn_counter #(.STATES(IN_FOLDS)) beats (.clk, .rst, .step(take), .value(beat), .last(write_last));
  bonn_rom_sequence #(
    .DEPTH(OUT_FOLDS), .WIDTH(WordBits), .BLOCK(BLOCK), .FILE(INDICES)
  ) indices (
    .clk, .rst, .read(step || !primed_q), .word
  );

  if (BeatBits > 0) begin : gen_beats
    assign write_address = {write_page_q, beat};
  end else begin : gen_beat
    logic unused;
    assign unused = &{1'b0, beat};
    assign write_address = write_page_q;
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      primed_q <= 1'b0;
      write_page_q <= 1'b0;
      read_page_q <= 1'b0;
      one_q <= 1'b0;
      both_q <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end else begin
      primed_q <= 1'b1;
      if (filled) write_page_q <= !write_page_q;
      if (freed) read_page_q <= !read_page_q;
      if (filled && !freed) begin
        one_q <= 1'b1;
        both_q <= one_q;
      end else if (freed && !filled) begin
        one_q <= both_q;
        both_q <= 1'b0;
      end
      if (ce) m_axis_tvalid <= step;
    end
  end

  for (genvar lane = 0; lane < OUT_LANES; lane++) begin : gen_lane
    (* ram_style = "distributed" *) logic [IN_LANES*BITS-1:0] pages[2 << BeatBits];
    logic [IN_LANES*BITS-1:0] beat_read;
    logic [IndexBits:0] place;  // the page, the beat, the lane
    logic [BITS-1:0] channel;
    assign place = {read_page_q, word[lane*IndexBits+:IndexBits]};
    assign beat_read = pages[place[IndexBits-:BeatBits+1]];
    if (LaneBits > 0) begin : gen_chosen
      assign channel = beat_read[int'(place[LaneBits-1:0])*BITS+:BITS];
    end else begin : gen_only
      logic unused;
      assign unused = &{1'b0, place};
      assign channel = beat_read;
    end
    always_ff @(posedge clk) begin
      if (take) pages[write_address] <= s_axis_tdata;
      if (step) m_axis_tdata[lane*BITS+:BITS] <= channel;
    end
  end
endmodule
