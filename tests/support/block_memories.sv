// SPDX-License-Identifier: BSD-3-Clause
// RAMB18E1 and RAMB36E1 for simulation in four states, as far as Yosys makes them of our RTL: words
// of one width on each port, written on one side at most, no output register, no cascade. What
// else a cell asks for ends the simulation. Places of bits: UG473, "Block RAM Attributes".
//
// Nothing that is unknown is taken for known: an unknown enable or address gives an unknown word,
// a write that may have gone anywhere leaves nothing known, and so do the outputs (INIT_A, INIT_B)
// before the first read.

// The parameters of both, and how INIT_00, INIT_01, ... follow each other.
`define BONN_LINE(name) parameter [255:0] name = 256'b0
`define BONN_LINES(name) \
  `BONN_LINE(name``0), `BONN_LINE(name``1), `BONN_LINE(name``2), `BONN_LINE(name``3), \
  `BONN_LINE(name``4), `BONN_LINE(name``5), `BONN_LINE(name``6), `BONN_LINE(name``7), \
  `BONN_LINE(name``8), `BONN_LINE(name``9), `BONN_LINE(name``A), `BONN_LINE(name``B), \
  `BONN_LINE(name``C), `BONN_LINE(name``D), `BONN_LINE(name``E), `BONN_LINE(name``F)
`define BONN_JOINED(name) \
  name``F, name``E, name``D, name``C, name``B, name``A, name``9, name``8, \
  name``7, name``6, name``5, name``4, name``3, name``2, name``1, name``0
`define BONN_MODES(width) \
  parameter integer READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0, \
  parameter integer DOA_REG = 0, DOB_REG = 0, \
  parameter RAM_MODE = "TDP", WRITE_MODE_A = "WRITE_FIRST", WRITE_MODE_B = "WRITE_FIRST", \
  parameter SIM_DEVICE = "7SERIES", SIM_COLLISION_CHECK = "ALL", INIT_FILE = "NONE", \
  parameter RDADDR_COLLISION_HWCONFIG = "DELAYED_WRITE", RSTREG_PRIORITY_A = "RSTREG", \
  parameter RSTREG_PRIORITY_B = "RSTREG", RAM_EXTENSION_A = "NONE", RAM_EXTENSION_B = "NONE", \
  parameter EN_ECC_READ = "FALSE", EN_ECC_WRITE = "FALSE", \
  parameter [0:0] IS_CLKARDCLK_INVERTED = 0, IS_CLKBWRCLK_INVERTED = 0, IS_ENARDEN_INVERTED = 0, \
  parameter [0:0] IS_ENBWREN_INVERTED = 0, IS_RSTRAMARSTRAM_INVERTED = 0, IS_RSTRAMB_INVERTED = 0, \
  parameter [0:0] IS_RSTREGARSTREG_INVERTED = 0, IS_RSTREGB_INVERTED = 0, \
  parameter [width-1:0] INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0
`define BONN_UNUSUAL (DOA_REG != 0 || DOB_REG != 0 || RAM_EXTENSION_A != "NONE" || \
  RAM_EXTENSION_B != "NONE" || IS_CLKARDCLK_INVERTED || IS_CLKBWRCLK_INVERTED || \
  IS_ENARDEN_INVERTED || IS_ENBWREN_INVERTED || IS_RSTRAMARSTRAM_INVERTED || IS_RSTRAMB_INVERTED)

module RAMB18E1 #(
  `BONN_LINES(INIT_0), `BONN_LINES(INIT_1), `BONN_LINES(INIT_2), `BONN_LINES(INIT_3),
  `BONN_LINE(INITP_00), `BONN_LINE(INITP_01), `BONN_LINE(INITP_02), `BONN_LINE(INITP_03),
  `BONN_LINE(INITP_04), `BONN_LINE(INITP_05), `BONN_LINE(INITP_06), `BONN_LINE(INITP_07),
  `BONN_MODES(18)
) (
  input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB,
  input RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
  input [13:0] ADDRARDADDR, ADDRBWRADDR,
  input [15:0] DIADI, DIBDI, input [1:0] DIPADIP, DIPBDIP,
  input [1:0] WEA, input [3:0] WEBWE,
  output [15:0] DOADO, DOBDO, output [1:0] DOPADOP, DOPBDOP
);
  bonn_block_memory #(
    .BITS(16384), .HALF(16), .MODE_A(WRITE_MODE_A), .MODE_B(WRITE_MODE_B),
    .READ_A(READ_WIDTH_A), .READ_B(READ_WIDTH_B), .WRITE_A(WRITE_WIDTH_A), .WRITE_B(WRITE_WIDTH_B),
    .DATA({`BONN_JOINED(INIT_3), `BONN_JOINED(INIT_2), `BONN_JOINED(INIT_1), `BONN_JOINED(INIT_0)}),
    .PARITY({INITP_07, INITP_06, INITP_05, INITP_04, INITP_03, INITP_02, INITP_01, INITP_00}),
    .UNUSUAL(`BONN_UNUSUAL)
  ) memory (
    .clk_a(CLKARDCLK), .clk_b(CLKBWRCLK), .en_a(ENARDEN), .en_b(ENBWREN),
    .rst_a(RSTRAMARSTRAM), .rst_b(RSTRAMB), .address_a(ADDRARDADDR), .address_b(ADDRBWRADDR),
    .we_a(WEA), .we_b(WEBWE), .di_a(DIADI), .di_b(DIBDI), .dip_a(DIPADIP), .dip_b(DIPBDIP),
    .do_a(DOADO), .do_b(DOBDO), .dop_a(DOPADOP), .dop_b(DOPBDOP)
  );
endmodule

module RAMB36E1 #(
  `BONN_LINES(INIT_0), `BONN_LINES(INIT_1), `BONN_LINES(INIT_2), `BONN_LINES(INIT_3),
  `BONN_LINES(INIT_4), `BONN_LINES(INIT_5), `BONN_LINES(INIT_6), `BONN_LINES(INIT_7),
  `BONN_LINES(INITP_0), `BONN_MODES(36)
) (
  input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB,
  input RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
  input CASCADEINA, CASCADEINB, INJECTDBITERR, INJECTSBITERR,
  input [15:0] ADDRARDADDR, ADDRBWRADDR,
  input [31:0] DIADI, DIBDI, input [3:0] DIPADIP, DIPBDIP,
  input [3:0] WEA, input [7:0] WEBWE,
  output [31:0] DOADO, DOBDO, output [3:0] DOPADOP, DOPBDOP,
  output CASCADEOUTA, CASCADEOUTB, DBITERR, SBITERR, output [7:0] ECCPARITY,
  output [8:0] RDADDRECC
);
  bonn_block_memory #(
    .BITS(32768), .HALF(32), .MODE_A(WRITE_MODE_A), .MODE_B(WRITE_MODE_B),
    .READ_A(READ_WIDTH_A), .READ_B(READ_WIDTH_B), .WRITE_A(WRITE_WIDTH_A), .WRITE_B(WRITE_WIDTH_B),
    .DATA({`BONN_JOINED(INIT_7), `BONN_JOINED(INIT_6), `BONN_JOINED(INIT_5), `BONN_JOINED(INIT_4),
           `BONN_JOINED(INIT_3), `BONN_JOINED(INIT_2), `BONN_JOINED(INIT_1), `BONN_JOINED(INIT_0)}),
    .PARITY({`BONN_JOINED(INITP_0)}),
    .UNUSUAL(`BONN_UNUSUAL)
  ) memory (
    .clk_a(CLKARDCLK), .clk_b(CLKBWRCLK), .en_a(ENARDEN), .en_b(ENBWREN),
    .rst_a(RSTRAMARSTRAM), .rst_b(RSTRAMB),
    .address_a(ADDRARDADDR[14:0]), .address_b(ADDRBWRADDR[14:0]),
    .we_a(WEA), .we_b(WEBWE), .di_a(DIADI), .di_b(DIBDI), .dip_a(DIPADIP), .dip_b(DIPBDIP),
    .do_a(DOADO), .do_b(DOBDO), .dop_a(DOPADOP), .dop_b(DOPBDOP)
  );
endmodule

// BITS of data and an eighth of parity. HALF: bits of the data pins of a side; a word of more bits
// takes those of both, A's lower. A width counts the parity: 1, 2, 4, 9, 18, 36 or 72; 0: unused.
module bonn_block_memory #(
  parameter integer BITS = 16384, HALF = 16, READ_A = 0, READ_B = 0, WRITE_A = 0, WRITE_B = 0,
  parameter MODE_A = "", MODE_B = "",
  parameter [BITS-1:0] DATA = 0,
  parameter [BITS/8-1:0] PARITY = 0,
  parameter UNUSUAL = 0,
  localparam integer Places = $clog2(BITS)
) (
  input clk_a, clk_b, en_a, en_b, rst_a, rst_b,
  input [Places-1:0] address_a, address_b,
  input [HALF/8-1:0] we_a, input [HALF/4-1:0] we_b,
  input [HALF-1:0] di_a, di_b, input [HALF/8-1:0] dip_a, dip_b,
  output [HALF-1:0] do_a, do_b, output [HALF/8-1:0] dop_a, dop_b
);
  localparam integer Write = WRITE_A > WRITE_B ? WRITE_A : WRITE_B;
  localparam integer DataA = data(READ_A), DataB = data(READ_B), DataW = data(Write);
  localparam integer ParityA = READ_A / 9, ParityB = READ_B / 9, ParityW = Write / 9;
  localparam integer Lanes = ParityW > 0 ? ParityW : 1, Lane = DataW / Lanes;
  function integer data(input integer width);
    data = width >= 9 ? width / 9 * 8 : width > 0 ? width : 1;
  endfunction

  // Contents as registers: what a write takes to an unknown place is lost at once.
  reg [BITS-1:0] contents = DATA;
  reg [BITS/8-1:0] parities = PARITY;
  reg [2*HALF-1:0] word_a, word_b;
  reg [HALF/4-1:0] extra_a, extra_b;
  wire wide = READ_A > 9 * HALF / 8;
  assign {do_a, dop_a} = {word_a[HALF-1:0], extra_a[HALF/8-1:0]};
  assign do_b = wide ? word_a[2*HALF-1:HALF] : word_b[HALF-1:0];
  assign dop_b = wide ? extra_a[HALF/4-1:HALF/8] : extra_b[HALF/8-1:0];

  initial begin
    if (UNUSUAL || (WRITE_A != 0 && WRITE_B != 0 && we_a !== 0 && we_b !== 0)) begin
      $display("FAILED: %m has an output register, a neighbour, an inverted pin or two writers");
      $finish;
    end
    if ((WRITE_A != 0 && MODE_A != "READ_FIRST") || (WRITE_B != 0 && MODE_B != "READ_FIRST")) begin
      $display("FAILED: %m does not read first");
      $finish;
    end
  end

  // Written after both sides have read: nonblocking reads of the same clock see the old word.
  wire writes_b = WRITE_B != 0;
  wire [HALF/4-1:0] strobe = writes_b ? we_b : we_a;
  wire enable = writes_b ? en_b : en_a;
  wire [Places-1:0] place = (writes_b ? address_b : address_a) / DataW;
  wire [2*HALF-1:0] given = !writes_b ? di_a : Write > 9 * HALF / 8 ? {di_b, di_a} : di_b;
  wire [HALF/4-1:0] spare = !writes_b ? dip_a : Write > 9 * HALF / 8 ? {dip_b, dip_a} : dip_b;
  integer lane;
  wire clk_w = writes_b ? clk_b : clk_a;

  always @(posedge clk_a) if (READ_A != 0) begin
    if (en_a !== 1'b0) begin
      word_a <= en_a === 1'b1 && rst_a === 1'b0 ? contents[address_a / DataA * DataA +: DataA] : 'x;
      extra_a <= en_a === 1'b1 && rst_a === 1'b0 ?
                 parities[address_a / DataA * ParityA +: ParityA > 0 ? ParityA : 1] : 'x;
    end
  end
  always @(posedge clk_b) if (READ_B != 0) begin
    if (en_b !== 1'b0) begin
      word_b <= en_b === 1'b1 && rst_b === 1'b0 ? contents[address_b / DataB * DataB +: DataB] : 'x;
      extra_b <= en_b === 1'b1 && rst_b === 1'b0 ?
                 parities[address_b / DataB * ParityB +: ParityB > 0 ? ParityB : 1] : 'x;
    end
  end
  always @(posedge clk_w) if (Write != 0 && enable !== 1'b0) begin
    for (lane = 0; lane < Lanes; lane = lane + 1) begin
      if (strobe[lane] === 1'b0) begin
      end else if (^place === 1'bx) begin
        contents <= 'x;
        parities <= 'x;
      end else begin
        contents[place * DataW + lane * Lane +: Lane] <=
            enable === 1'b1 && strobe[lane] === 1'b1 ? given[lane*Lane +: Lane] : 'x;
        if (ParityW > 0)
          parities[place * Lanes + lane] <=
              enable === 1'b1 && strobe[lane] === 1'b1 ? spare[lane] : 1'bx;
      end
    end
  end
endmodule
