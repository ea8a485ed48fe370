// SPDX-License-Identifier: BSD-3-Clause
// The whole device for an iCEBreaker: the board's clock, its USB serial line and our `serial_system`.
module icebreaker (
  input  wire CLK,
  input  wire RX,  // from the host
  output wire TX   // to the host
);
  serial_system system (.clk(CLK), .rxd(RX), .txd(TX));
endmodule
