// SPDX-License-Identifier: BSD-3-Clause
// Counts steps: 0, 1, ... STATES - 1, then 0 again; `last` is high at STATES - 1.
// Written as toggling bits, not as a sum: a carry chain takes a LUT per bit, and a LUT can hold two
// toggling bits of few inputs. What all bits decide is known a step ahead, in registers: `last`, and
// in a long counter whether the lower bits are all ones. Otherwise these would be the longest paths.
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
  end else if (STATES == 2) begin : gen_toggle
    assign last = value[0];
    always_ff @(posedge clk) begin
      if (rst) value <= Bits'(FIRST);
      else if (step) value <= ~value;
    end
  end else begin : gen_count
    localparam bit Wraps = STATES == 1 << Bits;  // on its own
    localparam int Lower = Bits > 6 ? 5 : Bits;  // bits whose carry is not a register
    logic [Bits-1:0] toggles;
    logic restart;

    assign restart = last && !Wraps;
    assign toggles[0] = 1'b1;
    for (genvar i = 1; i < Lower; i++) begin : gen_low
      assign toggles[i] = &value[i-1:0];
    end
    if (Bits > 6) begin : gen_high
      // Not ~Lower'(1): Yosys 0.70 drops the width of a cast under an operator.
      localparam logic [Lower-1:0] BeforeOnes = {{(Lower - 1) {1'b1}}, 1'b0};
      logic ones_q;  // the lower bits are all ones
      assign toggles[Lower] = ones_q;
      for (genvar i = Lower + 1; i < Bits; i++) begin : gen_bit
        assign toggles[i] = ones_q && &value[i-1:Lower];
      end
      always_ff @(posedge clk) begin
        if (rst) ones_q <= Lower'(FIRST) == '1;
        else if (step) ones_q <= value[Lower-1:0] == BeforeOnes && !restart;
      end
    end

    always_ff @(posedge clk) begin
      if (rst) begin
        value <= Bits'(FIRST);
        last <= FIRST == STATES - 1;
      end else if (step) begin
        value <= restart ? '0 : value ^ toggles;
        last <= value == Bits'(STATES - 2);
      end
    end
  end
endmodule
