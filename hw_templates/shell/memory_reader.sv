// SPDX-License-Identifier: BSD-3-Clause
// Reads frames of FRAME_WORDS words from memory, in order, as a stream of words. A burst is
// requested only if there is room for all of its words, so that the memory never waits. After
// `stop` no burst is requested; `quiet` says that none is outstanding. `failed` is a pulse: an
// error response.
module bonn_memory_reader #(
  parameter int FRAME_WORDS = 1,
  parameter int ROOM = 64
) (
  input  logic        clk,
  input  logic        rst,
  input  logic        begin_run,
  input  logic        stop,
  input  logic [31:0] first_address,
  input  logic [31:0] frames,
  output logic        quiet,
  output logic        failed,

  output logic [31:0] m_axi_araddr,
  output logic [3:0]  m_axi_arlen,
  output logic        m_axi_arvalid,
  input  logic        m_axi_arready,
  input  logic [63:0] m_axi_rdata,
  input  logic [1:0]  m_axi_rresp,
  input  logic        m_axi_rlast,
  input  logic        m_axi_rvalid,
  output logic        m_axi_rready,

  output logic        valid,
  output logic [63:0] word,
  input  logic        take
);
  localparam int Bits = $clog2(ROOM) + 1;
  logic frame_end, ask;
  logic [31:0] left_q;  // frames not yet requested completely, inverted so that it counts up
  logic [31:0] address;
  logic [4:0] words;
  logic [Bits-1:0] promised_q;  // places of words that are outstanding or not yet taken
  logic [Bits-1:0] awaited_q;   // words that were requested and have not arrived
  logic [Bits-1:0] unused_count;
  logic given;

  if (ROOM < 32) begin : gen_illegal
    $error("memory_reader: ROOM %0d must hold two bursts of 16 words", ROOM);
  end

  bonn_burst_splitter #(.FRAME_WORDS(FRAME_WORDS)) splitter (
    .clk, .begin_run, .first_address, .next(ask), .address, .words, .frame_end
  );

  assign ask = left_q != '1 && !stop && (!m_axi_arvalid || m_axi_arready) &&
               promised_q <= Bits'(ROOM - 16);
  assign m_axi_rready = 1'b1;
  assign given = m_axi_rvalid;
  assign quiet = awaited_q == '0 && !m_axi_arvalid;
  assign failed = given && m_axi_rresp[1];
  always_ff @(posedge clk) begin
    if (rst) begin
      m_axi_arvalid <= 1'b0;
      promised_q <= '0;
      awaited_q <= '0;
    end else begin
      if (!m_axi_arvalid || m_axi_arready) m_axi_arvalid <= ask;
      promised_q <= promised_q + (ask ? Bits'(words) : '0) - Bits'(take && valid);
      awaited_q <= awaited_q + (ask ? Bits'(words) : '0) - Bits'(given);
    end
    left_q <= begin_run ? ~frames : left_q + 32'(ask && frame_end);
    if (ask) begin
      m_axi_araddr <= address;
      m_axi_arlen <= 4'(words - 5'd1);
    end
  end

  bonn_sync_fifo #(.WIDTH(64), .DEPTH(ROOM)) queue (
    .clk, .clear(rst), .put(given), .word_in(m_axi_rdata), .valid, .word, .take,
    .count(unused_count)
  );
  logic unused;
  assign unused = &{1'b0, m_axi_rlast, m_axi_rresp[0]};
endmodule
