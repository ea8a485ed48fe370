# SPDX-License-Identifier: BSD-3-Clause
"""Gates and Verilator on many networks: ``python -m benchmarks.agreement --log agreement.jsonl``.

Random networks, and networks that are named; free and stalled. Every output and the cycle of every
beat must be equal. What the log has is not run again, so an interrupted run goes on. With
``--engine N``, instead: the integers of the engine and of NumPy, on N sets of 25 random networks.
The last line counts networks that differ, over all sets.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

from benchmarks.calibration import calibrated
from bonn_hw import pipeline
from bonn_hw.boards import board
from bonn_hw.nn.export import export
from bonn_hw.nn.models.networks import NETWORKS
from tests.support.agreement import agree, engine_agrees, random_network_agrees

FRAMES = 192  # of a named network: 3 of each image's place
CYCLES = {"cnv": 33_000}  # a frame; of others:
DEFAULT_CYCLES = 20_000


def named(name: str) -> list[str]:
    """A network of `bonn_hw.nn`, with random weights, on Fashion-MNIST's shape."""
    with tempfile.TemporaryDirectory() as folder:
        model, out = Path(folder) / "model.onnx", Path(folder) / "build"
        export(calibrated(name), model)
        fps = 100e6 / CYCLES.get(name, DEFAULT_CYCLES)
        pipeline.compile_model(model, pipeline.Target(board("zcu104"), 100.0, fps), out)
        agree(pipeline.Build.load(out), frames=FRAMES)
    return [name]


def random_one(number: int) -> list[str]:
    """A random network; its digest if it compiles."""
    model = random_network_agrees(number)
    return [] if model is None else [sha256(model).hexdigest()]


def run(log: Path, cases: dict[str, Callable[[], list[str]]]) -> None:
    """Run the cases that the log does not have, and note the networks of each, which agree.

    Raises what a case raises. Networks that several cases drew count once.
    """
    known = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    done = {one["case"] for one in known}
    for case, work in cases.items():
        if case in done:
            continue
        start = time.process_time()
        row = {"case": case, "networks": work(), "seconds": round(time.process_time() - start, 1)}
        known.append(row)
        with log.open("a") as stream:
            stream.write(json.dumps(row) + "\n")
        print(row, flush=True)
    different = {network for one in known for network in one["networks"]}
    none = sum(not one["networks"] for one in known)
    print(f"{len(different)} different networks agree; {none} cases have none")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--count", type=int, default=80, help="random networks, of which some fail")
    parser.add_argument("--networks", nargs="*", default=[], choices=list(NETWORKS))
    parser.add_argument("--engine", type=int, default=0, metavar="N", help="sets for the engine")
    options = parser.parse_args(arguments)
    cases: dict[str, Callable[[], list[str]]] = {
        f"engine {number}": partial(engine_agrees, number) for number in range(options.engine)
    }
    if cases:
        run(options.log, cases)
        return
    cases = {name: partial(named, name) for name in options.networks}
    cases |= {f"random {number}": partial(random_one, number) for number in range(options.count)}
    run(options.log, cases)


if __name__ == "__main__":
    main()
