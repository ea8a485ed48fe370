# SPDX-License-Identifier: BSD-3-Clause
"""The certificate against deadlocks, attacked: ``python -m benchmarks.deadlocks --log FILE``.

Random graphs with branches that are added, subtracted, multiplied, compared, concatenated and
gated, in random foldings. The depth of each FIFO is lowered as far as the certificate allows. Then
the cycle model runs the design under stalls of ten families, and must never stop; with one beat
less in a FIFO it should stop under some of them. One design of each batch runs in RTL under one
pattern of each family: its outputs must be right, and its cycles those of the model. A batch that
has a line in the file is not repeated.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.folding import Folding
from bonn_hw.passes.fifo_sizing import insert_fifos
from bonn_hw.passes.width_conversion import insert_width_converters
from bonn_hw.timing import engines
from bonn_hw.timing.model import Deadlock, Network, certify, run_network
from tests.support.adversary import FAMILIES, adversarial
from tests.support.bench import random_values, simulate_design
from tests.support.residual import residual_graphs

DESIGNS = 4  # of a batch
ENOUGH = 512  # beats
RUNS, FEWER, FRAMES = 20, 15, 5
Counts = Counter[str]


def main() -> int:
    """Attack batches that are not in the file; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--log", type=Path, default=Path("deadlocks.jsonl"))
    parser.add_argument("--rtl", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    done: dict[int, Counts] = {}
    if options.log.exists():
        for row in map(json.loads, options.log.read_text().splitlines()):
            done[row.pop("batch")] = Counter(row)
    for number in range(options.batches):
        if number not in done:
            with adversarial():
                done[number] = batch(number, options.rtl)
            with options.log.open("a") as log:
                log.write(json.dumps({"batch": number, **done[number]}) + "\n")
    total: Counts = sum(done.values(), Counter())
    print(f"{len(done)} batches:", ", ".join(f"{name} {count}" for name, count in total.items()))
    return 1 if any(total[wrong] for wrong in WRONG) else 0


WRONG = ("deadlocks", "engines differ", "RTL outputs wrong", "RTL cycles differ")


def batch(number: int, rtl: bool) -> Counts:
    """Draw and attack some designs."""
    counts: Counts = Counter(dict.fromkeys(WRONG, 0))
    chance = random.Random(number)

    @seeded(number)
    @settings(
        max_examples=DESIGNS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def draw(data: st.DataObject) -> None:
        graph = data.draw(residual_graphs())
        foldings = {
            node.name: data.draw(st.sampled_from(list(node.kernel.foldings())))
            for node in graph.nodes
        }
        try:
            design = insert_width_converters(graph, foldings)
        except ValueError:  # no converter leads from one to the next
            design = insert_width_converters(graph, dict.fromkeys(foldings, Folding(1, 1)))
        counts["designs"] += 1
        attack(design, counts, chance, rtl and counts["RTL designs"] == 0)

    draw()
    return counts


def attack(design: FoldedDesign, counts: Counts, chance: random.Random, rtl: bool) -> None:
    """Lower the depths as far as the certificate allows, and stall the design."""
    streams = [stream.tensor for stream in design.streams if stream.source and stream.sink]
    depths = dict.fromkeys(streams, ENOUGH)
    if not certified(design, depths):
        counts["never certified"] += 1
        return
    for tensor in chance.sample(streams, len(streams)):
        low, high = 0, depths[tensor]
        while low < high:
            middle = (low + high) // 2
            if certified(design, {**depths, tensor: middle}):
                high = middle
            else:
                low = middle + 1
        depths[tensor] = high
    least = insert_fifos(design, depths)
    network = Network.of(least)
    for seed in seeds(RUNS, chance):
        counts["runs"] += 1
        try:
            timing = run_network(network, FRAMES, stall=seed)
        except Deadlock:
            counts["deadlocks"] += 1
            continue
        if seed % 5 == 0:
            other = run_network(network, FRAMES, stall=seed, engine=engines.stepping)
            counts["engines differ"] += not np.array_equal(
                timing.output_cycles, other.output_cycles
            )
    filled = [tensor for tensor in streams if depths[tensor]]
    for tensor in chance.sample(filled, min(1, len(filled))):
        counts["one beat less"] += 1
        shallow = Network.of(insert_fifos(design, {**depths, tensor: depths[tensor] - 1}))
        counts["one beat less: deadlocks"] += any(
            stops(shallow, seed) for seed in seeds(FEWER, chance)
        )
    if rtl:
        counts["RTL designs"] += 1
        simulated(least, counts, chance)


def certified(design: FoldedDesign, depths: dict[str, int]) -> bool:
    """Whether the certificate is given with these depths."""
    try:
        certify(Network.of(insert_fifos(design, depths)))
    except Deadlock:
        return False
    return True


def stops(network: Network, seed: int) -> bool:
    """Whether the stalls of a seed stop a network for ever."""
    try:
        run_network(network, FRAMES, stall=seed)
    except Deadlock:
        return True
    return False


def seeds(count: int, chance: random.Random) -> list[int]:
    """Seeds of patterns, of each family in turn."""
    return [chance.randrange(10**6) * len(FAMILIES) + i % len(FAMILIES) for i in range(count)]


def simulated(design: FoldedDesign, counts: Counts, chance: random.Random) -> None:
    """The RTL of a design under a pattern of each family."""
    frames = random_values(design.graph.tensors[design.graph.input], FRAMES)
    expected = design.graph.run(frames)
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds(len(FAMILIES), chance):
            counts["RTL runs"] += 1
            done = simulate_design(design, frames, Path(folder), seed)
            timing = run_network(Network.of(design), FRAMES, stall=seed)
            counts["RTL outputs wrong"] += not np.array_equal(done.outputs, expected)
            counts["RTL cycles differ"] += not np.array_equal(
                done.run.output_cycles, timing.output_cycles
            )


if __name__ == "__main__":
    raise SystemExit(main())
