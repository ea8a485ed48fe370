# SPDX-License-Identifier: BSD-3-Clause
"""The test bench that comes with a build's RTL, for whole networks, in event simulators.

``python -m benchmarks.standalone [--network digits cnv wrn22] [--simulator verilator ...]``: builds
each network, compiles its test bench with each simulator, and runs it from three folders, then with
a memory image that is gone and with a flipped bit in one, which it must find and name. Nothing of
bonn_hw is needed to repeat a run by hand: the lines are in the README.md of ``rtl/``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import bonn_hw
from benchmarks.__main__ import ROOT, lively
from benchmarks.calibration import calibrated
from bonn_hw.nn.export import export
from bonn_hw.nn.models.networks import build as network
from bonn_hw.nn.training.checkpoint import Checkpoint
from tests.support.event_simulators import NAMES, compiled

DEBIAN = "/usr/bin/verilator"


def _digits(folder: Path) -> bonn_hw.Build:
    model = bonn_hw.Model.from_run(ROOT / "zoo" / "digits")
    return model.compile("pynq-z2", 50_000.0, out=folder, progress=False)


def _drawn(checkpoint: Callable[[], Checkpoint]) -> Callable[[Path], bonn_hw.Build]:
    """A network of CIFAR's size with random weights."""

    def build(folder: Path) -> bonn_hw.Build:
        model = folder.with_suffix(".onnx")
        export(checkpoint(), model)
        return bonn_hw.Model(model).compile("zcu104", 3_000.0, out=folder, progress=False)

    return build


NETWORKS = {
    "digits": _digits,
    "cnv": _drawn(lambda: Checkpoint(lively(network("cnv", in_channels=3)).eval())),
    "wrn22": _drawn(lambda: calibrated("wrn22", in_channels=3)),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns how many runs did not end as they should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--simulator", nargs="+", choices=NAMES, default=list(NAMES))
    options = parser.parse_args(arguments)
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        for chosen in options.network:
            folder = Path(name) / chosen
            rtl = NETWORKS[chosen](folder).folder / "rtl"
            for simulator in options.simulator:
                wrong += _tested(chosen, simulator, rtl, Path(name) / f"{chosen}-{simulator}")
    print(f"{wrong} runs did not end as they should")
    return wrong


def _tested(name: str, simulator: str, rtl: Path, work: Path) -> int:
    """Run a bench in all ways; a line for each."""
    (top,) = (path.stem for path in rtl.glob("*_top.v"))
    work.mkdir()
    started = time.monotonic()
    bench = compiled(simulator, top, rtl, work, DEBIAN, "-O1")
    label = f"{name:7} {simulator:18}"
    print(f"{label} compiled                    {time.monotonic() - started:8.1f} s", flush=True)
    wrong = 0

    def run(what: str, expected: str, folder: Path, *given: str) -> None:
        nonlocal wrong
        begun = time.monotonic()
        well, told = bench.run(folder, *given, seconds=6 * 3600)
        good = expected in told and well == expected.startswith("PASSED")
        wrong += not good
        print(f"{label} {what:27} {time.monotonic() - begun:8.1f} s{'' if good else '  WRONG'}")
        print(f"    {_line(told, expected if good else '')}", flush=True)

    elsewhere = work / "elsewhere"
    elsewhere.mkdir()
    run("in rtl/, free and stalled", "PASSED", rtl)
    run("in another folder, free", "PASSED", elsewhere, "+free", "+frames=1")
    run("in /, stalled", "PASSED", Path("/"), "+stalls", "+frames=1")
    image = max((rtl / "mem").glob("*.hex"), key=lambda path: path.stat().st_size)
    content = image.read_text()
    image.unlink()
    run("an image removed", f"cannot open the memory image {image}", elsewhere, "+free")
    flipped = format(int(content[0], 16) ^ 1, "x") + content[1:]
    image.write_text(flipped)
    run("a bit flipped", f"{image} was changed: its checksum is", elsewhere, "+free")
    image.write_text(content)
    return wrong


def _line(told: str, expected: str) -> str:
    lines = [line for line in told.splitlines() if expected in line and line.strip()]
    return lines[0].strip() if lines else ""


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
