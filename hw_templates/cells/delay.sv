// SPDX-License-Identifier: BSD-3-Clause
// A value, CYCLES enabled clocks later.
module bonn_delay #(
  parameter int BITS = 1,
  parameter int CYCLES = 0
) (
  input  logic            clk,
  input  logic            ce,
  input  logic [BITS-1:0] from,
  output logic [BITS-1:0] to
);
  if (CYCLES == 0) begin : gen_at_once
    logic unused;
    assign unused = &{1'b0, clk, ce};
    assign to = from;
  end else begin : gen_later
    logic [BITS-1:0] held_q[CYCLES];
    always_ff @(posedge clk) begin
      if (ce) begin
        held_q[0] <= from;
        for (int i = 1; i < CYCLES; i++) held_q[i] <= held_q[i-1];
      end
    end
    assign to = held_q[CYCLES-1];
  end
endmodule
