// SPDX-License-Identifier: BSD-3-Clause
// LANES running sums of BITS bits, modulo 2 ** BITS: with add, each becomes its addend plus its
// start (first) or itself. The sums hold their values while add is low.
// DSP: in DSP48E1 slices of the 7 series (Vivado maps them to DSP48E2 on UltraScale+), each of which
// is four accumulators of 12 bits, two of 24 or one of 48. The slice chooses between start and sum,
// so neither adders nor registers take LUTs or flip-flops. The function is the same in every cycle.
// Simulations and tools that do not know the slice, which define BONN_NO_DSP48, read the text below
// gen_logic instead: tests prove both equal (tests/synth/test_netlists.py).
module bonn_accumulators #(
  parameter int LANES = 1,
  parameter int BITS = 2,
  parameter bit DSP = 0
) (
  input  logic                  clk,
  input  logic                  add,
  input  logic                  first,
  input  logic [LANES*BITS-1:0] starts,
  input  logic [LANES*BITS-1:0] addends,
  output logic [LANES*BITS-1:0] sums
);
  if (LANES < 1 || BITS < 1 || (DSP && BITS > 48)) begin : gen_illegal
    $error("accumulators: LANES %0d and BITS %0d must be positive, in a DSP slice at most 48 bits",
           LANES, BITS);
  end
`ifdef SYNTHESIS
  `ifndef BONN_NO_DSP48
    `define BONN_DSP48
  `endif
`endif
`ifdef BONN_DSP48
  localparam bit Slices = DSP;
`else
  localparam bit Slices = 0;
`endif
  if (!Slices) begin : gen_logic
    for (genvar i = 0; i < LANES; i++) begin : gen_lane
      logic [BITS-1:0] from;
      assign from = first ? starts[i*BITS+:BITS] : sums[i*BITS+:BITS];
      always_ff @(posedge clk) if (add) sums[i*BITS+:BITS] <= from + addends[i*BITS+:BITS];
    end
  end
`ifdef BONN_DSP48
  if (Slices) begin : gen_slices
    localparam int Each = BITS <= 12 ? 4 : BITS <= 24 ? 2 : 1;
    localparam int Wide = 48 / Each;
    localparam int Count = (LANES + Each - 1) / Each;
    for (genvar i = 0; i < Count; i++) begin : gen_slice
      logic [47:0] start, addend, sum;
      for (genvar j = 0; j < Each; j++) begin : gen_lane
        localparam int Lane = i * Each + j;
        if (Lane < LANES) begin : gen_used
          assign start[j*Wide+:Wide] = Wide'(starts[Lane*BITS+:BITS]);
          assign addend[j*Wide+:Wide] = Wide'(addends[Lane*BITS+:BITS]);
          assign sums[Lane*BITS+:BITS] = sum[j*Wide+:BITS];
        end else begin : gen_unused
          assign start[j*Wide+:Wide] = '0;
          assign addend[j*Wide+:Wide] = '0;
        end
      end
      // P <= A:B + (first ? C : P), without a register at any input (UG479, tables 2-7 to 2-9).
      DSP48E1 #(
        .USE_SIMD(Each == 4 ? "FOUR12" : Each == 2 ? "TWO24" : "ONE48"), .USE_MULT("NONE"),
        .AREG(0), .ACASCREG(0), .BREG(0), .BCASCREG(0), .CREG(0), .DREG(0), .ADREG(0), .MREG(0),
        .PREG(1), .OPMODEREG(0), .ALUMODEREG(0), .INMODEREG(0), .CARRYINREG(0), .CARRYINSELREG(0)
      ) slice (
        .CLK(clk), .A(addend[47:18]), .B(addend[17:0]), .C(start), .P(sum),
        .OPMODE({2'b01, first, 4'b0011}), .CEP(add),
        .ALUMODE('0), .INMODE('0), .CARRYIN('0), .CARRYINSEL('0), .D('0),
        .ACIN('0), .BCIN('0), .PCIN('0), .CARRYCASCIN('0), .MULTSIGNIN('0),
        .CEA1('0), .CEA2('0), .CEB1('0), .CEB2('0), .CEC('0), .CED('0), .CEAD('0), .CEM('0),
        .CECTRL('0), .CEALUMODE('0), .CEINMODE('0), .CECARRYIN('0),
        .RSTA('0), .RSTB('0), .RSTC('0), .RSTD('0), .RSTM('0), .RSTP('0), .RSTCTRL('0),
        .RSTALUMODE('0), .RSTINMODE('0), .RSTALLCARRYIN('0)
      );
    end
  end
`endif
endmodule
