// SPDX-License-Identifier: BSD-3-Clause
// For simulation: watches what an accelerator's output can have besides the stream. Bits of tdata
// from USED on are 0; with TLAST, tlast is high with the last beat of each frame of BEATS, alone.
module bonn_interface_check #(
  parameter int BITS = 8,
  parameter int USED = 1,
  parameter int BEATS = 1,
  parameter bit TLAST = 0
) (
  input logic            clk,
  input logic            rst,
  input logic [BITS-1:0] tdata,
  input logic            tlast,
  input logic            tvalid,
  input logic            tready
);
  int beat_q = 0;
  logic last;
  assign last = beat_q == BEATS - 1;
  always @(posedge clk) begin  // not always_ff: Icarus warns of its system tasks
    if (rst) beat_q <= 0;
    else if (tvalid && tready) beat_q <= last ? 0 : beat_q + 1;
    if (!rst && tvalid) begin
      if ((tdata >> USED) !== '0) begin
        $fatal(1, "FAILED: bits from %0d on of the output are not 0: %h", USED, tdata);
      end
      if (TLAST && tlast !== last) begin
        $fatal(1, "FAILED: tlast is %b with beat %0d of %0d of a frame", tlast, beat_q, BEATS);
      end
    end
  end
endmodule
