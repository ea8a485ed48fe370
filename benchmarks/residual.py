# SPDX-License-Identifier: BSD-3-Clause
"""WRN-22 beside CNV at the same frames per second on a Zynq 7020; writes docs/residual.md.

Both networks have random weights: what they take of a device does not depend on them, apart from
the few-bit quantisers. Everything is predicted; `tests/end_to_end` holds cycles against the RTL.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.__main__ import ROOT, lively
from benchmarks.calibration import calibrated
from bonn_hw import frontend, pipeline
from bonn_hw.boards import board
from bonn_hw.kernels.fifo import Fifo
from bonn_hw.nn.export import export
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.passes.plan import feasibility
from bonn_hw.report.values import Report

PAGE = ROOT / "docs" / "residual.md"
BOARD, CLOCK_MHZ = board("pynq-z2"), 100.0
RATES = (1000, 3000)
# Published on CIFAR-10: BONN's table for WRN-22 16-16-32-64, Brevitas' README for CNV-W1A1.
PUBLISHED = {"WRN-22": "87.34 %", "CNV": "84.22 %"}


def main() -> None:
    """Compile both networks at each rate and write the table."""
    networks = {
        "WRN-22": calibrated("wrn22", in_channels=3),
        "CNV": Checkpoint(lively(build("cnv", in_channels=3)).eval()),
    }
    rows, limits = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for network, checkpoint in networks.items():
            model_file = folder / f"{network}.onnx"
            export(checkpoint, model_file)
            for rate in RATES:
                target = pipeline.Target(BOARD, CLOCK_MHZ, rate)
                out = folder / f"{network}-{rate}"
                report = pipeline.compile_model(model_file, target, out)
                rows.append(_row(network, report, pipeline.Build.load(out)))
            limits.append(_limit(network, model_file))
    PAGE.write_text(_page(rows, limits))
    print(PAGE.read_text())


def _row(network: str, report: Report, made: pipeline.Build) -> str:
    stages = [(stage.node.kernel, stage.folding) for stage in made.design.stages]
    # Bits of the weights: what the matrix units' first memory holds.
    images = [kernel.rtl(folding).memories.get("WEIGHTS") for kernel, folding in stages]
    weights = sum(image.depth * image.width for image in images if image is not None)
    queued = sum(
        kernel.depth * folding.pe * kernel.inputs[0].element.bits
        for kernel, folding in stages
        if isinstance(kernel, Fifo)
    )
    used = report.resources
    cycles, latency = report.cycles_per_frame.predicted, report.latency_cycles.predicted
    cells = [
        network,
        f"{report.target.fps:,.0f}",
        f"{report.frames_per_second.predicted:,.0f}",
        f"{cycles:,}",
        f"{latency / CLOCK_MHZ / 1000:.2f} ms",
        f"{weights:,}",
        f"{queued:,}",
        *(f"{one.predicted:,.4g}" for one in (used.bram36, used.dsp)),
        f"{used.lut.predicted:,.0f}",
        PUBLISHED[network],
    ]
    return "| " + " | ".join(cells) + " |"


def _limit(network: str, model_file: Path) -> str:
    """The most frames/s that fit the board, FIFOs apart, and what is in the way of more."""
    graph = frontend.lower(frontend.read(model_file)).graph
    whole = pipeline.Target(BOARD, CLOCK_MHZ, lut_fraction=1.0)
    return f"* {network}: {feasibility(graph, whole).messages[0]}."


def _page(rows: list[str], limits: list[str]) -> str:
    holds = BOARD.holds
    return "\n".join(
        [
            "# WRN-22 and CNV on a Zynq 7020",
            "",
            "`python -m benchmarks.residual` wrote this page. Everything but the accuracy is "
            f"predicted, for {BOARD.name} ({BOARD.part}: {holds.lut:,.0f} LUT, {holds.bram36:g} "
            f"BRAM36, {holds.dsp:g} DSP) at {CLOCK_MHZ:g} MHz, 32x32x3 images: cycles and latency "
            "by the cycle model, which the RTL equals exactly (`pytest "
            "tests/end_to_end/test_wrn22.py tests/end_to_end/test_cnv.py`); LUT, BRAM36 and DSP by "
            "the kernels' formulas, which [synthesis.md](synthesis.md) compares with synthesis.",
            "",
            "| network | frames/s requested | reached | cycles per frame | latency | weights, "
            "bits | FIFOs, bits | BRAM36 | DSP | LUT | CIFAR-10, published |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            "Published accuracies: Gu et al., ICCV 2019 (WRN-22 16-16-32-64, both losses); "
            "Brevitas' README (CNV-W1A1). They were not reproduced here. WRN-22 has 8-bit weights "
            "in the first convolution, the two 1x1 shortcuts and the classifier, 1-bit ones "
            "elsewhere.",
            "",
            "The highest frame rates that fit, FIFOs not counted:",
            "",
            *limits,
            "",
        ]
    )


if __name__ == "__main__":
    main()
