# SPDX-License-Identifier: BSD-3-Clause
"""The command ``bonn-hw``. What a user got wrong ends with one message and exit code 2."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

import bonn_hw
from bonn_hw.cli import commands
from bonn_hw.errors import Hang, UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns the exit code: 0 good, 1 mismatches found (by a witness: others than known defects) or
    designs of a sweep refused, 2 user error, 3 the RTL hangs (a bug of ours) or the bitstream's
    tool is not here, 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    notes = Console(stderr=True, highlight=False)
    command: Callable[[argparse.Namespace, Console], int] = options.command
    try:
        return command(options, notes)
    except UserError as error:
        print(f"bonn-hw: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "brevitas", "lightning", "matplotlib", "sklearn"):
            raise
        print(
            f"bonn-hw: {options.name} needs the package {error.name!r}, which is not installed: "
            "pip install 'bonn-hw[train]'",
            file=sys.stderr,
        )
        return 2
    except Hang as error:
        print(f"bonn-hw: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        kept = ", and keeps finished designs" if options.name == "sweep" else ""
        print(f"bonn-hw: interrupted; a rerun starts clean{kept}", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bonn-hw", description=bonn_hw.__doc__)
    parser.add_argument("--version", action="version", version=bonn_hw.__version__)
    subparsers = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")

    train = subparsers.add_parser("train", help="train an experiment file")
    train.add_argument("experiment", type=Path, help="a .toml of flows/")
    train.add_argument("--out", type=Path, required=True, help="run folder")
    train.add_argument("--resume", action="store_true", help="go on where the run folder ends")
    train.add_argument("--limit", type=_count, help="train with the first so many images only")
    train.set_defaults(command=commands.run_train)

    prune = subparsers.add_parser("prune", help="make a run with fewer filters of a finished one")
    prune.add_argument("run", type=Path, help="run folder")
    prune.add_argument(
        "--rate", type=float, default=0.5, help="share of filters to keep; default: %(default)s"
    )
    prune.add_argument(
        "--epochs", type=_count, help="to draw alike filters together; default: a quarter of RUN's"
    )
    prune.add_argument(
        "--recover", type=_count, help="epochs of training after that; default: a quarter of RUN's"
    )
    prune.add_argument("--out", type=Path, required=True, help="the new run folder")
    prune.set_defaults(command=commands.run_prune)

    plot = subparsers.add_parser("plot", help="draw how a run's kernels and accuracy developed")
    plot.add_argument("run", type=Path, help="run folder")
    plot.add_argument("--against", type=Path, metavar="RUN", help="run folder to compare with")
    plot.add_argument(
        "--layers", type=_numbers, help="1-bit layers shown one by one, from 1; default: 2,8,14"
    )
    plot.add_argument("--out", type=Path, help="folder; default: figures in the run folder")
    plot.set_defaults(command=commands.run_plot)

    export = subparsers.add_parser("export", help="write a run as QONNX")
    export.add_argument("run", type=Path, help="run folder")
    export.add_argument("--out", type=Path, required=True, help="the .onnx file")
    export.set_defaults(command=commands.run_export)

    release = subparsers.add_parser("release", help="keep a run in a few hundred kB")
    release.add_argument("run", type=Path, help="run folder")
    release.add_argument("--out", type=Path, required=True, help="the new folder")
    release.set_defaults(command=commands.run_release)

    check = subparsers.add_parser("check", help="say whether a QONNX model can be compiled")
    check.add_argument("model", type=Path, help="the .onnx file")
    check.add_argument("--board", help="say also what fits it")
    check.add_argument("--fps", type=_positive, help="and what so many frames per second need")
    check.add_argument("--clock-mhz", type=_positive, help="default: the board's")
    check.set_defaults(command=commands.run_check)

    fold = subparsers.add_parser("fold", help="find the best foldings and FIFO depths for a board")
    fold.add_argument("model", type=Path, help="the .onnx file")
    _add_target(fold)
    fold.add_argument("--pareto", action="store_true", help="all trade-offs instead of one design")
    fold.add_argument("--out", type=Path, required=True, help="folder for design.json and pictures")
    fold.set_defaults(command=commands.run_fold)

    compile_ = subparsers.add_parser("compile", help="make an accelerator of a QONNX model")
    compile_.add_argument("model", type=Path, help="the .onnx file")
    _add_target(compile_)
    compile_.add_argument("--out", type=Path, required=True, help="build folder")
    compile_.set_defaults(command=commands.run_compile)

    export_finn = subparsers.add_parser("export-finn", help="write a build as FINN's graph")
    export_finn.add_argument("build", type=Path, help="build folder")
    export_finn.add_argument("--out", type=Path, help="folder; default: finn in the build")
    export_finn.set_defaults(command=commands.run_export_finn)

    witness = subparsers.add_parser(
        "witness", help="compare a QONNX model layer by layer with FINN"
    )
    witness.add_argument("model", type=Path, help="the .onnx file")
    source = witness.add_mutually_exclusive_group()
    source.add_argument("--inputs", type=Path, help=".npy that the QONNX model would be fed")
    source.add_argument("--dataset", help="test images of a data set")
    witness.add_argument("--count", type=_count, default=8, help="of them; default: %(default)s")
    witness.add_argument(
        "--random", type=_count, default=8, help="random frames besides; default: %(default)s"
    )
    witness.add_argument("--board", default="pynq-z2", help="default: %(default)s")
    witness.add_argument("--clock-mhz", type=_positive, help="default: the board's")
    witness.add_argument(
        "--fps", type=_positive, default=1000, help="estimates are of this; default: %(default)s"
    )
    witness.add_argument("--folding", type=Path, help="JSON that fixes layers, ours or FINN's")
    witness.add_argument("--json", type=Path, help="file for the report")
    witness.set_defaults(command=commands.run_witness)

    sweep = subparsers.add_parser("sweep", help="fold many models for many boards, clocks, rates")
    sweep.add_argument("file", type=Path, help="a .toml with lists of them")
    sweep.add_argument("--out", type=Path, required=True, help="folder for all designs")
    sweep.add_argument("--jobs", type=_count, default=os.cpu_count(), help="processes")
    sweep.add_argument("--cluster", metavar="ADDRESS", help="run on the workers of this scheduler")
    sweep.set_defaults(command=commands.run_sweep)

    simulate = subparsers.add_parser("simulate", help="simulate a build cycle by cycle and compare")
    simulate.add_argument("build", type=Path, help="build folder")
    source = simulate.add_mutually_exclusive_group(required=True)
    source.add_argument("--inputs", type=Path, help=".npy that the QONNX model would be fed")
    source.add_argument("--dataset", help="test images of a data set, with labels")
    simulate.add_argument("--count", type=_count, help="frames at most")
    simulate.add_argument("--checkpoint", type=Path, help="run folder: compare with PyTorch")
    simulate.add_argument("--outputs", type=Path, help=".npy for the answers")
    simulate.add_argument("--json", type=Path, help="file for the report")
    simulate.add_argument("--stall", type=int, metavar="SEED", help="random stalls on both ends")
    simulate.add_argument("--trace", type=Path, help="wave file, .fst or .vcd")
    simulate.add_argument("--jobs", type=_count, default=os.cpu_count(), help="processes")
    simulate.set_defaults(command=commands.run_simulate)

    synth = subparsers.add_parser("synth", help="synthesise a build with an open tool")
    synth.add_argument("build", type=Path, help="build folder")
    synth.add_argument("--kernel", metavar="NAME", help="this stage alone")
    synth.add_argument("--tool", choices=("yosys",), default="yosys", help="default: %(default)s")
    synth.add_argument("--jobs", type=_count, default=os.cpu_count(), help="processes")
    synth.set_defaults(command=commands.run_synth)

    bitstream = subparsers.add_parser("bitstream", help="make a build's bitstream and driver")
    bitstream.add_argument("build", type=Path, help="build folder")
    bitstream.add_argument(
        "--tool",
        choices=("vivado", "open"),
        help="open: Yosys and nextpnr, for PYNQ-Z1, -Z2 and ULX3S; default: vivado where it can",
    )
    bitstream.add_argument("--board", help="default: the one that it was compiled for")
    bitstream.add_argument("--clock-mhz", type=_positive, help="default: as compiled")
    bitstream.set_defaults(command=commands.run_bitstream)

    report = subparsers.add_parser("report", help="show a build's report")
    report.add_argument("build", type=Path, help="build folder")
    report.add_argument("--json", action="store_true", help="print report.json itself")
    report.set_defaults(command=commands.run_report)
    return parser


def _add_target(command: argparse.ArgumentParser) -> None:
    command.add_argument("--board", default="pynq-z2", help="default: %(default)s")
    command.add_argument("--clock-mhz", type=_positive, help="default: the board's")
    rate = command.add_mutually_exclusive_group()
    rate.add_argument("--fps", type=_positive, help="frames per second to reach")
    rate.add_argument("--max-fps", action="store_true", help="as many as fit the board")
    command.add_argument(
        "--lut-fraction",
        type=_fraction,
        default=0.7,
        help="part of the board's LUT that --max-fps may use; default: %(default)s",
    )
    command.add_argument("--latency-ms", type=_positive, help="first beat in to first beat out")
    fixed = command.add_mutually_exclusive_group()
    fixed.add_argument("--folding", type=Path, help="JSON that fixes layers, ours or FINN's")
    fixed.add_argument(
        "--keep-folding",
        dest="folding",
        action="store_const",
        const="model",
        help="PE and SIMD as a hardware graph of FINN's states them",
    )
    command.add_argument("--checkpoint", type=Path, help="run folder: PyTorch decides float ties")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive count")
    return value


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a list of numbers like 2,8,14") from error


if __name__ == "__main__":
    sys.exit(main())
