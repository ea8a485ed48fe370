# SPDX-License-Identifier: BSD-3-Clause
"""The test bench that comes with a build's RTL, for whole networks, in event simulators.

``python -m benchmarks.standalone [--network digits cnv wrn22] [--simulator verilator ...]``: builds
each network, compiles its test bench with each simulator, and runs it from three folders, then with
a memory image that is gone and with a flipped bit in one, which it must find and name. Nothing of
bonn_hw is needed to repeat a run by hand: the lines are in the README.md of ``rtl/``. In
Icarus a large network is slow: ``--frames 1 --fps 12000`` is enough there. The times are
seconds of the processor.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
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


def _digits(_: Path) -> bonn_hw.Model:
    return bonn_hw.Model.from_run(ROOT / "zoo" / "digits")


def _drawn(checkpoint: Callable[[], Checkpoint]) -> Callable[[Path], bonn_hw.Model]:
    """A network of CIFAR's size with random weights."""

    def made(folder: Path) -> bonn_hw.Model:
        model = folder.with_suffix(".onnx")
        export(checkpoint(), model)
        return bonn_hw.Model(model)

    return made


# Model, board and frames/s.
NETWORKS = {
    "digits": (_digits, "pynq-z2", 50_000.0),
    "cnv": (
        _drawn(lambda: Checkpoint(lively(network("cnv", in_channels=3)).eval())), "zcu104", 3_000.0
    ),
    "wrn22": (_drawn(lambda: calibrated("wrn22", in_channels=3)), "zcu104", 3_000.0),
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns how many runs did not end as they should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--simulator", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--fps", type=float, help="another frame rate than the network's own")
    parser.add_argument("--frames", type=int, default=3, help="of the run in rtl/")
    parser.add_argument("--optimise", default="-O1", help="of the C++ that Verilator writes")
    options = parser.parse_args(arguments)
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        for chosen in options.network:
            folder = Path(name) / chosen
            model, board, fps = NETWORKS[chosen]
            build = model(folder).compile(board, options.fps or fps, out=folder, progress=False)
            cycles = build.report.cycles_per_frame.predicted
            print(f"{chosen:7} a frame every {cycles:,} cycles", flush=True)
            for simulator in options.simulator:
                work = Path(name) / f"{chosen}-{simulator}"
                work.mkdir()
                wrong += _tested(f"{chosen:7} {simulator:18}", build.folder / "rtl", work, options)
    print(f"{wrong} runs did not end as they should")
    return wrong


def _tested(label: str, rtl: Path, work: Path, options: argparse.Namespace) -> int:
    """Run a bench in all ways; a line for each."""
    (top,) = (path.stem for path in rtl.glob("*_top.v"))
    started = _processor()
    bench = compiled(label.split()[1], top, rtl, work, DEBIAN, options.optimise)
    print(f"{label} {'compiled':27} {_processor() - started:8.1f} s", flush=True)
    wrong = 0

    def run(what: str, expected: str, folder: Path, *given: str) -> None:
        nonlocal wrong
        begun = _processor()
        well, told = bench.run(folder, *given, seconds=6 * 3600)
        good = expected in told and well == expected.startswith("PASSED")
        wrong += not good
        print(f"{label} {what:27} {_processor() - begun:8.1f} s{'' if good else '  WRONG'}")
        print(f"    {_line(told, expected if good else '')}", flush=True)

    elsewhere = work / "elsewhere"
    elsewhere.mkdir()
    run("in rtl/, free and stalled", "PASSED", rtl, f"+frames={options.frames}")
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


def _processor() -> float:
    """Seconds that programs have taken so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _line(told: str, expected: str) -> str:
    lines = [line for line in told.splitlines() if expected in line and line.strip()]
    return lines[0].strip() if lines else ""


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
