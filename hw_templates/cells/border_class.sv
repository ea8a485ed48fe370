// SPDX-License-Identifier: BSD-3-Clause
// The border class of a vector at (y, x) of an image, whose vectors follow each other with step:
// (row class * COL_CLASSES + column class) * PITCH.
// The row class is one higher in the next row if ROW_STEPS[y] is 1, the column class one higher in
// the next column if COL_STEPS[x] is 1. Nothing is multiplied or added: the class is a table of two
// small numbers, a LUT a bit.
module bonn_border_class #(
  parameter int ROWS = 1,
  parameter int COLS = 1,
  parameter logic [ROWS-1:0] ROW_STEPS = '0,
  parameter logic [COLS-1:0] COL_STEPS = '0,
  parameter int ROW_CLASSES = 1,  // 1 + the ones of ROW_STEPS
  parameter int COL_CLASSES = 1,  // 1 + the ones of COL_STEPS
  parameter int PITCH = 1,
  localparam int Last = (ROW_CLASSES * COL_CLASSES - 1) * PITCH,
  localparam int Bits = Last > 0 ? $clog2(Last + 1) : 1
) (
  input  logic            clk,
  input  logic            rst,
  input  logic            step,
  output logic [Bits-1:0] number
);
  localparam int RowBits = ROW_CLASSES > 1 ? $clog2(ROW_CLASSES) : 1;
  localparam int ColBits = COL_CLASSES > 1 ? $clog2(COL_CLASSES) : 1;
  localparam int Places = 1 << RowBits + ColBits;

  function automatic logic [Places*Bits-1:0] all_numbers();
    for (int place = 0; place < Places; place++) begin
      all_numbers[place*Bits+:Bits] =
          Bits'(((place >> ColBits) * COL_CLASSES + place % (1 << ColBits)) * PITCH);
    end
  endfunction
  localparam logic [Places*Bits-1:0] Numbers = all_numbers();

  logic [RowBits-1:0] row_class;
  logic [ColBits-1:0] col_class;
  logic x_last, unused;
  bonn_axis_class #(.PLACES(COLS), .STEPS(COL_STEPS), .CLASSES(COL_CLASSES)) columns (
    .clk, .rst, .step, .number(col_class), .last(x_last)
  );
  bonn_axis_class #(.PLACES(ROWS), .STEPS(ROW_STEPS), .CLASSES(ROW_CLASSES)) rows (
    .clk, .rst, .step(step && x_last), .number(row_class), .last(unused)
  );
  assign number = Numbers[{row_class, col_class}*Bits+:Bits];
endmodule
