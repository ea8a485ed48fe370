# SPDX-License-Identifier: BSD-3-Clause
"""How Icarus Verilog counts ones: in four states, as the structure of the hardware does."""

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
    localparam int CountBits = $clog2((n + 2) / 3 * 3 + 1);
    logic [n-1:0] bits;
    logic [CountBits-1:0] count, expected;
    bonn_popcount #(.N(n), .CUTS(Cuts)) ours (.clk, .ce(1'b1), .bits, .count);
    initial begin
      repeat (20) begin
        for (int i = 0; i < n; i++) bits[i] = $urandom;
        expected = '0;
        for (int i = 0; i < n; i++) expected = expected + CountBits'(bits[i]);
        repeat (2) @(negedge clk);
        if (count !== expected) $fatal(1, "FAILED: %b has %0d, not %0d", bits, count, expected);
      end
      bits[n-1] = 1'bx;
      repeat (2) @(negedge clk);
      if (^count !== 1'bx) $fatal(1, "FAILED: %b has %0d", bits, count);
    end
  end
  initial begin
    #2000 $display("PASSED");
    $finish;
  end
endmodule
"""


def test_ones_and_what_is_unknown(tmp_path):
    cells = [
        templates_folder() / f"cells/{name}.sv" for name in ("popcount", "delay", "adder_tree")
    ]
    (tmp_path / "popcounts.sv").write_text(BENCH)
    well, told = compiled([*cells, tmp_path / "popcounts.sv"], "bench", tmp_path).run(tmp_path)
    assert well and told.startswith("PASSED"), told
