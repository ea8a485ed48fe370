// SPDX-License-Identifier: BSD-3-Clause
// Writes frames of FRAME_WORDS words to memory, in order, from a stream of words. A burst begins
// when all of its words have arrived, so that the bus never waits for the accelerator. After `stop`
// no burst begins; `quiet` says that none is outstanding. `wrote` is a pulse: a frame is in memory.
// `failed` is a pulse: an error response.
module bonn_memory_writer #(
  parameter int FRAME_WORDS = 1
) (
  input  logic        clk,
  input  logic        rst,
  input  logic        begin_run,
  input  logic        stop,
  input  logic [31:0] first_address,
  output logic        quiet,
  output logic        failed,
  output logic        wrote,

  output logic [31:0] m_axi_awaddr,
  output logic [3:0]  m_axi_awlen,
  output logic        m_axi_awvalid,
  input  logic        m_axi_awready,
  output logic [63:0] m_axi_wdata,
  output logic        m_axi_wlast,
  output logic        m_axi_wvalid,
  input  logic        m_axi_wready,
  input  logic [1:0]  m_axi_bresp,
  input  logic        m_axi_bvalid,
  output logic        m_axi_bready,

  input  logic        valid,
  input  logic [63:0] word,
  output logic        take
);
  localparam int Bursts = 8;  // at most, that wait for their responses
  logic frame_end, ask, send, answered, ends_frame, unused_valid;
  logic [31:0] address;
  logic [4:0] words, sent_words_q;
  logic [5:0] held;
  logic [3:0] waiting;

  bonn_burst_splitter #(.FRAME_WORDS(FRAME_WORDS)) splitter (
    .clk, .begin_run, .first_address, .next(ask), .address, .words, .frame_end
  );

  // A queue of 32 words: a burst is sent while the words of the next one arrive.
  logic word_valid;
  logic [63:0] oldest;
  bonn_sync_fifo #(.WIDTH(64), .DEPTH(32)) queue (
    .clk, .clear(rst), .put(valid && take), .word_in(word), .valid(word_valid), .word(oldest),
    .take(send), .count(held)
  );
  assign take = !held[5];

  // For each burst that has begun: whether it ends a frame.
  bonn_sync_fifo #(.WIDTH(1), .DEPTH(Bursts)) ends (
    .clk, .clear(rst), .put(ask), .word_in(frame_end), .valid(unused_valid), .word(ends_frame),
    .take(answered), .count(waiting)
  );

  assign ask = !stop && sent_words_q == '0 && !m_axi_awvalid && !waiting[3] &&
               held >= 6'(words);
  assign m_axi_wvalid = sent_words_q != '0;
  assign m_axi_wdata = oldest;
  assign m_axi_wlast = sent_words_q == 5'd1;
  assign send = m_axi_wvalid && m_axi_wready;
  assign m_axi_bready = 1'b1;
  assign answered = m_axi_bvalid;
  assign wrote = answered && ends_frame;
  assign failed = answered && m_axi_bresp[1];
  assign quiet = waiting == '0 && !m_axi_awvalid && !m_axi_wvalid;
  always_ff @(posedge clk) begin
    if (rst) begin
      m_axi_awvalid <= 1'b0;
      sent_words_q <= '0;
    end else begin
      if (ask) m_axi_awvalid <= 1'b1;
      else if (m_axi_awready) m_axi_awvalid <= 1'b0;
      if (ask) sent_words_q <= words;
      else if (send) sent_words_q <= sent_words_q - 1;
    end
    if (ask) begin
      m_axi_awaddr <= address;
      m_axi_awlen <= 4'(words - 5'd1);
    end
  end
  logic unused;
  assign unused = &{1'b0, word_valid, m_axi_bresp[0]};
endmodule
