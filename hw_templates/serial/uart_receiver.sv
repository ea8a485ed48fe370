// SPDX-License-Identifier: BSD-3-Clause
// Bytes from a serial line: 8 bits, no parity, DIVIDER cycles per bit. A byte is valid for one
// cycle; one without a stop bit is dropped. broken: the line has been low for two bytes or more (a
// break).
module bonn_uart_receiver #(
  parameter int DIVIDER = 25
) (
  input  logic       clk,
  input  logic       rxd,
  output logic       valid,
  output logic [7:0] data,
  output logic       broken
);
  if (DIVIDER < 4) begin : gen_illegal
    $error("uart_receiver: DIVIDER %0d must be at least 4 cycles a bit", DIVIDER);
  end
  localparam int Bits = $clog2(DIVIDER);
  localparam int Break = 20 * DIVIDER;

  logic [2:0] line_q = '1;  // two registers against metastability, one to detect the edge
  logic [Bits-1:0] count_q;
  logic [3:0] place_q = '0;  // 0: waits for a start bit; then 10 down to 1, the stop bit
  logic [$clog2(Break + 1)-1:0] low_q = '0;
  logic line, middle;
  assign line = line_q[1];
  assign middle = place_q != '0 && count_q == '0;
  assign broken = low_q == ($clog2(Break + 1))'(Break);

  always_ff @(posedge clk) begin
    line_q <= {line_q[1:0], rxd};
    valid <= middle && place_q == 4'd1 && line;
    if (place_q == '0) begin
      if (line_q[2] && !line) begin
        place_q <= 4'd10;
        count_q <= Bits'(DIVIDER / 2 - 1);
      end
    end else if (middle) begin
      // A start bit must still be low in its middle.
      place_q <= place_q == 4'd10 && line ? '0 : place_q - 4'd1;
      count_q <= Bits'(DIVIDER - 1);
      if (place_q != 4'd1) data <= {line, data[7:1]};
    end else begin
      count_q <= count_q - Bits'(1);
    end
    if (line) low_q <= '0;
    else if (!broken) low_q <= low_q + 1'b1;
  end
endmodule
