# SPDX-License-Identifier: BSD-3-Clause
from types import SimpleNamespace

import numpy as np
import pytest

from bonn_hw.ir.folding import Folding
from bonn_hw.kernels.fifo import Fifo
from bonn_hw.passes import fifo_sizing
from bonn_hw.passes.fifo_queues import Queues
from bonn_hw.passes.fifo_search import shrink_within_effort
from bonn_hw.passes.fifo_sizing import depths_of, insert_fifos, size_fifos
from bonn_hw.passes.folding import choose_foldings
from bonn_hw.passes.ready_chains import cuts
from bonn_hw.passes.width_conversion import insert_width_converters
from bonn_hw.timing.model import Deadlock, Network, certify, run
from tests.support.networks import CNV_FINN_FOLDING, cnv, small_cnn
from tests.support.residual import unequal_block


def depths(design):
    return [getattr(s.node.kernel, "depth", 0) for s in design.stages if "fifo" in s.name]


def test_cnv_with_finns_folding_runs_at_its_bound_with_three_fifos():
    graph = cnv()
    foldings = choose_foldings(graph, 32768, CNV_FINN_FOLDING, 380)
    folded = insert_width_converters(graph, foldings)
    assert run(folded).interval > 60_000  # two dense layers of PE 1 wait for each other
    design = size_fifos(folded)
    assert run(design).interval == design.bound == 32768
    assert depths(design) == [22, 64, 64]


def test_no_depth_can_be_halved():
    graph = cnv()
    folded = insert_width_converters(graph, choose_foldings(graph, 32768, CNV_FINN_FOLDING, 380))
    queued = [s.tensor for s in folded.streams if s.sink in ("mvu_6", "mvu_7")]
    for shorter in queued:
        trial = dict.fromkeys(queued, 64) | {shorter: 32}
        assert run(insert_fifos(folded, trial)).interval > 32768


def holds(folded, depths):
    """Whether a design keeps its interval, and nothing can stop it for ever."""
    try:
        design = insert_fifos(folded, depths)
        certify(Network.of(design))
        return run(design).interval == folded.bound
    except Deadlock:
        return False


@pytest.mark.parametrize(
    ("made", "shape", "cycles"),
    [
        (small_cnn, (), 600),
        (small_cnn, (), 5000),
        (unequal_block, (6, 6, 2), 300),
        (unequal_block, (6, 6, 2), 1000),
        (unequal_block, (5, 9, 1), 300),
    ],
)
def test_no_fifo_of_a_small_design_can_be_halved_or_removed(made, shape, cycles):
    graph = made(*shape)
    folded = insert_width_converters(graph, choose_foldings(graph, cycles, {}, 380))
    depths = {
        stage.node.inputs[0]: stage.node.kernel.depth
        for stage in size_fifos(folded).stages
        if isinstance(stage.node.kernel, Fifo)
    }
    assert holds(folded, depths)
    sinks = [stream.sink for stream in folded.streams]
    joins = {stream.tensor for stream in folded.streams if sinks.count(stream.sink) > 1}
    for name, depth in depths.items():
        if name in joins | cuts(folded, {}) and depth == 2:
            continue  # it stays, whatever the rate: it ends a path of tready
        less = 1 << (depth - 1).bit_length() - 1 if depth > 2 else 0
        assert not holds(folded, {**depths, name: less}), (name, depth)


NOT_TRIED = (
    "pad_0 2, sliding_window_0 2, mvu_0 3, pad_1 2, sliding_window_1 2, mvu_1 2, max_pool_0 5, "
    "mvu_2 2"
)


@pytest.mark.parametrize(
    ("made", "shape", "cycles", "limits", "depths", "frames"),
    [
        (small_cnn, (), 600, (4e6, 2e8), "mvu_0 2, max_pool_0 4", "-3-3--3---33"),
        (small_cnn, (), 600, (0, 2e8), "mvu_0 2, max_pool_0 5", "-33323332-3"),
        (small_cnn, (), 600, (0, 0), NOT_TRIED, "-33"),
        (
            unequal_block,
            (6, 6, 2),
            300,
            (4e6, 2e8),
            "threshold_0 2, mvu_0 2, stream_fork_0 8",
            "-3-3--3-3-3-3",
        ),
        (
            unequal_block,
            (6, 6, 2),
            300,
            (0, 2e8),
            "threshold_0 2, mvu_0 2, stream_fork_0 11",
            "-33323232-3",
        ),
        (
            unequal_block,
            (5, 9, 1),
            300,
            (0, 2e8),
            "threshold_0 2, mvu_0 2, stream_fork_0 16",
            "-388787-3",
        ),
    ],
)
def test_larger_designs_are_searched_less(made, shape, cycles, limits, depths, frames, monkeypatch):
    graph = made(*shape)
    folded = insert_width_converters(graph, choose_foldings(graph, cycles, {}, 380))
    runs, model = [], fifo_sizing.model.run_network

    def counted(network, *limit, **more):
        runs.append(f"{limit[0]}" if limit else "-")  # frames at most, or until it is steady
        return model(network, *limit, **more)

    monkeypatch.setattr(fifo_sizing, "SMALL", limits[0])
    monkeypatch.setattr(fifo_sizing, "LARGE", limits[1])
    monkeypatch.setattr(fifo_sizing.model, "run_network", counted)
    design = size_fifos(folded)
    found = [f"{name.partition('_out')[0]} {depth}" for name, depth in depths_of(design).items()]
    assert ", ".join(found) == depths
    assert "".join(sorted(runs[:2]) + runs[2:]) == frames  # the first two run side by side
    assert run(design).interval == folded.bound


def test_the_cost_of_a_queue_counts_block_memory():
    graph = small_cnn()
    folded = insert_width_converters(graph, choose_foldings(graph, 600, {}, 380))
    queues = Queues(folded, {})
    name, stream = next(iter(queues.streams.items()))
    used = Fifo(stream.kind, 100_000).resources(Folding(stream.lanes, stream.lanes))
    assert used.bram36 > 1
    assert queues.cost(name, 100_000) == used.lut + 190 * used.bram36


def test_every_depth_that_is_chosen_reaches_the_bound():
    graph = small_cnn()
    for cycles in (600, 700, 5000):
        folded = insert_width_converters(graph, choose_foldings(graph, cycles, {}, 380))
        design = size_fifos(folded)
        assert run(design).interval == design.bound == folded.bound


class Equal:
    """Three queues of eight beats, none of which can be removed unless `fits` allows it."""

    cuts, bound = (), 1

    def __init__(self):
        self.streams = {name: SimpleNamespace(width=4, sink=name) for name in "abc"}

    def feeds_join(self, name):
        return False

    def network(self, depths):
        return depths

    def cost(self, name, depth):
        return float(depth)


def searched(late, monkeypatch, frames=3):
    """What is found if ``late(depths)`` says how late each frame is; the depths that were tried."""
    tried, due = [], np.arange(frames) * 100

    def model(depths, count, pace):
        tried.append("".join(map(str, depths.values())))
        return SimpleNamespace(last_out=due + np.resize(late(depths), count))

    monkeypatch.setattr(fifo_sizing.model, "run_network", model)
    monkeypatch.setattr(fifo_sizing.model, "certify", lambda network, frames: None)
    depths = dict.fromkeys("abc", 8)
    found = shrink_within_effort(Equal(), depths, (), "abc", due, lambda text: None)
    return "".join(map(str, found.values())), tried


@pytest.mark.parametrize(
    ("late", "found"),
    [((0, 5, 5), "000"), ((0, 4, 5), "888"), ((9, 5, 4), "000"), ((9, 8, 9), "888")],
)
def test_a_search_keeps_the_interval_of_the_last_frames(late, found, monkeypatch):
    assert searched(lambda depths: late, monkeypatch)[0] == found


def test_the_first_of_equal_queues_may_have_to_stay(monkeypatch):
    """It holds four beats; the others are gone at once."""
    found, tried = searched(lambda depths: (0, 0, depths["a"] < 4), monkeypatch)
    assert (found, tried) == ("400", ["000", "800", "400", "200"])


def test_a_search_ends_with_its_effort(monkeypatch):
    _, tried = searched(lambda depths: (0,) * 14 + (1,), monkeypatch, frames=15)
    assert len(tried) == 45 // 15
