# SPDX-License-Identifier: BSD-3-Clause
"""The netlist that Yosys makes does, beat by beat and cycle by cycle, what the RTL does."""

import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bonn_hw import frontend
from bonn_hw.boards import board
from bonn_hw.emit.top import emit
from bonn_hw.emit.write import templates_folder, write
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.stream import pack
from bonn_hw.ir.target import Target
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.placement import Placement
from bonn_hw.kernels.sliding_window import SlidingWindow
from bonn_hw.passes.folding_file import FoldingConstraints
from bonn_hw.passes.plan import plan
from bonn_hw.sim.run import simulate
from bonn_hw.synth.yosys import Job
from tests.support import yosys
from tests.support.bench import lone_design, random_values
from tests.support.sketch import Sketch

pytestmark = pytest.mark.rtl
PUBLIC = "/* verilator public_flat_rd */"
POPCOUNT = ("adder_tree", "delay", "parities", "popcount", "xnor_popcount")
COUNTS = """
module counts #(parameter N = 1) (
  input clk, input [N-1:0] bits, weights,
  output [$clog2(N+1)-1:0] count, output [$clog2((N+2)/3*3+1)-1:0] ones);
  bonn_popcount #(.N(N)) plain (.clk(clk), .ce(1'b1), .bits(bits), .count(ones));
  wire [N+N/2-1:0] terms;
  bonn_parities #(.N(N)) parities (.bits(bits), .terms(terms));
  bonn_xnor_popcount #(.N(N)) popcount (
    .clk(clk), .ce(1'b1), .inputs(terms), .weights(weights), .count(count));
endmodule
"""
PRIMITIVES = Path(find_spec("pyosys").origin).parent / "share" / "xilinx" / "cells_sim.v"
FRAMES = 6
KEPT = "setattr -set keep 1 top/w:probe"


def synthesised(project, folder):
    """The same project, its modules replaced by a netlist of Xilinx primitives."""
    write(project, folder)
    job = Job(folder, "xc7")
    *read, synthesis = job.script
    yosys.make(folder, [*read, KEPT, synthesis, "write_verilog netlist.v"], ["netlist.v"])
    netlist = (folder / "netlist.v").read_text()
    assert "LUT" in netlist and "bonn_mvu" not in netlist.split("module top")[0]
    assert "RAMB" not in netlist  # block memories have no open model
    netlist, found = re.subn(r"(wire \[\d+:0\] probe);", rf"\1 {PUBLIC};", netlist)
    assert found == 1
    top = netlist + PRIMITIVES.read_text()
    return replace(project, templates=(), files=dict(project.files) | {"top.v": top})


def prove(design, folder):
    project = emit(design)
    netlist = synthesised(project, folder)
    frames = random_values(design.graph.tensors[design.graph.input], FRAMES)
    beats = pack(frames, project.source.lanes, project.source.element)
    for stall in (None, 1, 2):
        rtl, gates = (
            simulate(one, beats, FRAMES, folder=folder, stall=stall, timeout_cycles=100_000)
            for one in (project, netlist)
        )
        np.testing.assert_array_equal(gates.outputs, rtl.outputs)
        np.testing.assert_array_equal(gates.output_cycles, rtl.output_cycles)
        assert gates.stage_cycles == rtl.stage_cycles


def mvu(element, high, wide, *, bits=1, offsets=False):
    rng = np.random.default_rng(3)
    most = 1 << bits - 1
    weights = (
        rng.choice([-1, 1], (high, wide)) if bits == 1 else rng.integers(-most, most, (high, wide))
    )
    levels = rng.integers(-6, 7, (4, high))
    given = (None, levels) if offsets else (levels, None)
    return Mvu((3, 2), element, weights.astype(np.int8), *given, (0, 1, 1), (0, 1))


@pytest.mark.parametrize(
    ("kernel", "pe", "simd"),
    [
        # A cut in the middle of the popcount, and sums in DSP slices: these are proved below.
        pytest.param(
            *(replace(mvu(BIPOLAR, 6, 64), placement=Placement(False, True)), 3, 32),
            marks=pytest.mark.large,
        ),
        # Of these, the network below has its own, or has most of it.
        pytest.param(mvu(BIPOLAR, 6, 64), 3, 32, marks=pytest.mark.large),
        pytest.param(mvu(BIPOLAR, 4, 36, offsets=True), 4, 36, marks=pytest.mark.large),
        pytest.param(mvu(Element(-8, 7), 4, 10, bits=3), 1, 5, marks=pytest.mark.large),
        pytest.param(mvu(Element(0, 255), 4, 12), 2, 3, marks=pytest.mark.large),
        pytest.param(
            *(SlidingWindow(TensorType((5, 6, 4), BIPOLAR), (3, 3), (1, 1)), 4, 4),
            marks=pytest.mark.large,
        ),
    ],
)
def test_a_kernel(kernel, pe, simd, tmp_path):
    prove(lone_design(kernel, Folding(pe, simd)), tmp_path)


def test_a_network(tmp_path):
    sketch = Sketch(2, 6, 6).quant(6, scale=0.25).sign().conv(4, 2, pads=[1] * 4, name="conv1")
    sketch = sketch.sign().pool().conv(6, 4, (2, 2), name="conv2")
    model = sketch.sign().flatten().dense(24, 10, name="head").write(tmp_path)
    graph = frontend.lower(frontend.read(model)).graph
    target = Target(board("pynq-z2"), 100.0, fps=400_000.0)
    prove(plan(graph, target, FoldingConstraints(), lambda text: None).design, tmp_path / "rtl")


def test_the_structures_of_popcounts_count(tmp_path):
    """Verilator is given another text than synthesis: proved to be the same function."""
    cells = [templates_folder() / "cells" / f"{name}.sv" for name in POPCOUNT]
    (tmp_path / "text.sv").write_text("".join([*(path.read_text() for path in cells), COUNTS]))
    lines = []
    for bits in range(1, 17):
        for name, define in (("gold", "-DVERILATOR"), ("gate", "")):
            lines += [
                "design -reset",
                f"read_verilog -sv -defer {define} text.sv",
                f"hierarchy -top counts -chparam N {bits}",
                "prep -flatten -top counts",
                f"rename -top {name}",
                f"design -stash {name}",
            ]
        lines += [
            "design -reset",
            *("design -copy-from gold gold", "design -copy-from gate gate"),
            "miter -equiv -flatten gold gate miter",
            "sat -verify -prove trigger 0 miter",
        ]
    log = yosys.do(tmp_path, *lines)
    assert log.count("SAT proof finished - no model found: SUCCESS!") == 16


def test_sums_in_dsp_slices_are_those_in_logic(tmp_path):
    """Proved by induction over the slice's model, for four, two and one sum a slice."""
    cell = templates_folder() / "cells" / "accumulators.sv"
    lines = []
    for lanes, bits in ((5, 3), (3, 13), (2, 25)):
        wide = f"[{lanes * bits - 1}:0]"
        (tmp_path / f"pair_{bits}.v").write_text(
            f"module pair (input clk, add, first, input {wide} starts, addends,\n"
            f"  output {wide} sums);\n"
            f"  bonn_accumulators #(.LANES({lanes}), .BITS({bits}), .DSP(1)) unit (.clk(clk),\n"
            "    .add(add), .first(first), .starts(starts), .addends(addends), .sums(sums));\n"
            "endmodule\n"
        )
        for name, define in (("gold", "-D BONN_NO_DSP48"), ("gate", "")):
            lines += [
                "design -reset",
                f"read_verilog -sv -defer {define} {cell} {PRIMITIVES}",
                f"read_verilog pair_{bits}.v",
                "hierarchy -top pair",
                f"select -assert-{'none' if name == 'gold' else 'any'} */t:*DSP48E1",
                "prep -flatten -top pair",
                "delete t:$specify* t:$specrule",
                f"rename -top {name}",
                f"design -stash {name}",
            ]
        lines += [
            "design -reset",
            *("design -copy-from gold gold", "design -copy-from gate gate"),
            "miter -equiv -flatten gold gate miter",
            "async2sync",
            "sat -tempinduct -set-init-zero -verify -prove trigger 0 miter",
        ]
    log = yosys.do(tmp_path, *lines)
    assert log.count("Induction step proven: SUCCESS!") == 3
