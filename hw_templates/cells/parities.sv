// SPDX-License-Identifier: BSD-3-Clause
// N bits, and the N / 2 parities that `xnor_popcount.sv` takes: parity i is that of the terms 3 i to
// 3 i + 2 of the output, and its bit N + i. If N is even, the last one is the parity of two terms.
module bonn_parities #(
  parameter int N = 1,
  localparam int Terms = N + N / 2
) (
  input  logic [N-1:0]     bits,
  output logic [Terms-1:0] terms
);
`ifdef VERILATOR
  assign terms = Terms'(bits);  // its popcounts take the bits alone
`elsif __ICARUS__
  assign terms = Terms'(bits);
`else
  always_comb begin
    terms = Terms'(bits);
    for (int i = 0; i < N / 2; i++) terms[N+i] = terms[3*i] ^ terms[3*i+1] ^ terms[3*i+2];
  end
`endif
endmodule
