// SPDX-License-Identifier: BSD-3-Clause
// For simulation: ends it with a message where one of STREAMS streams breaks the rules of
// AXI-Stream. What is offered stays as it is until it is taken, nothing is offered in reset, and a
// simulator of four states finds no X in the handshakes. The streams are concatenated, stream 0 in
// the least significant bits; WIDTHS has 32 bits for each, the width of its tdata.
// Tests bind it to a design (tests/support/checks.py). One message for all streams and rules: a
// simulator is compiled for each test. It goes to the standard error, 32'h8000_0002, so that no
// result is mixed with it.
module bonn_stream_check #(
  parameter int STREAMS = 1,
  parameter bit [32*STREAMS-1:0] WIDTHS = {STREAMS{32'd1}},
  parameter int WIDTH = 1  // derived: the sum of WIDTHS
) (
  input logic               clk,
  input logic               rst,
  input logic [WIDTH-1:0]   tdata,
  input logic [STREAMS-1:0] tvalid,
  input logic [STREAMS-1:0] tready
);
  function automatic int bits_before(input int place);
    bits_before = 0;
    for (int i = 0; i < place; i++) bits_before += int'(WIDTHS[32*i+:32]);
  endfunction

  logic rst_q = 1'b0;
  logic [STREAMS-1:0] waits_q = '0;
  logic [WIDTH-1:0] tdata_q;
  logic [STREAMS-1:0] differs;

  for (genvar i = 0; i < STREAMS; i++) begin : gen_stream
    localparam int From = bits_before(i);
    localparam int Bits = int'(WIDTHS[32*i+:32]);
    assign differs[i] = tdata[From+:Bits] !== tdata_q[From+:Bits];
  end

  always @(posedge clk) begin  // not always_ff: Icarus warns of its system tasks
    rst_q <= rst;
    waits_q <= rst ? '0 : tvalid & ~tready;
    tdata_q <= tdata;
    if (rst ? rst_q && tvalid !== '0 : rst_q && (^{tvalid, tready}) === 1'bx) begin
      $fdisplay(32'h8000_0002, "after a reset, tvalid of the streams is %b, tready %b", tvalid,
                tready);
      $fatal(1);
    end else if (!rst && (waits_q & ~tvalid) !== '0) begin
      $fdisplay(32'h8000_0002, "streams %b: a beat was withdrawn before it was taken",
                waits_q & ~tvalid);
      $fatal(1);
    end else if (!rst && (waits_q & differs) !== '0) begin
      $fdisplay(32'h8000_0002, "streams %b: a beat changed before it was taken", waits_q & differs);
      $fatal(1);
    end
  end
endmodule
