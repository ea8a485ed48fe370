// SPDX-License-Identifier: BSD-3-Clause
// Constants read by address: DEPTH words of WIDTH bits from FILE, one cycle after read is set.
// BLOCK: in block memory, otherwise in LUTs. The synthesiser does not choose, so that the predicted
// resources hold. A single word is a constant and not a memory.
module bonn_rom #(
  parameter int DEPTH = 1,
  parameter int WIDTH = 1,
  parameter bit BLOCK = 0,
  parameter FILE = "",
  localparam int AddressBits = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
  input  logic                   clk,
  input  logic                   read,
  input  logic [AddressBits-1:0] address,
  output logic [WIDTH-1:0]       word
);
  if (DEPTH < 1 || WIDTH < 1) begin : gen_illegal
    $error("rom: DEPTH %0d and WIDTH %0d must be positive", DEPTH, WIDTH);
  end
  if (DEPTH == 1) begin : gen_constant
    logic [WIDTH-1:0] words[1];
    initial $readmemh(FILE, words);
    logic unused;
    assign unused = &{1'b0, clk, read, address};
    assign word = words[0];
  end else if (BLOCK) begin : gen_block
    (* rom_style = "block" *) logic [WIDTH-1:0] words[DEPTH];
    initial $readmemh(FILE, words);
    always_ff @(posedge clk) if (read) word <= words[address];
  end else begin : gen_logic
    (* rom_style = "logic" *) logic [WIDTH-1:0] words[DEPTH];
    initial $readmemh(FILE, words);
    always_ff @(posedge clk) if (read) word <= words[address];
  end
endmodule
