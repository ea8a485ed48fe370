// SPDX-License-Identifier: BSD-3-Clause
// Counts, for each of STREAMS streams, the cycles in which a beat was not taken (waiting) and those
// in which a beat could have been taken but there was none (empty). Each stream has small counters;
// in turn, one stream per cycle, they are added to 32-bit totals in a memory. `clear` takes STREAMS
// cycles, in which nothing is counted. `last_waiting` is the stream nearest to the output at which
// data wait; it is valid when nothing has moved for two rounds of STREAMS cycles.
module bonn_stream_monitor #(
  parameter int STREAMS = 2,
  localparam int PlaceBits = STREAMS > 1 ? $clog2(STREAMS) : 1
) (
  input  logic                 clk,
  input  logic                 clear,
  input  logic                 counts,
  input  logic [STREAMS-1:0]   valid,
  input  logic [STREAMS-1:0]   ready,
  input  logic [PlaceBits-1:0] place,
  output logic [31:0]          waiting,
  output logic [31:0]          empty,
  output logic                 moves,
  output logic                 any_waiting,
  output logic [PlaceBits-1:0] last_waiting
);
  // A small counter is a shift register with feedback (an LFSR): two of its bits fit into a LUT,
  // while an adder takes more than one LUT per bit. A table turns its code into a number.
  localparam int Bits = $clog2(STREAMS + 2);
  if (STREAMS < 1 || STREAMS > 254) begin : gen_illegal
    $error("stream_monitor: STREAMS %0d must be from 1 to 254", STREAMS);
  end

  function automatic logic [Bits-1:0] following(input logic [Bits-1:0] code);
    logic [7:0] wide;
    wide = 8'(code);
    case (Bits)
      2: following = Bits'({wide, wide[1] ~^ wide[0]});
      3: following = Bits'({wide, wide[2] ~^ wide[1]});
      4: following = Bits'({wide, wide[3] ~^ wide[2]});
      5: following = Bits'({wide, wide[4] ~^ wide[2]});
      6: following = Bits'({wide, wide[5] ~^ wide[4]});
      7: following = Bits'({wide, wide[6] ~^ wide[5]});
      default: following = Bits'({wide, wide[7] ~^ wide[5] ~^ wide[4] ~^ wide[3]});
    endcase
  endfunction
  function automatic logic [Bits*2**Bits-1:0] all_counts();
    logic [Bits-1:0] code;
    all_counts = '0;
    code = '0;
    for (int count = 0; count <= STREAMS; count++) begin
      all_counts[Bits*int'(code)+:Bits] = Bits'(count);
      code = following(code);
    end
  endfunction
  localparam logic [Bits*2**Bits-1:0] Counts = all_counts();

  // Registered first, since a handshake is known late in a cycle.
  logic [STREAMS-1:0] valid_q, ready_q;
  always_ff @(posedge clk) begin
    valid_q <= valid;
    ready_q <= ready;
  end
  assign moves = |(valid_q & ready_q);

  logic [2*Bits-1:0] codes[STREAMS];
  // Any turn is a good first one; with none, a simulator of four states would never know it.
  logic [PlaceBits-1:0] turn_q = '0, last_turn_q;
  logic round_end;
  logic [Bits-1:0] waits_code, empty_code;  // of the stream of the last cycle
  logic [63:0] old, sum;
  (* ram_style = "distributed" *) logic [63:0] totals[1<<PlaceBits];

  assign round_end = turn_q >= PlaceBits'(STREAMS - 1);
  for (genvar i = 0; i < STREAMS; i++) begin : gen_stream
    logic [Bits-1:0] waits_q, empty_q;
    logic mine, waits, lacks;
    assign mine = clear || turn_q == PlaceBits'(i);
    assign waits = counts && valid_q[i] && !ready_q[i];
    assign lacks = counts && ready_q[i] && !valid_q[i];
    always_ff @(posedge clk) begin
      waits_q <= mine ? Bits'(waits) : waits ? following(waits_q) : waits_q;
      empty_q <= mine ? Bits'(lacks) : lacks ? following(empty_q) : empty_q;
    end
    assign codes[i] = {waits_q, empty_q};
  end

  assign old = totals[last_turn_q];
  assign sum = clear ? '0 : {
    old[63:32] + 32'(Counts[Bits*int'(waits_code)+:Bits]),
    old[31:0] + 32'(Counts[Bits*int'(empty_code)+:Bits])
  };
  always_ff @(posedge clk) begin
    {waits_code, empty_code} <= codes[turn_q];
    last_turn_q <= turn_q;
    totals[last_turn_q] <= sum;
    turn_q <= round_end ? '0 : turn_q + 1'b1;
    {waiting, empty} <= totals[place];
  end

  // One stream per cycle is examined: when nothing moves, a round finds where data wait.
  logic waits_here, found_q;
  logic [PlaceBits-1:0] place_q;
  assign waits_here = valid_q[turn_q] && !ready_q[turn_q];
  always_ff @(posedge clk) begin
    if (round_end) begin
      any_waiting <= waits_here || found_q;
      last_waiting <= waits_here ? turn_q : place_q;
      found_q <= 1'b0;
    end else if (waits_here) begin
      found_q <= 1'b1;
      place_q <= turn_q;
    end
  end
endmodule
