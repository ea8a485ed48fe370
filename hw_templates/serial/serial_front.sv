// SPDX-License-Identifier: BSD-3-Clause
// An accelerator behind a serial line, for boards without a processing system. After the byte
// "I" it sends the design's hash (16 bytes). After the byte "F" and a frame in the layout of
// docs/shell.md it sends the answer, in the same layout; the host sends the next frame after that.
// A break on the line resets everything.
module bonn_serial_front #(
  parameter int DIVIDER = 25,    // cycles a bit
  parameter int IN_BITS = 8,     // of a beat
  parameter int IN_SLOT = 1,     // bytes of a beat
  parameter int IN_BEATS = 1,    // of a frame
  parameter int IN_WORDS = 1,    // of 64 bits of a frame; derived: IN_SLOT * IN_BEATS / 8, rounded up
  parameter int OUT_BITS = 8,
  parameter int OUT_SLOT = 1,
  parameter int OUT_BEATS = 1,
  parameter logic [127:0] HASH = '0  // the lowest byte is sent first
) (
  input  logic                clk,
  input  logic                rxd,
  output logic                txd,

  output logic                accelerator_rst,
  output logic [IN_BITS-1:0]  in_tdata,
  output logic                in_tvalid,
  input  logic                in_tready,
  input  logic [OUT_BITS-1:0] out_tdata,
  input  logic                out_tvalid,
  output logic                out_tready
);
  localparam int Depth = IN_WORDS > 2 ? 1 << $clog2(IN_WORDS) : 2;
  localparam int LeftBits = $clog2(8 * IN_WORDS + 1);

  // Reset after power-up, and during a break of the line.
  logic [5:0] awake_q = '0;
  logic rst, broken;
  assign rst = !(&awake_q);
  assign accelerator_rst = rst;
  always_ff @(posedge clk) begin
    if (broken) awake_q <= '0;
    else if (rst) awake_q <= awake_q + 6'd1;
  end

  logic heard;
  logic [7:0] octet;
  bonn_uart_receiver #(.DIVIDER(DIVIDER)) receiver (
    .clk, .rxd, .valid(heard), .data(octet), .broken
  );

  // Bytes of a frame become words; the queue has room for a whole frame.
  logic [LeftBits-1:0] left_q;
  logic [63:0] word_q, word;
  logic [2:0] filled_q;
  logic in_frame, put_q, queued, take, unused_in, unused_out;
  logic [$clog2(Depth):0] unused_count;
  assign in_frame = left_q != '0;
  always_ff @(posedge clk) begin
    put_q <= heard && in_frame && (&filled_q);
    if (heard && in_frame) begin
      word_q <= {octet, word_q[63:8]};
      filled_q <= filled_q + 3'd1;
      left_q <= left_q - LeftBits'(1);
    end else if (heard && octet == "F") begin
      left_q <= LeftBits'(8 * IN_WORDS);
    end
    if (rst) begin
      left_q <= '0;
      filled_q <= '0;
      put_q <= 1'b0;
    end
  end
  bonn_sync_fifo #(.WIDTH(64), .DEPTH(Depth)) queue (
    .clk, .clear(rst), .put(put_q), .word_in(word_q), .valid(queued), .word, .take,
    .count(unused_count)
  );
  bonn_unpacker #(.BITS(IN_BITS), .SLOT(IN_SLOT), .BEATS(IN_BEATS)) entry (
    .clk, .rst, .valid(queued), .word, .take, .m_axis_tdata(in_tdata), .m_axis_tvalid(in_tvalid),
    .m_axis_tready(in_tready), .frame_end(unused_in)
  );

  // Words of answers, and the hash, become bytes.
  logic answered, taken, asked, speaks, ready;
  logic [63:0] answer;
  logic [127:0] sent_q;
  logic [4:0] unsent_q;
  bonn_packer #(.BITS(OUT_BITS), .SLOT(OUT_SLOT), .BEATS(OUT_BEATS)) exit (
    .clk, .rst, .s_axis_tdata(out_tdata), .s_axis_tvalid(out_tvalid), .s_axis_tready(out_tready),
    .frame_end(unused_out), .valid(answered), .word(answer), .take(taken)
  );
  assign speaks = unsent_q != '0;
  assign asked = heard && !in_frame && octet == "I";
  assign taken = answered && !speaks && !asked;
  always_ff @(posedge clk) begin
    if (rst) unsent_q <= '0;
    else if (asked) unsent_q <= 5'd16;
    else if (taken) unsent_q <= 5'd8;
    else if (speaks && ready) unsent_q <= unsent_q - 5'd1;
    if (asked) sent_q <= HASH;
    else if (taken) sent_q <= {64'd0, answer};
    else if (ready) sent_q <= sent_q >> 8;
  end
  bonn_uart_sender #(.DIVIDER(DIVIDER)) sender (
    .clk, .rst, .valid(speaks), .data(sent_q[7:0]), .ready, .txd
  );
endmodule
