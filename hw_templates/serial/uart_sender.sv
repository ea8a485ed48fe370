// SPDX-License-Identifier: BSD-3-Clause
// Bytes to a serial line: a start bit, 8 bits, a stop bit, DIVIDER cycles each.
module bonn_uart_sender #(
  parameter int DIVIDER = 25
) (
  input  logic       clk,
  input  logic       rst,
  input  logic       valid,
  input  logic [7:0] data,
  output logic       ready,
  output logic       txd
);
  logic [8:0] bits_q;
  logic [3:0] left_q;
  logic bit_end;
  logic [$clog2(DIVIDER)-1:0] unused_count;
  assign ready = left_q == '0;
  assign txd = bits_q[0];
  bonn_counter #(.STATES(DIVIDER)) cycles (
    .clk, .rst(rst || ready), .step(1'b1), .value(unused_count), .last(bit_end)
  );
  always_ff @(posedge clk) begin
    if (rst) begin
      left_q <= '0;
      bits_q <= '1;
    end else if (ready && valid) begin
      left_q <= 4'd10;
      bits_q <= {data, 1'b0};
    end else if (!ready && bit_end) begin
      left_q <= left_q - 4'd1;
      bits_q <= {1'b1, bits_q[8:1]};
    end
  end
endmodule
