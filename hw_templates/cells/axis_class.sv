// SPDX-License-Identifier: BSD-3-Clause
// The border class of a place along one axis: one higher at the next place if STEPS[place] is 1.
// Moves on with step; last: it is the last place.
module bonn_axis_class #(
  parameter int PLACES = 1,
  parameter logic [PLACES-1:0] STEPS = '0,
  parameter int CLASSES = 1,
  localparam int Bits = CLASSES > 1 ? $clog2(CLASSES) : 1
) (
  input  logic            clk,
  input  logic            rst,
  input  logic            step,
  output logic [Bits-1:0] number,
  output logic            last
);
  logic [(PLACES > 1 ? $clog2(PLACES) : 1)-1:0] place;
  bonn_counter #(.STATES(PLACES)) counter (.clk, .rst, .step, .value(place), .last);
  if (CLASSES == 1) begin : gen_one
    logic unused;
    assign unused = &{1'b0, place};
    assign number = '0;
  end else begin : gen_several
    always_ff @(posedge clk) begin
      if (rst) number <= '0;
      else if (step) number <= last ? '0 : number + Bits'(STEPS[place]);
    end
  end
endmodule
