// SPDX-License-Identifier: BSD-3-Clause
// The beats of a vector, for several passes over it. With one pass a beat comes directly from the
// input. Otherwise a buffer of BEATS beats (two where BEATS = 1) keeps the vector; the last pass
// frees it beat by beat, for the next vector.
//
// place, last: the beat of this step, and whether it is the last one of the vector.
// first_pass, last_pass: whether this is the first or the last pass.
// beat, present: the beat at this place, and whether it has arrived.
module bonn_vector_buffer #(
  parameter int PASSES = 2,
  parameter int BEATS = 1,
  parameter int BITS = 1,
  localparam int PlaceBits = BEATS > 1 ? $clog2(BEATS) : 1
) (
  input  logic                 clk,
  input  logic                 rst,
  input  logic [BITS-1:0]      s_axis_tdata,
  input  logic                 s_axis_tvalid,
  output logic                 s_axis_tready,
  input  logic                 ce,
  input  logic                 step,
  input  logic [PlaceBits-1:0] place,
  input  logic                 last,
  input  logic                 first_pass,
  input  logic                 last_pass,
  output logic [BITS-1:0]      beat,
  output logic                 present
);
  if (PASSES == 1) begin : gen_wire
    assign beat = s_axis_tdata;
    assign present = s_axis_tvalid;
    assign s_axis_tready = ce;
    logic unused;
    assign unused = &{1'b0, clk, rst, step, place, last, first_pass, last_pass};
  end else begin : gen_buffer
    localparam int Places = BEATS > 1 ? BEATS : 2;
    logic [BITS-1:0] beats[Places];
    logic [PlaceBits-1:0] write, read;
    logic take, write_last;
    assign take = s_axis_tvalid && s_axis_tready;
    bonn_counter #(.STATES(Places)) write_counter (
      .clk, .rst, .step(take), .value(write), .last(write_last)
    );
    always_ff @(posedge clk) if (take) beats[write] <= s_axis_tdata;
    assign beat = beats[read];

    if (BEATS == 1) begin : gen_two
      // One beat is in use while the next one arrives.
      logic read_q, full_q;
      assign read = read_q;
      assign present = full_q || write != read;
      assign s_axis_tready = !full_q;
      always_ff @(posedge clk) begin
        if (rst) begin
          read_q <= 1'b0;
          full_q <= 1'b0;
        end else begin
          if (step && last_pass) begin
            read_q <= !read_q;
            full_q <= 1'b0;
          end else if (take && present) begin
            full_q <= 1'b1;
          end
        end
      end
      logic unused;
      assign unused = &{1'b0, ce, place, last, first_pass, write_last};
    end else begin : gen_vector
      // A beat is stored at its position in the vector. The writer is at most one vector ahead of
      // the reader: it then stops before overwriting a beat that is still needed.
      logic ahead_q, caught_up;
      assign read = place;
      assign caught_up = last_pass ? write == place : write == '0;
      assign present = !first_pass || ahead_q || write != place;
      assign s_axis_tready = !(ahead_q && caught_up);
      always_ff @(posedge clk) begin
        if (rst) ahead_q <= 1'b0;
        else if (step && last && last_pass) ahead_q <= 1'b0;
        else if (take && write_last) ahead_q <= 1'b1;
      end
      logic unused;
      assign unused = &{1'b0, ce};
    end
  end
endmodule
