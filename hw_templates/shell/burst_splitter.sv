// SPDX-License-Identifier: BSD-3-Clause
// Splits frames of FRAME_WORDS words of 64 bits, which follow one another without a gap, into
// bursts of at most 16 words, each within a frame and within 4 KiB. `begin_run` loads the address. Then
// the outputs describe a burst, and `next` advances to the following one.
module bonn_burst_splitter #(
  parameter int FRAME_WORDS = 1
) (
  input  logic        clk,
  input  logic        begin_run,
  input  logic [31:0] first_address,
  input  logic        next,
  output logic [31:0] address,
  output logic [4:0]  words,
  output logic        frame_end
);
  localparam int Bits = $clog2(FRAME_WORDS + 1);
  if (FRAME_WORDS < 1 || FRAME_WORDS > 1 << 26) begin : gen_illegal
    $error("burst_splitter: FRAME_WORDS %0d must be from 1 to 2 ** 26", FRAME_WORDS);
  end

  logic [28:0] word_q;  // address in words
  logic [Bits-1:0] left_q;
  logic [4:0] to_page, to_frame;
  assign address = {word_q, 3'b000};
  assign to_page = &word_q[8:4] ? 5'd16 - {1'b0, word_q[3:0]} : 5'd16;
  assign to_frame = 32'(left_q) > 32'd16 ? 5'd16 : 5'(left_q);
  assign words = to_frame < to_page ? to_frame : to_page;
  assign frame_end = 32'(left_q) == 32'(words);
  always_ff @(posedge clk) begin
    if (begin_run) begin
      word_q <= first_address[31:3];
      left_q <= Bits'(FRAME_WORDS);
    end else if (next) begin
      word_q <= word_q + 29'(words);
      left_q <= frame_end ? Bits'(FRAME_WORDS) : left_q - Bits'(words);
    end
  end
  logic unused;
  assign unused = &{1'b0, first_address[2:0]};
endmodule
