// SPDX-License-Identifier: BSD-3-Clause
// `bonn_unpacker` and `bonn_packer` behind one another, for slots of parts of a word and of several
// words: beats are what the words say, words come back with zeros where no beat is, frames end
// where they end, and nothing is lost or waits for ever however the ends pause. Ends with "PASSED".
module slots_pair #(
  parameter int BITS = 8,
  parameter int SLOT = 1,
  parameter int BEATS = 3
) (
  input logic clk,
  input logic rst,
  input logic [31:0] random,
  output int frames_q
);
  localparam int Words = (SLOT * BEATS + 7) / 8;  // of a frame
  function automatic logic [63:0] octets(input int frame, input int index);
    for (int i = 0; i < 8; i++) octets[8*i+:8] = 8'(frame * 29 + (8 * index + i) * 13 + 7 * i * i);
  endfunction
  // The bits of a frame that are in a beat, as they were or as zero.
  function automatic logic kept(input int bit_);
    kept = bit_ % (8 * SLOT) < BITS && bit_ / (8 * SLOT) < BEATS;
  endfunction

  int in_q, beat_q, out_q, idle_q;
  logic valid, take, beat_valid, beat_ready, frame_in, frame_out, word_valid, word_take, pause;
  logic [63:0] word_out;
  logic [BITS-1:0] data;
  logic [64*Words-1:0] frame;
  assign pause = random[3];
  assign valid = random[0] || random[4];
  assign word_take = random[7] || random[8] && !pause;
  bonn_unpacker #(.BITS(BITS), .SLOT(SLOT), .BEATS(BEATS)) unpack (
    .clk, .rst, .valid, .word(valid ? octets(in_q / Words, in_q % Words) : 'x), .take,
    .m_axis_tdata(data), .m_axis_tvalid(beat_valid), .m_axis_tready(beat_ready && !pause),
    .frame_end(frame_in)
  );
  bonn_packer #(.BITS(BITS), .SLOT(SLOT), .BEATS(BEATS)) pack (
    .clk, .rst, .s_axis_tdata(data), .s_axis_tvalid(beat_valid && !pause),
    .s_axis_tready(beat_ready), .frame_end(frame_out), .valid(word_valid), .word(word_out),
    .take(word_take)
  );
  always @(posedge clk) begin
    if (rst) {in_q, beat_q, out_q, frames_q, idle_q} <= '0;
    else begin
      if (^{take, beat_valid, beat_ready, word_valid, frame_in, frame_out} === 1'bx)
        $fatal(1, "FAILED: slots of %0d bytes: an unknown handshake", SLOT);
      idle_q <= word_valid && word_take ? 0 : idle_q + 1;
      if (idle_q > 300) $fatal(1, "FAILED: slots of %0d bytes: nothing moves", SLOT);
      if (take && !valid) $fatal(1, "FAILED: slots of %0d bytes: no word is there", SLOT);
      if (take) in_q <= in_q + 1;
      if (beat_valid && beat_ready && !pause) begin
        for (int w = 0; w < Words; w++) frame[64*w+:64] = octets(beat_q / BEATS, w);
        if (data !== frame[8*SLOT*(beat_q%BEATS)+:BITS])
          $fatal(1, "FAILED: slots of %0d bytes: beat %0d is %h", SLOT, beat_q, data);
        if ({frame_in, frame_out} !== {2{beat_q % BEATS == BEATS - 1}})
          $fatal(1, "FAILED: slots of %0d bytes: the end of a frame at beat %0d", SLOT, beat_q);
        beat_q <= beat_q + 1;
      end else if (frame_in || frame_out) $fatal(1, "FAILED: a frame ends without a beat");
      if (word_valid && word_take) begin
        frame[63:0] = octets(out_q / Words, out_q % Words);
        for (int i = 0; i < 64; i++)
          if (word_out[i] !== (kept(64 * (out_q % Words) + i) ? frame[i] : 1'b0))
            $fatal(1, "FAILED: slots of %0d bytes: word %0d is %h", SLOT, out_q, word_out);
        out_q <= out_q + 1;
        if (out_q % Words == Words - 1) frames_q <= frames_q + 1;
      end
    end
  end
endmodule

module slots_bench;
  localparam int Kinds = 8;
  logic clk = 1'b0, rst = 1'b1;
  always #5 clk = !clk;
  logic [31:0] random_q = 32'h2545f491;
  always @(posedge clk)
    random_q <= {random_q[30:0], random_q[31] ^ random_q[21] ^ random_q[1] ^ random_q[0]};
  int frames[Kinds];
  slots_pair #(.BITS(5), .SLOT(1), .BEATS(1)) p0 (.clk, .rst,
    .random(random_q), .frames_q(frames[0]));
  slots_pair #(.BITS(8), .SLOT(1), .BEATS(11)) p1 (.clk, .rst,
    .random(random_q), .frames_q(frames[1]));
  slots_pair #(.BITS(12), .SLOT(2), .BEATS(6)) p2 (.clk, .rst,
    .random(random_q), .frames_q(frames[2]));
  slots_pair #(.BITS(32), .SLOT(4), .BEATS(3)) p3 (.clk, .rst,
    .random(random_q), .frames_q(frames[3]));
  slots_pair #(.BITS(50), .SLOT(8), .BEATS(2)) p4 (.clk, .rst,
    .random(random_q), .frames_q(frames[4]));
  slots_pair #(.BITS(128), .SLOT(16), .BEATS(3)) p5 (.clk, .rst,
    .random(random_q), .frames_q(frames[5]));
  slots_pair #(.BITS(130), .SLOT(24), .BEATS(2)) p6 (.clk, .rst,
    .random(random_q), .frames_q(frames[6]));
  slots_pair #(.BITS(65), .SLOT(16), .BEATS(1)) p7 (.clk, .rst,
    .random(random_q), .frames_q(frames[7]));
  initial begin
    repeat (5) @(negedge clk);
    rst = 1'b0;
    repeat (800) @(negedge clk);
    rst = 1'b1;  // in the middle of a frame
    repeat (2) @(negedge clk);
    rst = 1'b0;
    repeat (800) @(negedge clk);
    for (int i = 0; i < Kinds; i++)
      if (frames[i] < 10) $fatal(1, "FAILED: %0d frames of kind %0d", frames[i], i);
    $display("PASSED: all slots");
    $finish;
  end
endmodule
