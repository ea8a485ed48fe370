// SPDX-License-Identifier: BSD-3-Clause
// A host at the other end of the line of `bonn_serial_front`, and an accelerator behind it that
// adds: every byte, every bit's length, breaks, noise, clocks that differ. Ends with "PASSED".
module serial_bench;
  localparam int Divider = 20;  // cycles a bit
  localparam int Beats = 10, FrameBytes = 16, AnswerBytes = 8;
  localparam logic [127:0] Hash = 128'h0f1e2d3c4b5a69788796a5b4c3d2e1f0;
  // The host's bits are longer or shorter by a thousandth: as far off as the middle of a bit allows.
  int off = 0;
  int slowest = 58, fastest = -47;

  logic clk = 1'b0, rxd = 1'b1;
  always #5 clk = !clk;
  logic txd, accelerator_rst, in_tvalid, in_tready, out_tvalid, out_tready;
  logic [3:0] in_tdata;
  logic [11:0] out_tdata;
  bonn_serial_front #(
    .DIVIDER(Divider), .IN_BITS(4), .IN_SLOT(1), .IN_BEATS(Beats), .IN_WORDS(2),
    .OUT_BITS(12), .OUT_SLOT(2), .OUT_BEATS(3), .HASH(Hash)
  ) front (
    .clk, .rxd, .txd, .accelerator_rst, .in_tdata, .in_tvalid, .in_tready,
    .out_tdata, .out_tvalid, .out_tready
  );

  // The accelerator: beat k of an answer is (k + 1) times the sum over all (i + 1) * beat i.
  int beat_q = 0, answer_q = 3;
  logic [11:0] sum_q = '0;
  logic [15:0] random_q = 16'hace1;
  assign in_tready = answer_q == 3 && random_q[0];
  assign out_tvalid = answer_q < 3;
  assign out_tdata = out_tvalid ? 12'(sum_q * (answer_q + 1)) : 'x;
  always @(posedge clk) begin
    random_q <= {random_q[14:0], random_q[15] ^ random_q[13] ^ random_q[12] ^ random_q[10]};
    if (accelerator_rst) begin
      beat_q <= 0;
      answer_q <= 3;
      sum_q <= '0;
    end else if (in_tvalid && in_tready) begin
      sum_q <= (beat_q == 0 ? 12'd0 : sum_q) + 12'((beat_q + 1) * in_tdata);
      beat_q <= beat_q == Beats - 1 ? 0 : beat_q + 1;
      if (beat_q == Beats - 1) answer_q <= 0;
    end else if (out_tvalid && out_tready) begin
      answer_q <= answer_q + 1;
    end
  end

  // What the line says: each bit stays for exactly Divider cycles.
  logic [7:0] heard[4096];
  int count = 0, seen = 0, place = -1;
  logic [9:0] bits;
  always @(posedge clk) begin
    if (^txd === 1'bx && front.rst === 1'b0) $fatal(1, "FAILED: txd is %b", txd);
    if (place < 0 && txd === 1'b0) place = 0;
    if (place >= 0) begin
      if (place % Divider == 0) bits = {txd, bits[9:1]};
      else if (bits[9] !== txd) $fatal(1, "FAILED: a bit changes after %0d cycles", place % Divider);
      place = place + 1;
      if (place == 10 * Divider) begin
        if (bits[0] !== 1'b0 || bits[9] !== 1'b1) $fatal(1, "FAILED: start or stop of %b", bits);
        heard[count] = bits[8:1];
        count = count + 1;
        place = -1;
      end
    end
  end

  task automatic pause(input int cycles);
    repeat (cycles) @(negedge clk);
  endtask

  // Ten bits, back to back with the next byte's; `stop` is the last of them.
  task automatic send(input logic [7:0] octet, input logic stop = 1'b1);
    logic [9:0] all;
    int from, to;
    all = {stop, octet, 1'b0};
    from = 0;
    for (int i = 0; i < 10; i++) begin
      to = (2 * (i + 1) * Divider * (1000 + off) + 1000) / 2000;
      rxd = all[i];
      pause(to - from);
      from = to;
    end
    rxd = 1'b1;
  endtask

  task automatic answered(input int bytes, input logic [127:0] expected, input string what);
    int waited;
    waited = 0;
    while (count < seen + bytes && waited < 12 * Divider * (bytes + 2)) begin
      pause(1);
      waited = waited + 1;
    end
    pause(12 * Divider);  // nothing follows
    if (count != seen + bytes) begin
      $fatal(1, "FAILED: %s: %0d bytes came, not %0d", what, count - seen, bytes);
    end
    for (int i = 0; i < bytes; i++) begin
      if (heard[seen+i] !== expected[8*i+:8]) begin
        $fatal(1, "FAILED: %s: byte %0d is %h, not %h", what, i, heard[seen+i], expected[8*i+:8]);
      end
    end
    seen = count;
  endtask

  // Bytes of a frame: a beat in the lower half of each of ten; the rest is ignored, also commands.
  function automatic logic [7:0] octet(input int seed, input int i);
    octet = i < Beats ? 8'((seed + 37 * i * i + 11 * i) ^ 8'h50) : i % 2 == 0 ? "F" : "I";
  endfunction

  task automatic part(input int seed, input int from, input int to);
    for (int i = from; i < to; i++) send(octet(seed, i));
  endtask

  task automatic answer(input int seed, input string what);
    logic [11:0] sum;
    logic [7:0] one;
    sum = '0;
    for (int i = 0; i < Beats; i++) begin
      one = octet(seed, i);
      sum = sum + 12'((i + 1) * one[3:0]);
    end
    answered(AnswerBytes, {16'd0, 4'd0, 12'(sum * 3), 4'd0, 12'(sum * 2), 4'd0, sum}, what);
  endtask

  task automatic frame(input int seed, input string what);
    send("F");
    part(seed, 0, FrameBytes);
    answer(seed, what);
  endtask

  task automatic silent(input int cycles);
    rxd = 1'b0;
    pause(cycles);
    rxd = 1'b1;
    pause(5 * Divider);
  endtask

  initial begin
    pause(70);  // power-up takes 64
    send("I");
    if (place < 0) $fatal(1, "FAILED: the line is not free after power-up");
    answered(16, Hash, "hash");
    for (int i = 0; i < 3; i++) begin
      off = i == 0 ? 0 : i == 1 ? slowest : fastest;
      frame(3 * i + 1, "frame, clocks differ");
      frame(3 * i + 2, "frame after frame");
      send("I");
      answered(16, Hash, "hash, clocks differ");
    end
    off = 0;
    // What is no byte and no command: a dip, other letters, a byte without a stop bit.
    rxd = 1'b0;
    pause(Divider / 2 - 2);
    rxd = 1'b1;
    pause(12 * Divider);
    send(8'h00);
    send("f");
    send("i");
    send("F", 1'b0);
    pause(2 * Divider);
    answered(0, '0, "noise");
    frame(50, "frame after noise");
    // Within a frame a byte without a stop bit is dropped, and no reset.
    send("F");
    part(60, 0, 3);
    silent(20 * Divider - 1);
    part(60, 3, FrameBytes);
    answer(60, "frame around noise");
    // A break forgets what came, whatever it was, and what was to be sent.
    for (int sent = 0; sent < FrameBytes; sent += 5) begin
      send("F");
      part(70, 0, sent);
      silent(20 * Divider);  // 20 bits at least
      if (accelerator_rst !== 1'b0) $fatal(1, "FAILED: the reset does not end");
      frame(80 + sent, "frame after a break");
    end
    send("F");
    part(90, 0, FrameBytes);
    rxd = 1'b0;
    pause(21 * Divider);
    if (accelerator_rst !== 1'b1) $fatal(1, "FAILED: a break resets nothing");
    rxd = 1'b1;
    pause(5 * Divider);
    pause(12 * Divider);
    seen = count;  // what was sent before the break was long enough
    place = -1;
    frame(91, "frame after a break of an answer");
    send("I");
    answered(16, Hash, "hash after all");
    $display("PASSED: %0d bytes", count);
    $finish;
  end
endmodule
