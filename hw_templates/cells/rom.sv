// SPDX-License-Identifier: BSD-3-Clause
// Constants read by address: DEPTH words of WIDTH bits from FILE, one cycle after read is set.
// BLOCK: in block memory, otherwise in LUTs. The synthesiser does not choose, so that the predicted
// resources hold. A single word is a constant and not a memory. A simulation without FILE, or with
// another number of digits in it, ends with a message: $readmemh only warns, and answers are wrong.
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
    // Vivado reads rom_style and ignores ram_block. Yosys reads ram_block first; for it,
    // "distributed" means a RAM that can be written, which no ROM maps to.
    (* ram_block = "logic", rom_style = "distributed" *) logic [WIDTH-1:0] words[DEPTH];
    initial $readmemh(FILE, words);
    always_ff @(posedge clk) if (read) word <= words[address];
  end
`ifndef SYNTHESIS
  localparam int Digits = DEPTH * ((WIDTH + 3) / 4);
  int file, char, found;
  initial begin
    file = $fopen(FILE, "r");
    if (file == 0) begin
      $fatal(1, "rom: cannot open the memory image %s: simulate in the folder of the top module, %s",
             FILE, "or set its parameter MEMORIES");
    end else begin
      found = 0;
      char = $fgetc(file);
      while (char != -1) begin
        if (char > 32) found = found + 1;  // not white space
        char = $fgetc(file);
      end
      $fclose(file);
      if (found != Digits) begin
        $fatal(1, "rom: the memory image %s has %0d digits, not %0d: it was truncated or changed",
               FILE, found, Digits);
      end
    end
  end
`endif
endmodule
