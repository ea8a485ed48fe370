// SPDX-License-Identifier: BSD-3-Clause
// The whole device for an Arty A7 or Nexys A7: the board's clock, its USB serial line and our
// `serial_system`.
module arty_a7 (
  input  wire CLK,
  input  wire RX,  // from the host
  output wire TX   // to the host
);
  serial_system system (.clk(CLK), .rxd(RX), .txd(TX));
endmodule
