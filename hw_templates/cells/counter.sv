// SPDX-License-Identifier: BSD-3-Clause
// Counts steps: 0, 1, ... STATES - 1, then 0 again; `last` is high at STATES - 1.
// Written as toggling bits, not as a sum: a carry chain takes a LUT per bit, and a LUT can hold two
// toggling bits of few inputs.
module bonn_counter #(
  parameter int STATES = 2,
  parameter int FIRST = 0,
  localparam int Bits = STATES > 1 ? $clog2(STATES) : 1
) (
  input  logic            clk,
  input  logic            rst,
  input  logic            step,
  output logic [Bits-1:0] value,
  output logic            last
);
  if (STATES < 1 || FIRST < 0 || FIRST >= STATES) begin : gen_illegal
    $error("counter: STATES %0d must be positive, FIRST %0d one of them", STATES, FIRST);
  end
  if (STATES <= 1) begin : gen_still
    logic unused;
    assign unused = &{1'b0, clk, rst, step};
    assign value = '0;
    assign last = 1'b1;
  end else begin : gen_count
    logic [Bits-1:0] toggles;
    assign toggles[0] = 1'b1;
    for (genvar i = 1; i < Bits; i++) begin : gen_toggle
      assign toggles[i] = &value[i-1:0];
    end
    assign last = value == Bits'(STATES - 1);
    always_ff @(posedge clk) begin
      if (rst) value <= Bits'(FIRST);
      else if (step) value <= last ? '0 : value ^ toggles;
    end
  end
endmodule
