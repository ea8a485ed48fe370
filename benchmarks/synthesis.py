# SPDX-License-Identifier: BSD-3-Clause
"""What the RTL takes of a Zynq 7020 by open synthesis; writes docs/synthesis.md.

Beside it stands FINN's own estimate of its matrix units (`lut_estimation` of finn-plus 1.6,
`matrixvectoractivation.py`), written down here as a formula because finn-plus cannot be installed
into the project's environment.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.__main__ import lively
from benchmarks.folding import BOARD, FPS, TARGET, Case, best, finns, lowered
from benchmarks.popcounts import table
from bonn_hw.emit.top import emit
from bonn_hw.emit.write import write
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import BIPOLAR
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.kernels.placement import Placement
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.passes.plan import total
from bonn_hw.synth.kernel import synthesise_kernels
from bonn_hw.synth.netlist import Use
from bonn_hw.synth.run import synthesise_all
from bonn_hw.synth.yosys import version
from tests.support.contract import grids
from tests.support.grids import close

PAGE = Path(__file__).parent.parent / "docs" / "synthesis.md"
PES, SIMDS = (1, 4, 16, 32), (8, 32, 64, 128)
PARITY_PES, PARITY_SIMDS = (1, 4, 16, 32), (8, 16, 32, 64)
FINN_CNV = (20_466, 98)  # LUT and BRAM36 that FINN 0.10's own project reports for CNV-W1A1


def main() -> None:
    """Synthesise and write the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cnv = lowered(Checkpoint(lively(build("cnv", in_channels=3)).eval()), folder / "cnv.onnx")
        hand = finns(cnv)
        ours = best(cnv, "CNV, 3,052 frames/s", replace(TARGET, fps=FPS))
        fast = best(cnv, "CNV, most frames/s, 70 % of the LUT", replace(TARGET, fastest=True))
        cases = [
            (case, *synthesised(case, folder / str(place)))
            for place, case in enumerate((hand, ours, fast))
        ]
    units = matrix_units()
    PAGE.write_text(
        "\n".join(
            [
                *head(), *designs(cases), *stages(*cases[0]), *grid(units), *parities(),
                *table(), *predictions(),
            ]
        )
    )  # fmt: skip
    print(PAGE.read_text())


def synthesised(case: Case, folder: Path) -> tuple[Use, dict[str, Use]]:
    """The whole design and its stages, for the board's device."""
    write(emit(case.design), folder)
    names = [stage.name for stage in case.design.stages]
    return synthesise_all(folder, BOARD.part, names, 2, clock_mhz=TARGET.clock_mhz)


def head() -> list[str]:
    """What the page is."""
    return [
        "# Area, by open synthesis",
        "",
        f"`python -m benchmarks.synthesis` wrote this page: pyosys {version()}, `synth_xilinx` for "
        f"the 7 series ({BOARD.part}), CNV-W1A1 with random weights. A LUT is a site of six "
        "inputs: two functions count as one where they share inputs and have at most five of them, "
        "unless both lead to a carry chain; nets that only pass a LUT to a carry chain count. "
        "`depth` is the logic depth: the most LUTs between two registers, and carry chains, one "
        "each, but for the first of a path. `bonn-hw synth` names the ends of the longest path; "
        "`--max-depth` makes a limit of it. Designs and matrix units are mapped for "
        f"{TARGET.clock_mhz:g} MHz: paths that are short enough for it are mapped for area.",
        "",
    ]


def bmac(case: Case) -> int:
    """Binary multiplications a cycle of a design, folded as it is."""
    return sum(s.folding.parallelism for s in case.design.stages if isinstance(s.node.kernel, Mvu))


def designs(cases: list[tuple[Case, Use, dict[str, Use]]]) -> Iterator[str]:
    """One line a design."""
    columns = (
        "design, frames/s at 100 MHz, LUT, LUT per bMAC/cycle, predicted, FF, BRAM36, DSP, depth"
    )
    yield f"| {columns.replace(', ', ' | ')} |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for case, use, apart in cases:
        interval = max(s.node.kernel.cycles(s.folding) for s in case.design.stages)
        yield (
            f"| {case.name} | {1e8 / interval:,.0f} | {use.lut:,} | {use.lut / bmac(case):.2f} | "
            f"{total(case.design).lut:,.0f} | {use.ff:,} | {use.bram36} | {use.dsp} | "
            f"{max(one.depth for one in apart.values())} |"
        )
    lut, blocks = FINN_CNV
    yield (
        f"| FINN 0.10, the same folding (its own report) | 3,052 | {lut:,} | "
        f"{lut / bmac(cases[0][0]):.2f} | | 27,932 | {blocks} | 0 | |"
    )
    yield ""


def finn_lut(kernel: Mvu, folding: Folding) -> float:
    """FINN's estimate of a matrix unit's LUT, weights in block memory, thresholds apart."""
    bits = 1 + kernel.element.bits
    alpha = math.log2(kernel.weights.shape[1]) + bits - 1 - kernel.element.signed
    accumulator = math.ceil(alpha + math.log2(1 + 2**-alpha) + 1)
    products = folding.simd * (2 * math.ceil(bits / 6) - 1) * bits
    additions = bits * (2 * folding.simd - 1)
    return 300 + 1.1 * folding.pe * (products + additions + accumulator)


def stages(case: Case, use: Use, apart: dict[str, Use]) -> Iterator[str]:
    """One line a stage of the first design."""
    yield f"## {case.name}, stage by stage"
    yield ""
    yield "Each stage synthesised alone; in the whole design stages share a little more."
    yield ""
    columns = "stage, PE, SIMD, LUT, predicted, FINN estimates, FF, predicted, BRAM36, depth"
    yield f"| {columns.replace(', ', ' | ')} |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for stage in case.design.stages:
        kernel, folding = stage.node.kernel, stage.folding
        one, said = apart[stage.name], kernel.resources(folding)
        finn = f"{finn_lut(kernel, folding):,.0f}" if isinstance(kernel, Mvu) else ""
        yield (
            f"| {stage.name} | {folding.pe} | {folding.simd} | {one.lut:,} | "
            f"{said.lut:,.0f} | {finn} | {one.ff:,} | "
            f"{said.ff:,.0f} | {one.bram36} | {one.depth} |"
        )
    yield ""


def matrix_units() -> dict[Folding, tuple[Mvu, Use]]:
    """A layer of 256 neurons of 2,304 weights in many foldings."""
    rng = np.random.default_rng(0)
    weights = rng.choice([-1, 1], (256, 2304)).astype(np.int8)
    kernel = Mvu(
        *((2, 2), BIPOLAR, weights, rng.integers(-96, 97, (1, 256)), None, (0, 0), (0, 0)),
        Placement(weights_in_block=True, sums_in_dsp=True),
    )
    foldings = [Folding(pe, simd) for pe in PES for simd in SIMDS]
    uses = synthesise_kernels(
        [(kernel, folding) for folding in foldings], clock_mhz=TARGET.clock_mhz
    )
    return {folding: (kernel, use) for folding, use in zip(foldings, uses, strict=True)}


def grid(units: dict[Folding, tuple[Mvu, Use]]) -> Iterator[str]:
    """LUT a binary multiplication, PE down, SIMD across."""
    yield "## LUTs of a matrix unit per bMAC and cycle"
    yield ""
    yield (
        "256 neurons of 2,304 weights in block memory and sums in DSP slices, with thresholds, "
        "buffer and control; in brackets the estimate of FINN's formula. A bMAC is one XNOR and "
        "its share of the popcount. The first compression alone takes 0.67: the count of three "
        "pairs of bits is two functions of six inputs. Block memories whose words are spread over "
        "several banks need LUTs to choose between them: most of the LUTs at low SIMD."
    )
    yield ""
    yield f"| PE | {' | '.join(f'SIMD {simd}' for simd in SIMDS)} |"
    yield f"|---|{'---|' * len(SIMDS)}"
    for pe in PES:
        cells = []
        for simd in SIMDS:
            folding = Folding(pe, simd)
            kernel, use = units[folding]
            finn = finn_lut(kernel, folding) / folding.parallelism
            cells.append(f"{use.lut / folding.parallelism:.2f} ({finn:.1f})")
        yield f"| {pe} | {' | '.join(cells)} |"
    yield ""


def parities() -> Iterator[str]:
    """LUT of matrix units that store parities, and of those that do not."""
    rng = np.random.default_rng(0)
    weights = rng.choice([-1, 1], (64, 576)).astype(np.int8)
    levels = rng.integers(-96, 97, (1, 64))
    foldings = [Folding(pe, simd) for pe in PARITY_PES for simd in PARITY_SIMDS]
    stored = [Placement(weights_in_block=True, sums_in_dsp=True, parities=p) for p in (False, True)]
    kernels = [Mvu((2, 2), BIPOLAR, weights, levels, None, (0, 0), (0, 0), p) for p in stored]
    uses = synthesise_kernels(
        [(kernel, folding) for kernel in kernels for folding in foldings],
        clock_mhz=TARGET.clock_mhz,
    )
    yield "## Stored parities"
    yield ""
    yield (
        "LUTs of a matrix unit of 64 neurons of 576 weights, as above, without and with every "
        "third weight as a parity (`cells/xnor_popcount.sv`). Units store them where the formulas "
        "say that this takes fewer LUTs."
    )
    yield ""
    yield f"| PE | {' | '.join(f'SIMD {simd}' for simd in PARITY_SIMDS)} |"
    yield f"|---|{'---|' * len(PARITY_SIMDS)}"
    both = zip(uses[: len(foldings)], uses[len(foldings) :], strict=True)
    cells = (f"{plain.lut:,}, {ours.lut:,}" for plain, ours in both)
    for pe in PARITY_PES:
        yield f"| {pe} | {' | '.join(islice(cells, len(PARITY_SIMDS)))} |"
    yield ""


def predictions() -> Iterator[str]:
    """How often the formulas are right, a line a kernel."""
    yield "## What the formulas predict"
    yield ""
    yield (
        "`Kernel.resources` against synthesis over the foldings of each `GRID` in "
        '`tests/kernels/`: "close" means within 5 % or 20 LUTs, the same for flip-flops, and '
        "equal numbers of block memories and DSP slices. Yosys' own result for a kernel varies by "
        "up to 9 % with the kernels that are synthesised together with it."
    )
    yield ""
    yield "| kernel | points | close | LUT off by, mean | at most |"
    yield "|---|---|---|---|---|"
    for stem, points in grids().items():
        grid = list(points.points())
        uses = synthesise_kernels(grid)
        said = [kernel.resources(folding) for kernel, folding in grid]
        near = sum(close(one, use) for one, use in zip(said, uses, strict=True))
        misses = [
            abs(one.lut - use.lut) / use.lut for one, use in zip(said, uses, strict=True) if use.lut
        ]
        yield (
            f"| {stem} | {len(grid)} | {near / len(grid):.0%} | {np.mean(misses):.1%} | "
            f"{max(misses):.0%} |"
        )
    yield ""


if __name__ == "__main__":
    main()
