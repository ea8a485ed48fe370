// SPDX-License-Identifier: BSD-3-Clause
// For simulation: ends it with a message where a stream breaks the rules of AXI-Stream. What is
// offered stays as it is until it is taken, nothing is offered in reset, and a simulator of four
// states finds no X in the handshake. Tests bind it to every stream (tests/support/checks.py).
// Messages go to the standard error, which is 32'h8000_0002: no result is mixed with them.
module bonn_stream_check #(
  parameter int WIDTH = 1,
  parameter NAME = "stream"
) (
  input logic             clk,
  input logic             rst,
  input logic [WIDTH-1:0] tdata,
  input logic             tvalid,
  input logic             tready
);
  logic waits_q = 1'b0, rst_q = 1'b0;
  logic [WIDTH-1:0] tdata_q;

  always @(posedge clk) begin  // not always_ff: Icarus warns of its system tasks
    rst_q <= rst;
    waits_q <= !rst && tvalid && !tready;
    if (tvalid) tdata_q <= tdata;
    if (rst && rst_q && tvalid !== 1'b0) begin
      $fdisplay(32'h8000_0002, "%s: tvalid is %b in reset", NAME, tvalid);
      $fatal(1);
    end else if (!rst && rst_q && (^{tvalid, tready}) === 1'bx) begin
      $fdisplay(32'h8000_0002, "%s: tvalid is %b, tready %b after reset", NAME, tvalid, tready);
      $fatal(1);
    end else if (!rst && waits_q && tvalid !== 1'b1) begin
      $fdisplay(32'h8000_0002, "%s: the beat %h was withdrawn before it was taken", NAME, tdata_q);
      $fatal(1);
    end else if (!rst && waits_q && tdata !== tdata_q) begin
      $fdisplay(32'h8000_0002, "%s: the beat %h became %h before it was taken", NAME, tdata_q, tdata);
      $fatal(1);
    end
  end
endmodule
