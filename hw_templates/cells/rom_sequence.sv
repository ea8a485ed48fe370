// SPDX-License-Identifier: BSD-3-Clause
// The words of a ROM in order, cyclically: the next word comes a cycle after each read.
// The counter is one word ahead of the address register. If the address register itself counted,
// Yosys 0.70 would share logic between the counter and the constants, which then take three LUTs
// per bit instead of one.
module bonn_rom_sequence #(
  parameter int DEPTH = 1,
  parameter int WIDTH = 1,
  parameter bit BLOCK = 0,
  parameter FILE = ""
) (
  input  logic             clk,
  input  logic             rst,
  input  logic             read,
  output logic [WIDTH-1:0] word
);
  localparam int AddressBits = DEPTH > 1 ? $clog2(DEPTH) : 1;
  logic [AddressBits-1:0] address_q;

  if (DEPTH == 1) begin : gen_constant
    logic unused;
    assign unused = &{1'b0, rst};
    assign address_q = '0;
  end else begin : gen_count
    logic [AddressBits-1:0] ahead;
    logic unused;
    bonn_counter #(.STATES(DEPTH), .FIRST(1)) next (
      .clk, .rst, .step(read), .value(ahead), .last(unused)
    );
    always_ff @(posedge clk) begin
      if (rst) address_q <= '0;
      else if (read) address_q <= ahead;
    end
  end

  bonn_rom #(.DEPTH(DEPTH), .WIDTH(WIDTH), .BLOCK(BLOCK), .FILE(FILE)) constants (
    .clk, .read, .address(address_q), .word
  );
endmodule
