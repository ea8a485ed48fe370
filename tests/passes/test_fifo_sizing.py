# SPDX-License-Identifier: BSD-3-Clause
from bonn_hw.passes.fifo_sizing import insert_fifos, size_fifos
from bonn_hw.passes.folding import choose_foldings
from bonn_hw.passes.width_conversion import insert_width_converters
from bonn_hw.timing.model import run
from tests.support.networks import CNV_FINN_FOLDING, cnv, small_cnn


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


def test_every_depth_that_is_chosen_reaches_the_bound():
    graph = small_cnn()
    for cycles in (600, 700, 5000):
        folded = insert_width_converters(graph, choose_foldings(graph, cycles, {}, 380))
        design = size_fifos(folded)
        assert run(design).interval == design.bound == folded.bound
