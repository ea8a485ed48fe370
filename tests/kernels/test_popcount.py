# SPDX-License-Identifier: BSD-3-Clause
"""How Icarus Verilog counts: in four states, as the structures of the hardware do."""

import pytest

from bonn_hw.emit.write import templates_folder
from tests.support.four_states import compiled

pytestmark = pytest.mark.rtl

BENCH = """
module bench;
  logic clk = 1'b0;
  always #5 clk = !clk;
  for (genvar n = 1; n <= 40; n += 3) begin : gen_width
    localparam int Cuts = n > 9 ? 1 : 0;
    localparam int CountBits = $clog2(n + 1);
    logic [n-1:0] bits, weights, stored;
    logic [n+n/2-1:0] inputs;
    logic [CountBits-1:0] count, expected;
    logic [$clog2((n + 2) / 3 * 3 + 1)-1:0] ones;
    bonn_parities #(.N(n)) parities (.bits, .terms(inputs));
    bonn_xnor_popcount #(.N(n), .CUTS(Cuts)) ours (
      .clk, .ce(1'b1), .inputs, .weights(stored), .count
    );
    bonn_popcount #(.N(n), .CUTS(Cuts)) plain (
      .clk, .ce(1'b1), .bits(bits ~^ weights), .count(ones)
    );
    initial begin
      repeat (20) begin
        for (int i = 0; i < n; i++) {bits[i], weights[i]} = $urandom;
        stored = weights;
        for (int i = 2; i < n; i += 3) stored[i] = ^weights[i-:3];
        expected = '0;
        for (int i = 0; i < n; i++) expected = expected + CountBits'(bits[i] == weights[i]);
        repeat (2) @(negedge clk);
        if (count !== expected || ones !== expected)
          $fatal(1, "FAILED: %b, %b: %0d and %0d, not %0d", bits, weights, count, ones, expected);
      end
      bits[n-1] = 1'bx;
      repeat (2) @(negedge clk);
      if (^count !== 1'bx || ^ones !== 1'bx)
        $fatal(1, "FAILED: %b, %b: %0d and %0d", bits, weights, count, ones);
    end
  end
  initial begin
    #2000 $display("PASSED");
    $finish;
  end
endmodule
"""


def test_ones_and_what_is_unknown(tmp_path):
    names = ("popcount", "xnor_popcount", "parities", "delay", "adder_tree")
    cells = [templates_folder() / f"cells/{name}.sv" for name in names]
    (tmp_path / "bench.sv").write_text(BENCH)
    well, told = compiled([*cells, tmp_path / "bench.sv"], "bench", tmp_path).run(tmp_path)
    assert well and told.startswith("PASSED"), told
