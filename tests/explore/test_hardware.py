# SPDX-License-Identifier: BSD-3-Clause
"""The hardware of a candidate, against what the lowering makes of the network itself."""

import inspect
from dataclasses import MISSING, fields, replace

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from bonn_hw import frontend, pipeline
from bonn_hw.boards import board
from bonn_hw.explore.hardware import Excluded, Fits, Hardware
from bonn_hw.explore.space import Candidate, Goal
from bonn_hw.explore.steps import widths
from bonn_hw.explore.untrained import untrained_graph
from bonn_hw.frontend.chain_graph import ChainShape, chain_graph
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.kernels.mvu import Mvu
from bonn_hw.nn.export import export
from bonn_hw.nn.models import chains
from bonn_hw.nn.models.networks import build
from bonn_hw.passes import prices
from bonn_hw.passes.folding import Space, Tables, usual_weights
from bonn_hw.passes.options import Options

CHAINS = (
    {"in_channels": 3, "size": 9, "convs": [4, 6, 5], "pools": [1, 3], "hidden": [7]},
    {"size": 8, "convs": [3, 4], "pools": [2], "hidden": [], "padded": False, "input": "1-bit"},
    {"in_channels": 2, "size": 5, "convs": [], "pools": [], "hidden": [6, 4], "classes": 3},
    {
        "size": 12,
        "convs": [3, 4, 5],
        "pools": [2],
        "hidden": [],
        "kernels": [5, 1, 2],
        "strides": [2, 1],
        "input": "1-bit",
    },
)
WEIGHTS = usual_weights(board("pynq-z2").lut_per_bram36)


def candidate(**options):
    return Candidate({"network": {"name": "chain", **options}})


def lowered(options, folder):
    """A chain with norms of any kind, lowered from its exported file."""
    torch.manual_seed(1)
    network = build("chain", **options)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 3)
            module.running_var.uniform_(1, 50)
            module.weight.data.normal_()
            module.bias.data.normal_()
    export(network, folder / "chain.onnx")
    return frontend.lower(pipeline.read_model(folder / "chain.onnx"), None, None).graph


def cheapest(graph, cycles, tables=None):
    choice = Space(graph, {}, tables).cheapest(cycles, WEIGHTS)
    return choice.cost, choice.resources, dict(choice.foldings)


@pytest.mark.parametrize("options", CHAINS)
def test_a_chain_costs_what_its_lowering_costs(options, tmp_path):
    """With the lowering's own constants the graph is the same, and so is every cost."""
    graph = lowered(options, tmp_path)
    shape = ChainShape.of(options)
    units = {n.origin: n.kernel for n in graph.nodes if isinstance(n.kernel, Mvu)}
    ours = chain_graph(shape, lambda layer: units[layer.name]).check()
    assert ours.nodes == graph.nodes
    assert (ours.input, ours.output) == (graph.input, graph.output)
    # What `bound` makes of shapes alone has the same constants in the end: put them in.
    bounded = chain_graph(shape).check()
    nodes = [
        replace(
            node,
            kernel=replace(
                node.kernel,
                weights=units[node.origin].weights,
                thresholds=units[node.origin].thresholds,
            ),
        )
        if isinstance(node.kernel, Mvu)
        else node
        for node in bounded.nodes
    ]
    filled = DataflowGraph(tuple(nodes), bounded.tensors, bounded.input, bounded.output)
    assert filled.nodes == graph.nodes
    for cycles in (300, 2000, 100_000):
        trained, most = cheapest(graph, cycles), cheapest(bounded, cycles)
        assert cheapest(filled, cycles) == trained
        assert trained[0] <= most[0]
        assert trained[1].lut <= most[1].lut <= 1.15 * trained[1].lut


def test_defaults_are_those_of_the_network():
    own = {f.name: f.default for f in fields(ChainShape) if f.default is not MISSING}
    network = inspect.signature(chains.chain).parameters
    assert own == {name: network[name].default for name in own}
    assert set(network) - set(own) == {"method", "pruned"}  # these are not in the shape


def test_kept_tables_change_nothing():
    tables = Tables()
    for convs in ((8, 12), (8, 8, 12), (12, 8)):
        graph = chain_graph(ChainShape(convs=convs, size=12))
        assert cheapest(graph, 2000, tables) == cheapest(graph, 2000)


@pytest.mark.parametrize("fps", [200.0, 20_000.0])
def test_a_candidate_is_folded_as_fold_does(fps):
    """Foldings that are too slow have no table here; tables and costs are kept between candidates.

    Neither changes a folding or a cost.
    """
    goal = Goal((board("pynq-z2"),), 100.0, fps)
    hardware = Hardware(goal)
    for convs in ([12, 8, 8], [8, 20], [12, 8]):
        one = candidate(size=12, convs=convs)
        space = Space(hardware.graph(one), {}, Tables(prices.alternatives(goal.target)))
        choice = prices.cheapest(space, goal.cycles, goal.target)
        found = hardware.fold(one)
        assert found.foldings == choice.foldings
        assert found.figures.resources == choice.resources
        assert found.figures.cycles == choice.cycles


def test_too_slow_a_layer_keeps_its_fastest_folding():
    unit = chain_graph(ChainShape(convs=(12,), pools=(), size=12)).nodes[2].kernel
    every, few, one = (Options.of([unit], None, most) for most in (None, 2000, 1))
    fast = every.cycles <= 2000
    assert 0 < fast.sum() < fast.size
    assert few.foldings == [f for f, keep in zip(every.foldings, fast, strict=True) if keep]
    assert (few.uses == every.uses[fast]).all()
    assert one.cycles.tolist() == [every.fastest]


def test_equal_layers_are_one_kernel():
    first, second = (chain_graph(ChainShape(convs=c, size=12)) for c in ((8, 12), (8, 16)))
    assert first.nodes[2].kernel is second.nodes[2].kernel
    assert first.nodes[5].kernel is not second.nodes[5].kernel


def test_a_whole_plan_is_what_compile_makes(tmp_path):
    goal = Goal((board("pynq-z2"),), 100.0, 100_000.0)
    one = candidate(**CHAINS[0])
    quick, whole = (getattr(Hardware(goal), name)(one) for name in ("fold", "plan_whole"))
    assert isinstance(quick, Fits)
    assert isinstance(whole, Fits)
    assert whole.foldings == quick.foldings
    assert whole.figures.cost >= quick.figures.cost
    assert whole.figures.frames_per_second >= goal.fps
    assert quick.figures.latency_ms is None
    limited = Hardware(replace(goal, latency_ms=whole.figures.latency_ms)).plan_whole(one)
    assert isinstance(limited, Fits)
    short = Hardware(replace(goal, latency_ms=whole.figures.latency_ms / 50)).plan_whole(one)
    assert isinstance(short, Excluded)
    assert (short.limit, "the smallest is" in short.reason) == ("latency_ms", True)


@pytest.mark.parametrize(
    ("changes", "options", "limit", "reason"),
    [
        ({"fps": 5e6}, {}, "fps", "conv0 alone needs 192 of 20 cycles a frame"),
        ({"lut": 0.001}, {}, "lut", "it needs 537.1 LUT, and 53.2 may be used"),
        ({"bram36": 0.0}, {"hidden": [999, 997]}, "bram36", "BRAM36, and 0.0 may be used"),
        ({}, {"pools": [3]}, "network", "2 convolutions, and pools [3]"),
        ({}, {"size": 3, "padded": False}, "network", "does not fit 1x1 pixels"),
        ({}, {"kernels": [3, 3, 5]}, "network", "kernels [3, 3, 5] must be one for all 2 conv"),
        ({}, {"strides": []}, "network", "strides [] must be one for all 2 convolutions, or at"),
        ({}, {"kernels": [9], "padded": False}, "network", "9x9 window of conv0 does not fit 8x8"),
        ({}, {"size": 2, "pools": [1, 2]}, "network", "nothing behind conv1"),
    ],
)
def test_limits(changes, options, limit, reason):
    goal = replace(Goal((board("pynq-z2"),), 100.0, 1000.0), **changes)
    found = Hardware(goal).fold(candidate(**{"size": 8, **options}))
    assert isinstance(found, Excluded)
    assert found.limit == limit
    assert reason in found.reason
    assert found.excess > 1


def test_no_block_memory_but_many_lut():
    """The cheapest design has block memories; another one that has none is found."""
    goal = Goal((board("pynq-z2"),), 100.0, 1000.0)
    one = candidate(size=8, hidden=[256])
    most = Hardware(goal).fold(one).figures
    assert most.resources.bram36 > 0
    none = Hardware(replace(goal, bram36=0.0)).fold(one)
    assert isinstance(none, Fits)
    assert none.figures.resources.bram36 == 0
    assert none.figures.cost > most.cost


def test_every_board_must_hold_it():
    goal = Goal((board("kv260"), board("pynq-z2")), 100.0, 1000.0, lut=0.5)
    assert goal.budget.lut == 0.5 * board("pynq-z2").holds.lut
    assert goal.budget.bram36 == min(b.holds.bram36 for b in goal.boards)


@pytest.mark.large
def test_other_networks_are_lowered_untrained():
    options = {"in_channels": 1, "size": 8, "widths": [4, 4], "blocks": [1], "form": "hardware"}
    graph = untrained_graph("wrn", {**options, "dropout": 0.2})
    assert graph is untrained_graph("wrn", options)  # dropout is of the training alone
    assert "requantize" in {node.kernel.stem for node in graph.nodes}


def test_steps_are_widths_that_no_wider_one_undercuts():
    per_bram36 = board("pynq-z2").lut_per_bram36
    kept = widths(8, 34, 28, 10_000, per_bram36)
    assert kept == (8, 9, 10, 11, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 33, 34)
    assert widths(32, 34, 28, 10, per_bram36) == ()
