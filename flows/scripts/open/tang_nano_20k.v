// SPDX-License-Identifier: BSD-3-Clause
// The whole device for a Tang Nano 20K: the board's clock, its USB serial line and our
// `serial_system`.
module tang_nano_20k (
  input  wire clk,
  input  wire uart_rx,  // from the host
  output wire uart_tx   // to the host
);
  serial_system system (.clk(clk), .rxd(uart_rx), .txd(uart_tx));
endmodule
