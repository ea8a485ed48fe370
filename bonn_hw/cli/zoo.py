# SPDX-License-Identifier: BSD-3-Clause
"""``bonn-hw zoo``: the trained networks that come with the package."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bonn_hw.cli.exit_codes import DONE
from bonn_hw.cli.outputs import check_writable
from bonn_hw.cli.terminal import STDOUT, Terminal
from bonn_hw.errors import UserError, near

if TYPE_CHECKING:
    from rich.console import Console

NAME = "zoo"
HELP = "list the trained networks of the package, or copy one"
METRICS, WEIGHTS, MODEL = "metrics.json", "weights.npz", "model.onnx"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=("list", "get"), help="show all, or copy one")
    parser.add_argument("network", metavar="NAME", nargs="?", help="the network to copy")
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, help="run folder to write; default: NAME"
    )
    parser.add_argument(
        "--onnx", action="store_true", help=f"export it as QONNX too, to {MODEL} in the folder"
    )
    parser.add_argument(
        "--json",
        metavar="FILE",
        type=Path,
        nargs="?",
        const=STDOUT,
        help="write the list as JSON to this file; without a file or with -: to stdout",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """List the networks, or copy one."""
    if options.action == "get":
        return _get(options, terminal)
    if options.network is not None:
        raise UserError(
            f"zoo: list shows all networks and takes no name; `bonn-hw zoo get {options.network}` "
            "copies one"
        )
    check_writable(terminal.json)
    trained = [TrainedNetwork.read(folder) for folder in folders().values()]
    terminal.report([one._asdict() for one in trained], lambda console: _show(trained, console))
    return DONE


def folders() -> dict[str, Path]:
    """The run folders of the zoo by name."""
    from bonn_hw.files import shipped

    found = sorted(path.parent for path in shipped("zoo").glob(f"*/{METRICS}"))
    return {folder.name: folder for folder in found}


class TrainedNetwork(NamedTuple):
    """What the list shows of a network.

    Attributes
    ----------
    accuracy : float or None
        On the test images, from 0 to 1.
    binary_weights, other_parameters : int
        Weights of one bit each; all other values that were learnt or measured.
    images : int or None
        Training images of an epoch; None: all of the data set.
    """

    name: str
    network: str
    method: str
    dataset: str
    accuracy: float | None
    binary_weights: int
    other_parameters: int
    images: int | None
    epochs: int

    @classmethod
    def read(cls, folder: Path) -> TrainedNetwork:
        """Read a run folder of the zoo."""
        import json

        metrics = json.loads((folder / METRICS).read_text())
        experiment = metrics["experiment"]
        binary, others = _sizes(folder / WEIGHTS)
        return cls(
            folder.name,
            experiment["network"],
            experiment["options"].get("method", "default"),
            experiment["dataset"],
            metrics["accuracy"],
            binary,
            others,
            metrics["limit"],
            len(metrics["epochs"]),
        )


def _sizes(weights: Path) -> tuple[int, int]:
    """How many weights of one bit and how many other values a released run has."""
    import numpy as np

    with np.load(weights, allow_pickle=False) as file:
        shapes = [name for name in file.files if name.startswith("shape ")]
        binary = sum(int(np.prod(file[name])) for name in shapes)
        others = sum(
            file[name].size for name in file.files if not name.startswith(("shape ", "bits "))
        )
    return binary, others


def _show(trained: list[TrainedNetwork], console: Console) -> None:
    from bonn_hw.report.grid import UNKNOWN, Column, grid

    accuracies = [UNKNOWN if one.accuracy is None else f"{one.accuracy:.2%}" for one in trained]
    images = ["all" if one.images is None else f"{one.images:,}" for one in trained]
    blocks = [
        (
            Column("network", [one.network for one in trained], left=True),
            Column("method", [one.method for one in trained], left=True),
            Column("data", [one.dataset for one in trained], left=True),
            Column("test\naccuracy", accuracies),
        ),
        (
            Column("1-bit\nweights", [f"{one.binary_weights:,}" for one in trained]),
            Column("other\nparameters", [f"{one.other_parameters:,}" for one in trained]),
        ),
        (
            Column("images", images),
            Column("epochs", [f"{one.epochs}" for one in trained]),
        ),
    ]
    names = Column("name", [one.name for one in trained], left=True)
    console.print(grid("networks of the zoo", names, blocks, console))


def _get(options: argparse.Namespace, terminal: Terminal) -> int:
    import shutil

    from bonn_hw.files import fresh_folder

    known = folders()
    if options.network is None:
        raise UserError(f"zoo: name the network to copy, one of {', '.join(known)}")
    if options.network not in known:
        raise UserError(
            f"zoo: network {options.network!r} is not known{near(options.network, known)}; the "
            f"networks are {', '.join(known)}"
        )
    out: Path = options.out or Path(options.network)
    check_writable(out, "folder")
    if out.exists():
        raise UserError(f"{out}: exists already; name a new folder with --out")
    source = known[options.network]
    with fresh_folder(out) as folder:
        for file in sorted(source.iterdir()):
            if file.is_file():
                shutil.copyfile(file, folder / file.name)
        if options.onnx:
            from bonn_hw.nn.export import export

            export(source, folder / MODEL)
    terminal.note(f"wrote {out / MODEL if options.onnx else out}")
    return DONE
