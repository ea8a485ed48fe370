// SPDX-License-Identifier: BSD-3-Clause
// Beats of BITS bits to words of 64 bits: each beat in a slot of SLOT bytes, a part of a word (1,
// 2, 4, 8) or several words, zeros above it. A frame of BEATS beats is filled up to a whole word.
module bonn_packer #(
  parameter int BITS = 8,
  parameter int SLOT = 1,
  parameter int BEATS = 1
) (
  input  logic            clk,
  input  logic            rst,
  input  logic [BITS-1:0] s_axis_tdata,
  input  logic            s_axis_tvalid,
  output logic            s_axis_tready,
  output logic            frame_end,
  output logic            valid,
  output logic [63:0]     word,
  input  logic            take
);
  localparam int Slots = SLOT < 8 ? 8 / SLOT : 1;  // of a word
  localparam int Words = SLOT > 8 ? SLOT / 8 : 1;  // of a slot
  if (BITS > 8 * SLOT || (SLOT > 8 && SLOT % 8 != 0) || (SLOT < 8 && 8 % SLOT != 0))
  begin : gen_illegal
    $error("packer: SLOT %0d must be 1, 2, 4 or a multiple of 8 and hold %0d bits", SLOT, BITS);
  end

  logic [BEATS > 1 ? $clog2(BEATS)-1 : 0:0] unused_beat;
  logic [Slots > 1 ? $clog2(Slots)-1 : 0:0] slot;
  logic beat, beat_last, slot_last;

  assign beat = s_axis_tvalid && s_axis_tready;
  assign frame_end = beat && beat_last;

  bonn_counter #(.STATES(BEATS)) beats (
    .clk, .rst, .step(beat), .value(unused_beat), .last(beat_last)
  );
  bonn_counter #(.STATES(Slots)) slots (
    .clk, .rst(rst || frame_end), .step(beat), .value(slot), .last(slot_last)
  );

  if (Words == 1) begin : gen_part
    assign s_axis_tready = !valid || take;
    always_ff @(posedge clk) begin
      if (rst) valid <= 1'b0;
      else if (beat) valid <= slot_last || beat_last;
      else if (take) valid <= 1'b0;
    end
    // The first beat of a word clears the bits above it.
    for (genvar i = 0; i < Slots; i++) begin : gen_slot
      always_ff @(posedge clk) begin
        if (i > 0 && beat && slot == '0) word[8*SLOT*i+:8*SLOT] <= '0;
        else if (beat && int'(slot) == i) word[8*SLOT*i+:8*SLOT] <= (8 * SLOT)'(s_axis_tdata);
      end
    end
  end else begin : gen_several
    logic [64*Words-1:0] beat_q;
    logic [$clog2(Words)-1:0] unused_word;
    logic word_last, unused;
    assign unused = &{1'b0, slot, slot_last};
    bonn_counter #(.STATES(Words)) words (
      .clk, .rst, .step(valid && take), .value(unused_word), .last(word_last)
    );
    assign s_axis_tready = !valid || (take && word_last);
    assign word = beat_q[63:0];
    always_ff @(posedge clk) begin
      if (rst) valid <= 1'b0;
      else if (beat) valid <= 1'b1;
      else if (take && word_last) valid <= 1'b0;
      if (beat) beat_q <= (64 * Words)'(s_axis_tdata);
      else if (take) beat_q <= beat_q >> 64;
    end
  end
endmodule
