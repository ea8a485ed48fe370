# SPDX-License-Identifier: BSD-3-Clause
"""FINN beside us: the witness on a matrix of networks, estimates, its flow with our operators.

Needs `make finn-env` and the Fashion-MNIST images; writes docs/finn_measured.md. About 20 minutes.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bonn_hw import after_build, frontend, pipeline, verification
from bonn_hw.boards import board
from bonn_hw.interop import finn_environment
from bonn_hw.interop.crosscheck import crosscheck
from bonn_hw.nn.data import datasets
from bonn_hw.nn.export import export
from bonn_hw.nn.models.network import Network
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.nn.training.train import train
from tests.support.finn import few_bits

ROOT = Path(__file__).parent.parent
MODELS = os.environ.get("BONN_HW_MODELS")
PAGE = ROOT / "docs" / "finn_measured.md"
TARGET = pipeline.Target(board("pynq-z2"), 100.0, 1000)
FRAMES = 8  # of each kind
FOLDING = ROOT / "flows" / "experiments" / "cnv_finn_folding.json"


def main() -> None:
    """Measure and write the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = dict(networks(folder))
        lines = [*matrix(models), *reading(models, folder)]
        lines += [*estimates(models["CNV, 8-bit, trained"], folder), *flows(models, folder)]
    PAGE.write_text("\n".join([*head(), *lines, ""]))


def head() -> list[str]:
    """What the page is."""
    return [
        "# Beside FINN, measured",
        "",
        "`python -m benchmarks.finn` wrote this page (finn-plus 1.6.1, qonnx 1.0.0, "
        "`make finn-env`).",
        "",
    ]


def networks(folder: Path) -> Iterator[tuple[str, Path]]:
    """QONNX files by name: widths of TFC, SFC and CNV, both inputs, random and trained weights."""
    torch.manual_seed(0)
    for name in ("tfc", "sfc", "cnv"):
        for bits in ("1-bit", "8-bit"):
            label = f"{name.upper()}, {bits}"
            options = {"in_channels": 3} if name == "cnv" else {}
            path = folder / f"{name}-{bits}.onnx"
            export(Checkpoint(calibrated(build(name, input=bits, **options)).eval()), path)
            yield f"{label}, random", path
            if label == "TFC, 1-bit":
                if MODELS:  # the zoo's own file, in a folder of its user
                    yield f"{label}, trained", Path(MODELS) / "TFC_1W1A.onnx"
                continue
            run = ROOT / "zoo" / "fashion_cnv"
            if label != "CNV, 8-bit":
                run = trained(name, bits, folder / f"{name}-{bits}")
            path = folder / f"{name}-{bits}-trained.onnx"
            export(run, path)
            yield f"{label}, trained", path
    if MODELS:
        yield "TFC, w1a2, trained", Path(MODELS) / "TFC_1W2A.onnx"
        yield "KWS MLP, w3a3, trained", Path(MODELS) / "KWS_MLP_w3a3.onnx"
    for name, gammas in (("norms", (0.5, -1.0, 0.7, 2.0)), ("powers of two", ())):
        few = folder / name.replace(" ", "_")
        few.mkdir()
        yield f"CNN, w2-w4 a3, {name}, random", few_bits(gammas).write(few)
    path = folder / "padded.onnx"
    export(Checkpoint(calibrated(build("cnv_padded", in_channels=3)).eval()), path)
    yield "CNV padded, 8-bit, random", path


def calibrated(network: Network) -> Network:
    """Batch norms with the statistics of random images and scales of both signs."""
    network.train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over all batches
            torch.nn.init.normal_(module.weight)
            torch.nn.init.normal_(module.bias, std=0.3)
    with torch.no_grad():
        for _ in range(2):
            network(torch.rand(64, *network.input_shape) * 2 - 1)
    return network


def trained(name: str, bits: str, folder: Path) -> Path:
    """A short training on Fashion-MNIST: the weights are those of a network that learnt."""
    lines = ["[network]", f'name = "{name}"', f'input = "{bits}"']
    lines += ["in_channels = 1"] if name == "cnv" else []
    lines += ["[data]", 'name = "fashion-mnist"']
    lines += ['transform = "pad32"'] if name == "cnv" else []
    lines += ["[training]", "epochs = 2", "batch = 50", "lr = 0.01", 'optimiser = "adam"']
    lines += ['schedule = "cosine"', "seed = 1"]
    experiment = folder.with_suffix(".toml")
    experiment.write_text("\n".join(lines) + "\n")
    train(experiment, folder, limit=2000)
    return folder


def images_of(model: frontend.Model) -> np.ndarray | None:
    """Test images of Fashion-MNIST that a model takes; none for those of three channels."""
    shape = model.shapes[model.input]
    tests = datasets.load("fashion-mnist", "test").first(FRAMES)
    if shape[1:] == (32, 32):
        tests = tests.transformed("pad32")
    return tests.images if tests.images.shape[1:] == shape else None


def matrix(models: dict[str, Path]) -> Iterator[str]:
    """The witness on every network."""
    yield "## Layer by layer"
    yield ""
    yield (
        f"`bonn-hw witness` with {FRAMES} random frames each, and as many test images of "
        "Fashion-MNIST where the network takes one channel (not for the networks of several "
        "bits). Values that differ: of all layers, "
        "between FINN's Python execution and ours, between the reference's tensors and ours; and "
        "frames whose answer differs from qonnx's execution (in brackets where its float sums are "
        "rounded). FINN's last floats are rounded differently; the column has the largest "
        "difference, relative to the largest value."
    )
    yield ""
    yield (
        "| network | layers | values | differ from FINN | from the reference | answers from "
        "qonnx | FINN's floats | verdict |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, path in models.items():
        few = ", w" in name
        images = None if few else images_of(pipeline.read_model(path))
        checked = crosscheck(path, images, FRAMES, TARGET)
        layers, answers = checked.layers, checked.answers
        told: str = checked.verdict
        if told == "defects":
            found: dict[str, list[str]] = {}
            for layer in layers:
                for defect in layer.defects:
                    found.setdefault(defect, []).append(layer.node)
            told = "; ".join(f"FINN {defect}: {', '.join(found[defect])}" for defect in found)
        yield (
            f"| {name} | {len(layers)} | {sum(one.values for one in layers):,} | "
            f"{sum(one.finn for one in layers):,} | {sum(one.qonnx or 0 for one in layers)} "
            f"| {_bracketed(answers.frames_that_differ_from_qonnx, answers.rounded_sums)} | "
            f"{answers.largest_difference_from_finn:.0e} | {told} |"
        )
    yield ""


def _bracketed(count: int, rounded: bool) -> str:
    return f"({count})" if rounded else str(count)


def reading(models: dict[str, Path], folder: Path) -> Iterator[str]:
    """FINN's own hardware graphs through the reader and the RTL."""
    yield "## FINN's hardware graphs, compiled"
    yield ""
    yield (
        "FINN makes the graph (`flows/scripts/finn/hardware_graph.py`) and answers for random "
        "frames; `bonn-hw compile` reads it, and Verilator runs the RTL on the same frames."
    )
    yield ""
    yield "| graph | frames | FINN's answers = our integer graph | = our RTL | cycles per frame |"
    yield "|---|---|---|---|---|"
    for name in ("TFC, 1-bit, trained", "CNV, 8-bit, trained"):
        graph, known_at = folder / "graph.onnx", folder / "answers.npz"
        arguments = (models[name], graph, known_at, "4")
        finn_environment.run("hardware_graph.py", *arguments, progress=quiet)
        with np.load(known_at) as known:
            images, answers = known["images"], known["answers"]
        pipeline.compile_model(graph, TARGET, folder / "read")
        found = verification.simulate(pipeline.Build.load(folder / "read"), images)
        equal = [(one == answers.reshape(one.shape)).all() for one in (found.y_integer, found.y)]
        words = ["equal" if one else "DIFFERS" for one in equal]
        told = f"{found.run.interval:,}" if found.run.interval else "–"
        yield f"| {name} | {len(images)} | {words[0]} | {words[1]} | {told} |"
    yield ""


def estimates(model: Path, folder: Path) -> Iterator[str]:
    """CNV: what both predict, what Verilator counts and what Yosys takes."""
    target = pipeline.Target(TARGET.board, TARGET.clock_mhz)
    checked = crosscheck(model, None, 1, target, FOLDING)
    pipeline.compile_model(model, target, folder / "cnv", FOLDING)
    made = pipeline.Build.load(folder / "cnv")
    frames = made.host.random_frames(4)
    simulated = stage_cycles(made, frames)
    synthesised = {
        one.name: one.synthesised
        for one in after_build.synthesise(made, jobs=2).layers
        if one.synthesised is not None
    }
    yield "## Estimates for CNV, FINN's folding"
    yield ""
    yield (
        "Per frame and layer: what FINN estimates (E), what we predict, what Verilator counts (S: "
        "steps of the stage) and what Yosys takes for xc7z020 (Y, of our RTL). In brackets the "
        "error relative to S or Y. FINN's LUTs are those of its own HLS or RTL, which is not "
        "synthesised here: so their distance from Y also contains the difference between the two "
        "implementations."
    )
    yield ""
    yield (
        "| layer | cycles: FINN's E | ours | S | LUT: FINN's E | ours | Y | "
        "RAMB36: FINN's E | ours | Y |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    sums = np.zeros(6)
    for row in checked.estimates:
        layer = row.layer
        steps, use = simulated[layer], synthesised[layer]
        cycles, lut, ram = row.cycles, row.lut, row.bram36
        yield (
            f"| {layer} | {beside(cycles.finn, steps)} | {beside(cycles.ours, steps)} | "
            f"{steps:,} | {beside(lut.finn, use.lut)} | {beside(lut.ours, use.lut)} | "
            f"{use.lut:,.0f} | {ram.finn:g} | {ram.ours:g} | {use.bram36:g} |"
        )
        sums += [lut.finn, lut.ours, use.lut, ram.finn, ram.ours, use.bram36]
    yield (
        f"| all of these | | | | {beside(sums[0], sums[2])} | {beside(sums[1], sums[2])} | "
        f"{sums[2]:,.0f} | {sums[3]:g} | {sums[4]:g} | {sums[5]:g} |"
    )
    yield ""


def stage_cycles(made: pipeline.Build, frames: np.ndarray) -> dict[str, int]:
    """Steps a frame of each stage in the RTL."""
    run = verification.simulate(made, frames, jobs=2).run
    names = [stage.name for stage in made.design.stages]
    return dict(zip(names, run.stage_cycles, strict=True))


def beside(estimate: float, measured: float) -> str:
    """An estimate, and how far it is off."""
    if not measured:
        return f"{estimate:,.0f}"
    return f"{estimate:,.0f} ({100 * (estimate / measured - 1):+.1f} %)"


def flows(models: dict[str, Path], folder: Path) -> Iterator[str]:
    """FINN's flow with our operators, up to what needs Vivado."""
    yield "## FINN's flow with our operators"
    yield ""
    yield (
        "`flows/scripts/finn/backend_flow.py`: which steps ran, and what implements the layers. "
        "What comes next in FINN's builder, HLSSynthIP where HLS layers are left and "
        "CreateStitchedIP, starts Vivado."
    )
    yield ""
    for number, name in enumerate(("TFC, 1-bit, trained", "CNV, 8-bit, trained")):
        out = folder / f"flow{number}"
        out.mkdir()
        model = pipeline.read_model(models[name])
        frames = frontend.lower(model).host.random_frames(2)
        np.save(folder / "frames.npy", frames)
        arguments = (models[name], folder / "frames.npy", out)
        finn_environment.run("backend_flow.py", *arguments, progress=quiet)
        facts = json.loads((out / "facts.json").read_text())
        counts: dict[str, int] = {}
        for layer in facts["layers"]:
            counts[layer["operator"]] = counts.get(layer["operator"], 0) + 1
        left = [one for one in counts if one.endswith("_hls")]
        yield f"* {name}: {', '.join(facts['steps'])}."
        told = ", ".join(f"{count} {operator}" for operator, count in sorted(counts.items()))
        yield f"  Layers: {told}. Left for HLS: {', '.join(left) or 'none'}."
    yield ""
    yield (
        "ElementwiseMul and ElementwiseAdd are the scale and bias of each class in floats, behind "
        "the last integers: bonn-hw leaves them to the host. Where they are the same for all "
        "classes, as in the zoo's TFC, FINN absorbs them into the label select."
    )


def quiet(text: str) -> Any:
    """No progress."""


if __name__ == "__main__":
    main()
