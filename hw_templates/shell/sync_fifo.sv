// SPDX-License-Identifier: BSD-3-Clause
// A queue of DEPTH words (a power of two) in LUT memory. It has no `full` output: the writer must
// know that there is room. The oldest word is at the output while valid; clear empties the queue.
module bonn_sync_fifo #(
  parameter int WIDTH = 64,
  parameter int DEPTH = 32
) (
  input  logic                   clk,
  input  logic                   clear,
  input  logic                   put,
  input  logic [WIDTH-1:0]       word_in,
  output logic                   valid,
  output logic [WIDTH-1:0]       word,
  input  logic                   take,
  output logic [$clog2(DEPTH):0] count
);
  localparam int Bits = $clog2(DEPTH);
  if (DEPTH < 2 || DEPTH != 1 << Bits) begin : gen_illegal
    $error("sync_fifo: DEPTH %0d must be a power of two, at least 2", DEPTH);
  end

  (* ram_style = "distributed" *) logic [WIDTH-1:0] words[DEPTH];
  logic [Bits:0] written_q, read_q;
  assign count = written_q - read_q;
  assign valid = count != '0;
  assign word = words[read_q[Bits-1:0]];
  always_ff @(posedge clk) begin
    if (put) words[written_q[Bits-1:0]] <= word_in;
    if (clear) begin
      written_q <= '0;
      read_q <= '0;
    end else begin
      written_q <= written_q + (Bits + 1)'(put);
      read_q <= read_q + (Bits + 1)'(take && valid);
    end
  end
endmodule
