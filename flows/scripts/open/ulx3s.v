// SPDX-License-Identifier: BSD-3-Clause
// The whole device for a ULX3S: the board's clock, its USB serial line and our `serial_system`.
module ulx3s (
  input  wire clk_25mhz,
  input  wire ftdi_txd,    // from the host
  output wire ftdi_rxd,    // to the host
  output wire wifi_gpio0   // high: the board's other processor lets this design run
);
  assign wifi_gpio0 = 1'b1;
  serial_system system (.clk(clk_25mhz), .rxd(ftdi_txd), .txd(ftdi_rxd));
endmodule
