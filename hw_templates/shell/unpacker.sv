// SPDX-License-Identifier: BSD-3-Clause
// Words of 64 bits to beats of BITS bits, each in a slot of SLOT bytes: a part of a word (1, 2, 4,
// 8) or several words. A frame has BEATS beats; the rest of its last word is skipped.
module bonn_unpacker #(
  parameter int BITS = 8,
  parameter int SLOT = 1,
  parameter int BEATS = 1
) (
  input  logic            clk,
  input  logic            rst,
  input  logic            valid,
  input  logic [63:0]     word,
  output logic            take,
  output logic [BITS-1:0] m_axis_tdata,
  output logic            m_axis_tvalid,
  input  logic            m_axis_tready,
  output logic            frame_end
);
  localparam int Slots = SLOT < 8 ? 8 / SLOT : 1;  // of a word
  localparam int Words = SLOT > 8 ? SLOT / 8 : 1;  // of a slot
  if (BITS > 8 * SLOT || (SLOT > 8 && SLOT % 8 != 0) || (SLOT < 8 && 8 % SLOT != 0))
  begin : gen_illegal
    $error("unpacker: SLOT %0d must be 1, 2, 4 or a multiple of 8 and hold %0d bits", SLOT, BITS);
  end

  logic [64*Words-1:0] held_q;
  logic [BEATS > 1 ? $clog2(BEATS)-1 : 0:0] unused_beat;
  logic [Slots > 1 ? $clog2(Slots)-1 : 0:0] unused_slot;
  logic [Words > 1 ? $clog2(Words)-1 : 0:0] unused_word;
  logic beat, beat_last, slot_last, word_last, empties;

  assign beat = m_axis_tvalid && m_axis_tready;
  assign frame_end = beat && beat_last;
  assign empties = beat && (slot_last || beat_last);
  assign take = valid && (!m_axis_tvalid || empties);
  assign m_axis_tdata = held_q[BITS-1:0];

  bonn_counter #(.STATES(BEATS)) beats (
    .clk, .rst, .step(beat), .value(unused_beat), .last(beat_last)
  );
  bonn_counter #(.STATES(Slots)) slots (
    .clk, .rst(rst || frame_end), .step(beat), .value(unused_slot), .last(slot_last)
  );
  bonn_counter #(.STATES(Words)) words (
    .clk, .rst, .step(take), .value(unused_word), .last(word_last)
  );

  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else if (take) m_axis_tvalid <= word_last;
    else if (empties) m_axis_tvalid <= 1'b0;
    if (take || beat) begin
      held_q <= take ? (64 * Words)'({word, held_q} >> 64) : held_q >> 8 * SLOT % (64 * Words);
    end
  end
endmodule
