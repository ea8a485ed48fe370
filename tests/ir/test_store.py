# SPDX-License-Identifier: BSD-3-Clause
import json

import pytest

from bonn_hw.ir import store
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.kernels import kernels
from bonn_hw.passes.folding import choose_foldings
from bonn_hw.passes.width_conversion import insert_width_converters
from tests.support.networks import small_cnn
from tests.support.residual import unequal_block


@pytest.mark.parametrize("network", [small_cnn, unequal_block])
def test_graph_and_design_come_back_as_they_were(network, tmp_path):
    graph = network()
    design = insert_width_converters(graph, choose_foldings(graph, 600, {}, 380))
    for stem, value, kind in (("g", graph, DataflowGraph), ("d", design, FoldedDesign)):
        store.save(value, tmp_path, stem)
        assert store.load(kind, tmp_path, stem, kernels()) == value


def test_another_version_is_refused(tmp_path):
    store.save(small_cnn(), tmp_path, "g")
    document = json.loads((tmp_path / "g.json").read_text())
    (tmp_path / "g.json").write_text(json.dumps(document | {"version": 99}))
    with pytest.raises(ValueError, match=r"g\.json has version 99, not 1"):
        store.load(DataflowGraph, tmp_path, "g", kernels())
