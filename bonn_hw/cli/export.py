# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw export``: write a trained network as QONNX."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonn_hw.cli.arguments import numbers
from bonn_hw.cli.exit_codes import DONE
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import Terminal
from bonn_hw.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "export"
HELP = "write a trained network as a QONNX file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "network",
        metavar="RUN",
        help="run folder, from 'bonn-hw train'; or package.module:factory or file.py:factory, a "
        "function that returns a PyTorch network with Brevitas' quantisers",
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="QONNX file to write (.onnx)"
    )
    example = parser.add_mutually_exclusive_group()
    example.add_argument(
        "--example",
        metavar="FILE",
        type=Path,
        help=".npy file with inputs of the factory's network: float32, batch first",
    )
    example.add_argument(
        "--shape",
        metavar="C,H,W",
        type=numbers,
        help="shape of an input, such as 1,28,28, without the batch; the example is random in "
        "[-1, 1]",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write a network as QONNX."""
    check_writable(options.out)
    if ":" in options.network and not Path(options.network).is_dir():
        _export_factory(options, terminal)
    else:
        if options.example is not None or options.shape is not None:
            raise UserError(
                "export: --example and --shape go with package.module:factory; a run knows its own"
            )
        from bonn_hw.nn.export_run import export_run

        export_run(Path(options.network), options.out)
    terminal.note(f"wrote {options.out}")
    return DONE


def _export_factory(options: argparse.Namespace, terminal: Terminal) -> None:
    from bonn_hw.nn.brevitas_export import factory
    from bonn_hw.nn.brevitas_export.module import export

    network, example = factory.load(options.network)
    given = _example(options)
    if given is None and example is None:
        raise UserError(
            f"export: {options.network} needs an example input: give --shape, such as --shape "
            "1,28,28, or --example FILE.npy, or return (network, example)"
        )
    exported = export(network, example if given is None else given, options.out)
    for note in exported.notes:
        terminal.result(note)
    for grid in exported.grids:
        terminal.result(f"{grid}")


def _example(options: argparse.Namespace) -> NDArray[Any] | None:
    import numpy as np

    from bonn_hw.images import read_array

    if options.example is not None:
        return read_array(options.example, "--example")
    if options.shape is not None:
        values = np.random.default_rng(0).uniform(-1, 1, (8, *options.shape))
        return values.astype(np.float32)
    return None
