# SPDX-License-Identifier: BSD-3-Clause
"""Structures of a popcount beside each other, by synthesis: a part of docs/synthesis.md."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from bonn_hw.synth.netlist import Use
from bonn_hw.synth.yosys import Job, synthesise

SOURCE = Path(__file__).with_suffix(".sv")
CELLS = Path(__file__).parent.parent / "hw_templates" / "cells"
STRUCTURES = (
    "as written in a loop",
    "full adders one by one",
    "six to three, then adders of two",
    "three to two, then adders of two",
    "three to two, then adders of three (ours)",
)
WIDTHS = (8, 16, 32, 64, 128)


def synthesised() -> dict[tuple[int, int], Use]:
    """Each structure at each width, for the 7 series, in one run."""
    points = list(product(range(len(STRUCTURES)), WIDTHS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(SOURCE, folder)
        (folder / "cells").mkdir()
        shutil.copy(CELLS / "adder_tree.sv", folder / "cells")
        modules = []
        for structure, bits in points:
            modules += [
                f"(* keep_hierarchy *) module wrapper_{structure}_{bits} (input clk, input first,",
                f"  input [{bits - 1}:0] data, input [{bits - 1}:0] weights, output [15:0] sum);",
                f"  trial #(.N({bits}), .STRUCTURE({structure})) unit (.clk(clk), .first(first),",
                "    .data(data), .weights(weights), .sum(sum));",
                "endmodule",
            ]
        instances = (f"(* keep *) wrapper_{s}_{b} try_{s}_{b} ();" for s, b in points)
        (folder / "top.v").write_text("\n".join([*modules, "module top;", *instances, "endmodule"]))
        uses = synthesise(Job(folder, "xc7"))
    return {(s, b): uses[f"try_{s}_{b}"] for s, b in points}


def table() -> Iterator[str]:
    """LUT a bit and depth, structures down, widths across."""
    uses = synthesised()
    yield "## Popcounts that were tried"
    yield ""
    yield (
        "LUTs per bit for XNOR, count and accumulator, with both operands from registers; in "
        "brackets the logic depth (`benchmarks/popcounts.sv`)."
    )
    yield ""
    yield f"| structure | {' | '.join(f'{bits} bits' for bits in WIDTHS)} |"
    yield f"|---|{'---|' * len(WIDTHS)}"
    for structure, name in enumerate(STRUCTURES):
        cells = (uses[structure, bits] for bits in WIDTHS)
        columns = (f"{u.lut / b:.2f} ({u.depth})" for u, b in zip(cells, WIDTHS, strict=True))
        yield f"| {name} | {' | '.join(columns)} |"
    yield ""
